import { parseArgs } from 'node:util';
import type { ParseArgsConfig } from 'node:util';
import { ConfigError, parseConfigValue } from '../dataplane/runtime/config-entry.ts';
import { UsageError } from './command.ts';

type Options = NonNullable<ParseArgsConfig['options']>;

/** Node's `parseArgs` with positionals; what it refuses is a UsageError. */
export function parseOptions<const O extends Options>(args: readonly string[], options: O) {
  try {
    return parseArgs({ args: [...args], allowPositionals: true, options });
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : 'the options are not understood', {
      cause: error,
    });
  }
}

/** A whole number in an option. @throws UsageError */
export function wholeNumber(option: string, text: string, min: number, max: number): number {
  const value = Number(text);
  if (/^\d+$/.test(text) && value >= min && value <= max) return value;
  throw new UsageError(
    `${option} is ${JSON.stringify(text)} but must be a whole number from ${min} to ${max}`,
  );
}

/** Milliseconds in an option such as `500ms`, `30s`, `2m`. @throws UsageError */
export function duration(option: string, text: string): number {
  try {
    const entry = { type: 'duration', min: 0, max: 86_400_000, description: '' } as const;
    return Number(parseConfigValue(entry, text, option));
  } catch (error) {
    if (error instanceof ConfigError) throw new UsageError(error.message, { cause: error });
    throw error;
  }
}
