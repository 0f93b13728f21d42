import { parseArgs } from 'node:util';
import { ManifestError } from '../crds/manifest-error.ts';
import { ConfigError, parseConfigValue } from '../dataplane/runtime/config-entry.ts';
import { logLevels } from '../dataplane/runtime/logger.ts';
import { UsageError } from './command.ts';
import type { Command } from './command.ts';
import { internalSecurity } from './up/internal-security.ts';
import { settingsOfManifest } from './up/manifest-settings.ts';
import { placesOf, portsProblem, settingsOfAll } from './up/broker-place.ts';
import type { BrokerPlace } from './up/broker-place.ts';
import { runBroker } from './up/run-broker.ts';
import { runBrokers } from './up/run-brokers.ts';
import type { UpSettings } from './up/up-settings.ts';

const defaults = {
  url: 'file:./firn-data',
  host: '127.0.0.1',
  port: '9092',
  'admin-host': '127.0.0.1',
  'admin-port': '9644',
  'api-host': '127.0.0.1',
  'api-port': '8081',
  'internal-host': '127.0.0.1',
  'internal-port': '0',
  zone: 'local',
  'log-level': 'warn',
  'drain-timeout': '30s',
} as const;

export const upCommand: Command = {
  name: 'up',
  summary: 'start a broker, or several in zones, over a directory or a bucket',
  usage: `usage: firn up [URL] [options]
       firn up -f FILE [options]

Starts one Kafka-compatible broker that keeps everything in the object store at URL, and runs until it is interrupted
(Ctrl-C): then it hands over what it holds and ends. A second Ctrl-C ends it at once, which loses nothing that was
acknowledged. URL is s3://BUCKET[/PREFIX][?endpoint=…&region=…] or file:FOLDER (default: ${defaults.url}).

With --zones, or more than one replica in the manifest, it starts several brokers, each in a process of its own that is
started again when it ends by itself. The ports of each are one above those of the one before. They all end with it.

  -f, --file FILE      start what the Broker manifest in FILE says, instead of URL, --port, --zone and --zones
                       (docs/broker-manifest.md, examples/broker.yaml)
  --host ADDRESS       listen on this address (default: ${defaults.host})
  --port PORT          listen for Kafka clients on this port, 0 for any free one (default: ${defaults.port})
  --admin-host ADDRESS address of the admin port, which has no authentication (default: ${defaults['admin-host']})
  --admin-port PORT    /metrics, /healthz, /readyz, /status over HTTP; 0 for any free one (default: ${defaults['admin-port']})
  --api-host ADDRESS   address of the api port; any but loopback needs --api-auth-file (default: ${defaults['api-host']})
  --api-port PORT      /registry (Confluent's Schema Registry API) and /catalog (Iceberg REST) over HTTP; 0 for any free
                       one (default: ${defaults['api-port']})
  --api-auth-file FILE who may use the api port: what "firn api-auth" writes (docs/api-port.md). Without it anybody may
                       who reaches the port
  --api-anonymous      let anybody use the api port although --api-host is not loopback
  --internal-host ADDRESS
                       listen for other brokers of the same store on this address; any but loopback needs a secret or
                       certificates (default: ${defaults['internal-host']})
  --internal-advertised-host HOST
                       where other brokers reach this one (default: --internal-host)
  --internal-port PORT port of that listener (default: any free one)
  --internal-secret-file FILE
                       brokers prove to each other that they know the secret in FILE, at least 32 bytes, such as
                       "openssl rand -base64 32" makes (docs/internal-rpc.md)
  --internal-cert FILE, --internal-key FILE, --internal-ca FILE
                       or that they have certificates of the authority in --internal-ca, in PEM
  --zone NAME          the zone of this broker (default: ${defaults.zone})
  --zones ZONES        a broker in each of so many zones (--zones 3), or of these (--zones a,b,c)
  --drain-timeout T    how long handing over may take, such as 500ms, 30s, 2m (default: ${defaults['drain-timeout']})
  --log-level L        one of ${logLevels.join(', ')}, on standard error (default: ${defaults['log-level']})

Exit code: 0 drained after an interruption, 1 it could not start or go on, 2 wrong usage or a wrong manifest.`,

  async run(args, io) {
    const asked = parse(args);
    try {
      const settings = await settingsOf(asked, io.cwd);
      const problem = portsProblem(settings);
      if (problem !== undefined) {
        throw 'file' in asked.what
          ? new ManifestError([`${asked.what.file}: ${problem}`])
          : new UsageError(problem);
      }
      const [only, ...others] = settings;
      return only !== undefined && others.length === 0
        ? await runBroker(only, io)
        : await runBrokers(settings, io);
    } catch (error) {
      if (!(error instanceof ManifestError)) throw error;
      for (const problem of error.problems) io.err(`firn up: ${problem}\n`);
      return 2;
    }
  },
};

type Asked = Pick<UpSettings, 'admin' | 'api' | 'internal' | 'logLevel' | 'drainTimeoutMs'> & {
  readonly host: string;
  readonly what:
    | { readonly file: string }
    | { readonly url: string; readonly port: number; readonly places: readonly BrokerPlace[] };
};

async function settingsOf({ host, what, ...rest }: Asked, cwd: string): Promise<UpSettings[]> {
  if ('file' in what) {
    const { places, security, ...said } = await settingsOfManifest(what.file, { cwd, host });
    const { internal } = rest;
    if (security !== undefined && internal.security !== undefined)
      throw new ManifestError([
        `${what.file}: spec.internal says what the options --internal-… say too: leave one of them out`,
      ]);
    const listener = { ...internal, security: security ?? internal.security };
    return settingsOfAll({ ...rest, ...said, internal: listener }, places);
  }
  const { url, port, places } = what;
  return settingsOfAll({ ...rest, url, listeners: [{ name: 'PLAINTEXT', host, port }], options: {} }, places);
}

function parse(args: readonly string[]): Asked {
  const { values, positionals } = parseOptions(args);
  const [url, ...more] = positionals;
  if (more.length > 0) throw new UsageError(`give one URL, not ${positionals.length}`);
  const logLevel = logLevels.find((level) => level === values['log-level']);
  if (logLevel === undefined) {
    throw new UsageError(
      `--log-level is ${JSON.stringify(values['log-level'])} but must be one of ${logLevels.join(', ')}`,
    );
  }
  const { file, port, zone, zones, host } = values;
  if (zone !== undefined && zones !== undefined) throw new UsageError('give --zone or --zones, not both');
  const also = { URL: url, '--port': port, '--zone': zone, '--zones': zones };
  if (values['api-anonymous'] && values['api-auth-file'] !== undefined)
    throw new UsageError(
      '--api-auth-file says who may use the api port, --api-anonymous that anybody may: leave one out',
    );
  for (const [option, value] of Object.entries(also)) {
    if (file !== undefined && value !== undefined)
      throw new UsageError(`${option} is what the manifest says: leave it out, or leave out --file`);
  }
  return {
    host,
    admin: { host: values['admin-host'], port: portOf('--admin-port', values['admin-port']) },
    api: {
      host: values['api-host'],
      port: portOf('--api-port', values['api-port']),
      authFile: values['api-auth-file'],
      allowAnonymous: values['api-anonymous'],
    },
    internal: {
      host: values['internal-host'],
      port: portOf('--internal-port', values['internal-port']),
      advertisedHost: values['internal-advertised-host'],
      security: internalSecurity({
        secretFile: values['internal-secret-file'],
        certFile: values['internal-cert'],
        keyFile: values['internal-key'],
        caFile: values['internal-ca'],
      }),
    },
    logLevel,
    drainTimeoutMs: durationOf('--drain-timeout', values['drain-timeout']),
    what:
      file === undefined
        ? {
            url: url ?? defaults.url,
            port: portOf('--port', port ?? defaults.port),
            places: zones === undefined ? placesOf([zone ?? defaults.zone], 1) : placesIn(zonesOf(zones)),
          }
        : { file },
  };
}

function parseOptions(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        host: { type: 'string', default: defaults.host },
        file: { type: 'string', short: 'f' },
        port: { type: 'string' },
        'admin-host': { type: 'string', default: defaults['admin-host'] },
        'admin-port': { type: 'string', default: defaults['admin-port'] },
        'api-host': { type: 'string', default: defaults['api-host'] },
        'api-port': { type: 'string', default: defaults['api-port'] },
        'api-auth-file': { type: 'string' },
        'api-anonymous': { type: 'boolean', default: false },
        'internal-host': { type: 'string', default: defaults['internal-host'] },
        'internal-advertised-host': { type: 'string' },
        'internal-port': { type: 'string', default: defaults['internal-port'] },
        'internal-secret-file': { type: 'string' },
        'internal-cert': { type: 'string' },
        'internal-key': { type: 'string' },
        'internal-ca': { type: 'string' },
        zone: { type: 'string' },
        zones: { type: 'string' },
        'drain-timeout': { type: 'string', default: defaults['drain-timeout'] },
        'log-level': { type: 'string', default: defaults['log-level'] },
      },
    });
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error), { cause: error });
  }
}

const maxZones = 26;

/** `3` or `a,b,c`. */
function zonesOf(text: string): readonly string[] {
  if (/^\d+$/.test(text)) {
    const count = Number(text);
    if (count < 1 || count > maxZones)
      throw new UsageError(`--zones is ${text} but must be a number from 1 to ${maxZones}, or names`);
    return Array.from({ length: count }, (_, at) => `zone-${String.fromCodePoint(97 + at)}`);
  }
  const zones = text.split(',').map((zone) => zone.trim());
  const twice = zones.find((zone, at) => zones.indexOf(zone) < at);
  if (zones.includes('') || twice !== undefined)
    throw new UsageError(
      `--zones is ${JSON.stringify(text)} but must be a number, or different names with commas between them`,
    );
  return zones;
}

function placesIn(zones: readonly string[]): BrokerPlace[] {
  return placesOf(zones, zones.length);
}

function portOf(option: string, text: string): number {
  const port = Number(text);
  if (!/^\d+$/.test(text) || port > 65_535)
    throw new UsageError(`${option} is ${JSON.stringify(text)} but must be a whole number from 0 to 65535`);
  return port;
}

function durationOf(option: string, text: string): number {
  try {
    return Number(
      parseConfigValue({ type: 'duration', min: 0, max: 86_400_000, description: '' }, text, option),
    );
  } catch (error) {
    if (error instanceof ConfigError) throw new UsageError(error.message, { cause: error });
    throw error;
  }
}
