/**
 * What a setting can be. Values come as text (environment, flags) and are checked here, at the edge; behind it their
 * types are trusted.
 */
export type ConfigEntry = ConfigEntryKind & {
  /** What it does, when to change it. Sentences; the docs are made of them. */
  readonly description: string;
};

type ConfigEntryKind =
  | { readonly type: 'string'; readonly default?: string; readonly pattern?: ConfigPattern }
  | { readonly type: 'int'; readonly default?: number; readonly min: number; readonly max: number }
  /**
   * A whole number of 64 bits, as text exact. Its value is a number: from 2^53 on the nearest one, which is what limits
   * that mean "never" need.
   */
  | { readonly type: 'long'; readonly default?: bigint; readonly min: bigint; readonly max: bigint }
  | { readonly type: 'double'; readonly default?: number; readonly min: number; readonly max: number }
  | { readonly type: 'bool'; readonly default?: boolean }
  /** Milliseconds. As text: a number of milliseconds, or with a unit: `250ms`, `30s`, `5m`, `1h`, `7d`. */
  | { readonly type: 'duration'; readonly default?: number; readonly min: number; readonly max: number }
  /** As text: a number of bytes, or with a unit: `64KiB`, `8MiB`, `1GiB`. */
  | { readonly type: 'bytes'; readonly default?: number; readonly min: number; readonly max: number }
  /** As text: separated by commas; spaces around items do not count. */
  | { readonly type: 'list'; readonly default?: readonly string[]; readonly pattern?: ConfigPattern }
  | { readonly type: 'enum'; readonly default?: string; readonly values: readonly string[] };

/** What a text, or each item of a list, must look like. */
export interface ConfigPattern {
  readonly regexp: RegExp;
  /** In words, after "must be": `an http or https URL`. */
  readonly meaning: string;
}

/** The type of a setting's value: `undefined` where the entry has no default. */
export type ConfigValue<Entry> = Entry extends { readonly default: unknown }
  ? ConfigValueOfKind<Entry>
  : ConfigValueOfKind<Entry> | undefined;

type ConfigValueOfKind<Entry> = Entry extends {
  readonly type: 'int' | 'long' | 'double' | 'duration' | 'bytes';
}
  ? number
  : Entry extends { readonly type: 'bool' }
    ? boolean
    : Entry extends { readonly type: 'list' }
      ? readonly string[]
      : Entry extends { readonly type: 'enum'; readonly values: readonly (infer Value)[] }
        ? Value
        : string;

export type AnyConfigValue = string | number | boolean | readonly string[];

/** A setting has a value that it cannot have, or none where one is needed. The message says which, from where, and what is right. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
}

const durationUnits = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;
const byteUnits = { B: 1, KiB: 2 ** 10, MiB: 2 ** 20, GiB: 2 ** 30, TiB: 2 ** 40 } as const;

/** @param where the name under which the text was given, for the message: `FIRN_LOG_LEVEL`, `--log.level` */
export function parseConfigValue(entry: ConfigEntry, text: string, where: string): AnyConfigValue {
  const refuse = (): never => {
    throw new ConfigError(`${where} is ${JSON.stringify(text)} but must be ${describeValid(entry)}`);
  };
  switch (entry.type) {
    case 'string':
      return entry.pattern === undefined || entry.pattern.regexp.test(text) ? text : refuse();
    case 'int':
      return inRange(entry, /^-?\d+$/.test(text) ? Number(text) : undefined) ?? refuse();
    case 'long': {
      const value = /^-?\d{1,19}$/.test(text) ? BigInt(text) : undefined;
      return value !== undefined && value >= entry.min && value <= entry.max ? Number(value) : refuse();
    }
    case 'double':
      return (
        inRange(entry, /^-?\d+(\.\d+)?([eE][+-]?\d+)?$/.test(text) ? Number(text) : undefined) ?? refuse()
      );
    case 'bool':
      return text === 'true' ? true : text === 'false' ? false : refuse();
    case 'duration':
      return inRange(entry, scaled(text, durationUnits)) ?? refuse();
    case 'bytes':
      return inRange(entry, scaled(text, byteUnits)) ?? refuse();
    case 'list': {
      const items = text.split(',').map((item) => item.trim());
      const present = items.filter((item) => item !== '');
      const { pattern } = entry;
      return pattern === undefined || present.every((item) => pattern.regexp.test(item)) ? present : refuse();
    }
    case 'enum':
      return entry.values.includes(text) ? text : refuse();
  }
}

/** What a value must be, in words, after "must be". */
export function describeValid(entry: ConfigEntry): string {
  switch (entry.type) {
    case 'string':
      return entry.pattern?.meaning ?? 'text';
    case 'int':
    case 'long':
      return `a whole number from ${entry.min} to ${entry.max}`;
    case 'double':
      return `a number from ${entry.min} to ${entry.max}`;
    case 'bool':
      return 'true or false';
    case 'duration':
      return `a duration from ${formatDuration(entry.min)} to ${formatDuration(entry.max)}, such as 250ms, 30s, 5m, 1h, 7d`;
    case 'bytes':
      return `a size from ${formatBytes(entry.min)} to ${formatBytes(entry.max)}, such as 64KiB, 8MiB, 1GiB`;
    case 'list':
      return `a list separated by commas, each item ${entry.pattern?.meaning ?? 'text'}`;
    case 'enum':
      return `one of ${entry.values.join(', ')}`;
  }
}

/** The value of a setting that is not set. */
export function defaultConfigValue(entry: ConfigEntry): AnyConfigValue | undefined {
  return entry.type === 'long' ? longAsNumber(entry.default) : entry.default;
}

function longAsNumber(value: bigint | undefined): number | undefined {
  return value === undefined ? undefined : Number(value);
}

/** The default as one would write it; `undefined` when there is none. */
export function formatDefault(entry: ConfigEntry): string | undefined {
  if (entry.default === undefined) return undefined;
  switch (entry.type) {
    case 'duration':
      return formatDuration(entry.default);
    case 'bytes':
      return formatBytes(entry.default);
    case 'list':
      return entry.default.join(',');
    case 'string':
    case 'int':
    case 'long':
    case 'double':
    case 'bool':
    case 'enum':
      return String(entry.default);
  }
}

function formatDuration(ms: number): string {
  return withLargestUnit(ms, durationUnits);
}

function formatBytes(bytes: number): string {
  return withLargestUnit(bytes, byteUnits);
}

function withLargestUnit(value: number, units: Readonly<Record<string, number>>): string {
  const fitting = Object.entries(units).filter(([, size]) => value % size === 0 && value >= size);
  const [unit, size] = fitting.at(-1) ?? Object.entries(units)[0] ?? ['', 1];
  return `${value / size}${unit}`;
}

function scaled(text: string, units: Readonly<Record<string, number>>): number | undefined {
  const match = /^(\d+)([A-Za-z]*)$/.exec(text);
  if (match === null) return undefined;
  const size = match[2] === '' ? 1 : units[match[2] ?? ''];
  return size === undefined ? undefined : Number(match[1]) * size;
}

function inRange(
  bounds: { readonly min: number; readonly max: number },
  value: number | undefined,
): number | undefined {
  return value !== undefined && value >= bounds.min && value <= bounds.max ? value : undefined;
}
