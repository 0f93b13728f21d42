import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { ApiCredentials, ApiCredentialsError } from '../../dataplane/broker/http/api-credentials.ts';
import { requireGuarded } from '../../dataplane/broker/http/api-server.ts';
import type { ApiAccess } from '../../dataplane/broker/http/api-server.ts';
import type { UpSettings } from './up-settings.ts';

/**
 * Who may use the api port.
 *
 * @throws ApiCredentialsError also when the file cannot be read; ListenError when nobody said that anybody may
 */
export async function apiAccess(
  { host, authFile, allowAnonymous }: UpSettings['api'],
  cwd: string,
): Promise<ApiAccess> {
  if (authFile === undefined) {
    const access = allowAnonymous === true ? 'anonymous-anywhere' : 'anonymous';
    requireGuarded(host, access);
    return access;
  }
  let text: string;
  try {
    text = await readFile(path.resolve(cwd, authFile), 'utf8');
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new ApiCredentialsError(`--api-auth-file: ${authFile} cannot be read: ${why}`, { cause: error });
  }
  return ApiCredentials.parse(text, authFile);
}
