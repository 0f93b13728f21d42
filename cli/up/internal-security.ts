import path from 'node:path';
import type {
  InternalListenerOptions,
  InternalSecurity,
} from '../../dataplane/broker/peers/internal-network.ts';
import { UsageError } from '../command.ts';

/** What the options say of it; `undefined`: nothing, so it is loopback alone. */
export function internalSecurity(files: {
  readonly secretFile: string | undefined;
  readonly certFile: string | undefined;
  readonly keyFile: string | undefined;
  readonly caFile: string | undefined;
}): InternalSecurity | undefined {
  const { secretFile, certFile, keyFile, caFile } = files;
  const certificate = [certFile, keyFile, caFile];
  if (certFile !== undefined && keyFile !== undefined && caFile !== undefined && secretFile === undefined)
    return { certFile, keyFile, caFile };
  if (certificate.every((file) => file === undefined))
    return secretFile === undefined ? undefined : { secretFile };
  throw new UsageError(
    secretFile === undefined
      ? '--internal-cert, --internal-key and --internal-ca are needed together'
      : 'give --internal-secret-file or certificates (--internal-cert, --internal-key, --internal-ca), not both',
  );
}

/** The same listener with absolute paths. */
export function listenerAt(listener: InternalListenerOptions, folder: string): InternalListenerOptions {
  const { security, ...rest } = listener;
  return security === undefined ? rest : { ...rest, security: securityAt(security, folder) };
}

/** The same with absolute paths. */
export function securityAt(security: InternalSecurity, folder: string): InternalSecurity {
  const at = (file: string): string => path.resolve(folder, file);
  if ('secretFile' in security) return { secretFile: at(security.secretFile) };
  const { certFile, keyFile, caFile } = security;
  return { certFile: at(certFile), keyFile: at(keyFile), caFile: at(caFile) };
}
