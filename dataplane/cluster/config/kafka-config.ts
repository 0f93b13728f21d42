import { ConfigError, parseConfigValue } from '../../runtime/config-entry.ts';
import type { AnyConfigValue, ConfigEntry } from '../../runtime/config-entry.ts';

/**
 * A config that clients see and set by Kafka's own means. Kafka decides name, type, range and default, and what is
 * written: plain numbers, no units.
 */
export type KafkaConfigEntry = ConfigEntry & {
  /**
   * `applied`: the value changes what brokers do. `none`: it changes nothing, because what it promises holds whatever it
   * is; the description says why.
   */
  readonly effect: 'applied' | 'none';
  /** Kafka accepts more values than these: the others promise something that is not built, so they are refused. */
  readonly onlyBuilt?: OnlyBuilt;
  /** What is wrong with a text that its type lets pass, as a sentence; `undefined`: nothing. */
  readonly problemOf?: (text: string) => string | undefined;
};

export interface OnlyBuilt {
  /** As {@link kafkaConfigText} writes them. */
  readonly values: readonly string[];
  /** Why the other values are refused, and what to do. A sentence. */
  readonly why: string;
}

export type ConfigTable = Readonly<Record<string, KafkaConfigEntry>>;

export interface KafkaConfigValue {
  /** As it is stored and shown. */
  readonly text: string;
  readonly value: AnyConfigValue;
}

/**
 * What a client's text for a config stands for.
 *
 * @throws ConfigError naming the config, the text, and what it must be
 */
export function parseKafkaConfig(name: string, entry: KafkaConfigEntry, given: string): KafkaConfigValue {
  const text = kafkaConfigText(entry, given);
  const value = parseConfigValue(entry, text, name);
  if (entry.onlyBuilt !== undefined && !entry.onlyBuilt.values.includes(text)) {
    throw new ConfigError(`${name} is ${JSON.stringify(given)}: ${entry.onlyBuilt.why}`);
  }
  const problem = entry.problemOf?.(text);
  if (problem !== undefined) throw new ConfigError(`${name} is ${JSON.stringify(given)}: ${problem}`);
  return { text, value };
}

/** The one way to write a value: Kafka's parsers take more than one. What is no value stays as it is. */
export function kafkaConfigText(entry: ConfigEntry, given: string): string {
  const text = given.trim();
  switch (entry.type) {
    case 'bool':
      return text.toLowerCase();
    case 'int':
    case 'long':
      return /^[+-]?\d{1,40}$/.test(text) ? BigInt(text.replace(/^\+/, '')).toString() : text;
    case 'list': {
      const items = text
        .split(',')
        .map((item) => item.trim())
        .filter((item) => item !== '');
      return [...new Set(items)].toSorted().join(',');
    }
    case 'double':
    case 'string':
    case 'enum':
    case 'duration':
    case 'bytes':
      return text;
  }
}
