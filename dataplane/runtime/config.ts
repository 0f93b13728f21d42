import { ConfigError, defaultConfigValue, describeValid, parseConfigValue } from './config-entry.ts';
import type { ConfigEntry, ConfigValue } from './config-entry.ts';

/**
 * Every setting of a Firn process. `docs/configuration.md` is made from it (`make docs`). A setting is named in Kafka's
 * manner, lower case with dots; durations end in `.ms` and sizes in `.bytes`. It is set by the environment variable
 * `FIRN_` + name in capitals with `_` for `.`, or by the flag `--name`; the flag wins.
 */
export const configTable = {
  'store.url': {
    type: 'string',
    pattern: { regexp: /^(s3|file|memory):/, meaning: 's3://BUCKET/PREFIX, file:DIRECTORY or memory:' },
    description:
      'The object store that holds everything: `s3://BUCKET/PREFIX`, `file:DIRECTORY`, or `memory:` (lost when the process ends).',
  },
  'store.s3.endpoint': {
    type: 'string',
    pattern: { regexp: /^https?:\/\/[^/]+\/?$/, meaning: 'an http or https URL without a path' },
    description: 'The URL of an S3-compatible store. Without it: AWS S3 of the region.',
  },
  'store.s3.region': {
    type: 'string',
    pattern: { regexp: /^[a-z0-9-]+$/, meaning: 'a region name such as eu-central-1' },
    description:
      'The region requests are signed for. Without it: `AWS_REGION`, then the profile, then `us-east-1`.',
  },
  'store.s3.addressing': {
    type: 'enum',
    values: ['auto', 'path', 'virtual'],
    default: 'auto',
    description:
      'Where the bucket stands in a request: in the path or in the host name. `auto`: in the path when `store.s3.endpoint` is set, else in the host name.',
  },
  'store.s3.ca.file': {
    type: 'string',
    description: 'A file of PEM certificates to trust for the endpoint, in addition to the built-in ones.',
  },
  'store.s3.connect.timeout.ms': {
    type: 'duration',
    default: 5_000,
    min: 100,
    max: 60_000,
    description: 'How long a new connection may take, TLS included.',
  },
  'store.s3.request.timeout.ms': {
    type: 'duration',
    default: 30_000,
    min: 1_000,
    max: 600_000,
    description: 'How long a request may wait without a byte sent or received before it counts as lost.',
  },
  'store.s3.max.attempts': {
    type: 'int',
    default: 5,
    min: 1,
    max: 20,
    description:
      'How often a request that is safe to repeat is tried in all. Conditional writes are never repeated by the store client.',
  },
  'store.s3.max.connections': {
    type: 'int',
    default: 64,
    min: 1,
    max: 4_096,
    description: 'How many connections are open at most; further requests wait.',
  },
  'log.level': {
    type: 'enum',
    values: ['debug', 'info', 'warn', 'error'],
    default: 'info',
    description: 'The least severe messages that are logged.',
  },
} as const satisfies Readonly<Record<string, ConfigEntry>>;

export type ConfigName = keyof typeof configTable;

/** All settings with their values. */
export type Config = { readonly [Name in ConfigName]: ConfigValue<(typeof configTable)[Name]> };

export interface ConfigSources {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** As `takeConfigFlags` returns them. */
  readonly flags?: ReadonlyMap<ConfigName, string> | undefined;
}

/** The value of every setting: from its flag, else its environment variable (an empty one counts as not set), else its default. */
export function resolveConfig({ env, flags }: ConfigSources): Config {
  const values = configNames().map((name) => {
    const entry: ConfigEntry = configTable[name];
    const flag = flags?.get(name);
    if (flag !== undefined) return [name, parseConfigValue(entry, flag, `--${name}`)];
    const variable = environmentVariable(name);
    const text = env[variable];
    if (text !== undefined && text !== '') return [name, parseConfigValue(entry, text, variable)];
    return [name, defaultConfigValue(entry)];
  });
  return Object.fromEntries(values) as Config;
}

/** The value of a setting that has no default, for code that cannot go on without it. */
export function requireConfig<Name extends ConfigName>(
  config: Config,
  name: Name,
): NonNullable<Config[Name]> {
  const value = config[name];
  if (value === undefined || value === null) {
    const valid = describeValid(configTable[name]);
    throw new ConfigError(`${name} is not set: set ${environmentVariable(name)} or pass --${name}, ${valid}`);
  }
  return value;
}

/** Splits a command line into settings (`--store.url URL` or `--store.url=URL`) and the words that are none of them. */
export function takeConfigFlags(args: readonly string[]): { flags: Map<ConfigName, string>; rest: string[] } {
  const flags = new Map<ConfigName, string>();
  const rest: string[] = [];
  for (let at = 0; at < args.length; at++) {
    const word = args[at] ?? '';
    if (word === '--') {
      rest.push(...args.slice(at));
      break;
    }
    const [, name = '', value] = /^--([^=]+)(?:=(.*))?$/s.exec(word) ?? [];
    if (!isConfigName(name)) {
      rest.push(word);
      continue;
    }
    const text = value ?? args[++at];
    if (text === undefined)
      throw new ConfigError(`--${name} needs a value, ${describeValid(configTable[name])}`);
    flags.set(name, text);
  }
  return { flags, rest };
}

export function configNames(): ConfigName[] {
  return Object.keys(configTable) as ConfigName[];
}

/** `store.s3.endpoint` → `FIRN_STORE_S3_ENDPOINT`. */
export function environmentVariable(name: ConfigName): string {
  return `FIRN_${name.toUpperCase().replaceAll('.', '_')}`;
}

function isConfigName(name: string): name is ConfigName {
  return Object.hasOwn(configTable, name);
}
