import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import type { BrokerManifest } from '../../crds/broker-manifest.ts';
import { ManifestError } from '../../crds/manifest-error.ts';
import { readBrokerManifest } from '../../crds/read-broker-manifest.ts';
import type { BrokerOptions } from '../../dataplane/broker/broker-options.ts';
import { withStaticConfig } from '../../dataplane/broker/config/static-broker-configs.ts';
import { ConfigError } from '../../dataplane/runtime/config-entry.ts';
import type { InternalSecurity } from '../../dataplane/broker/peers/internal-network.ts';
import { securityAt } from './internal-security.ts';
import { placesOf } from './broker-place.ts';
import type { BrokerPlace } from './broker-place.ts';
import type { UpSettings } from './up-settings.ts';

const defaultListeners = [{ name: 'internal', port: 9092 }];

export interface ManifestSettings extends Pick<UpSettings, 'url' | 'listeners' | 'options'> {
  readonly places: readonly BrokerPlace[];
  /** Of the listener for other brokers. */
  readonly security: InternalSecurity | undefined;
}

/**
 * What a `Broker` manifest says of the brokers to start.
 *
 * @param file as it shall be named in messages
 * @param host which address to listen on: not the manifest's business, which is the same in a pod
 * @throws ManifestError also when the file cannot be read
 */
export async function settingsOfManifest(
  file: string,
  { cwd, host }: { readonly cwd: string; readonly host: string },
): Promise<ManifestSettings> {
  const location = path.resolve(cwd, file);
  const text = await readFile(location, 'utf8').catch((error: unknown) => {
    const why = error instanceof Error ? error.message : String(error);
    throw new ManifestError([`${file} cannot be read: ${why}`], { cause: error });
  });
  const { spec } = readBrokerManifest(text, file);
  const twice = spec.zones.find((zone, at) => spec.zones.indexOf(zone) < at);
  if (twice !== undefined)
    throw new ManifestError([`${file}: spec.zones names zone ${twice} twice: leave one of them out`]);
  return {
    url: storeUrl(spec.storage, path.dirname(location)),
    listeners: (spec.listeners ?? defaultListeners).map(({ name, port }) => ({ name, host, port })),
    places: placesOf(spec.zones, spec.replicas),
    options: optionsOf(spec.config),
    security: securityOf(spec.internal, path.dirname(location)),
  };
}

/** @param folder of the manifest */
export function storeUrl({ s3, file }: BrokerManifest['spec']['storage'], folder: string): string {
  if (s3 === undefined) return pathToFileURL(path.resolve(folder, file?.path ?? '')).href;
  const { bucket, prefix, region, endpoint, forcePathStyle } = s3;
  const url = new URL(`s3://${bucket}`);
  url.pathname = prefix.replace(/^\/+|\/+$/g, '').replaceAll('%', '%25');
  if (endpoint !== '') url.searchParams.set('endpoint', endpoint);
  if (region !== '') url.searchParams.set('region', region);
  if (forcePathStyle !== undefined) url.searchParams.set('pathStyle', String(forcePathStyle));
  return url.href;
}

/** @param folder of the manifest */
function securityOf(
  internal: BrokerManifest['spec']['internal'],
  folder: string,
): InternalSecurity | undefined {
  if (internal === undefined) return undefined;
  const { secretFile, certificate } = internal;
  const security = secretFile === undefined ? certificate : { secretFile };
  return security === undefined ? undefined : securityAt(security, folder);
}

function optionsOf(config: BrokerManifest['spec']['config']): BrokerOptions {
  const problems: string[] = [];
  let options: BrokerOptions = {};
  for (const [name, { text, where }] of config) {
    try {
      options = withStaticConfig(options, name, text, where);
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error;
      problems.push(error.message);
    }
  }
  if (problems.length > 0) throw new ManifestError(problems);
  return options;
}
