import type { Metrics } from './metrics.ts';
import type { Runtime } from './runtime.ts';

/** From least to most severe: `debug` for developers, `info` for what an operator should know, `warn` for what may need them, `error` for what does. */
export const logLevels = ['debug', 'info', 'warn', 'error'] as const;

export type LogLevel = (typeof logLevels)[number];

/** Facts beside the message: JSON values, bigints (written as decimal text) and errors (with their causes). */
export type LogFields = Readonly<Record<string, unknown>>;

/**
 * Writes one JSON object a line: `{"time":…,"level":…,"message":…,…fields}`. Messages are constant text and facts go into
 * fields, so that lines can be counted and searched.
 */
export interface Logger {
  debug(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
  /** A logger that adds these fields to each of its lines. A line's own fields win over them. */
  child(fields: LogFields): Logger;
  /** Whether lines of this level are written: for fields that are dear to compute. */
  isEnabled(level: LogLevel): boolean;
}

export interface LoggerOptions {
  readonly runtime: Pick<Runtime, 'wallMs'>;
  /** The least severe level that is written. */
  readonly level: LogLevel;
  /** Takes one line with its line break. Must not throw. */
  readonly write: (line: string) => void;
  readonly fields?: LogFields | undefined;
  /** Counts the lines written. */
  readonly metrics?: Metrics | undefined;
}

export function createLogger(options: LoggerOptions): Logger {
  const { runtime, level, write, fields = {} } = options;
  const lines = options.metrics?.counter('firn_log_lines_total');
  const isEnabled = (candidate: LogLevel): boolean =>
    logLevels.indexOf(candidate) >= logLevels.indexOf(level);
  const log = (lineLevel: LogLevel, message: string, lineFields: LogFields | undefined): void => {
    if (!isEnabled(lineLevel)) return;
    lines?.inc({ level: lineLevel });
    const time = new Date(runtime.wallMs()).toISOString();
    write(`${toJson({ ...fields, ...lineFields }, { time, level: lineLevel, message })}\n`);
  };
  return {
    debug: (message, lineFields) => log('debug', message, lineFields),
    info: (message, lineFields) => log('info', message, lineFields),
    warn: (message, lineFields) => log('warn', message, lineFields),
    error: (message, lineFields) => log('error', message, lineFields),
    child: (more) => createLogger({ ...options, fields: { ...fields, ...more } }),
    isEnabled,
  };
}

/** Writes nothing. */
export const silentLogger: Logger = createLogger({
  runtime: { wallMs: () => 0 },
  level: 'error',
  write: () => {},
});

/** A line must come out whatever the fields hold: a log call never throws. `head` wins over fields of the same name. */
function toJson(fields: LogFields, head: LogFields): string {
  const line = { ...head, ...fields, ...head };
  try {
    return JSON.stringify(line, replaceValue);
  } catch (error) {
    return JSON.stringify({ ...head, unloggableFields: Object.keys(fields), reason: String(error) });
  }
}

function replaceValue(_key: string, value: unknown): unknown {
  if (typeof value === 'bigint') return value.toString();
  if (value instanceof Uint8Array) return `${value.length} bytes`;
  if (!(value instanceof Error)) return value;
  const { name, message, stack, cause } = value;
  const code: unknown = 'code' in value ? value.code : undefined;
  return { name, message, code, stack, cause };
}
