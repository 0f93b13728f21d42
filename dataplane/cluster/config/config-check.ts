import { ConfigError } from '../../runtime/config-entry.ts';
import { ChangeRefused } from '../change-refused.ts';
import type { Configs } from '../cluster-state.ts';
import { clusterConfigEntry, inMilliseconds } from './cluster-configs.ts';
import { parseKafkaConfig } from './kafka-config.ts';
import type { KafkaConfigEntry } from './kafka-config.ts';
import { topicConfigEntry, topicConfigNames } from './topic-configs.ts';

/** What configs belong to, with what its configs are called. */
export type ConfigScope = 'topic' | 'cluster';

/** Topics as tables come later: until then a topic that is to be one is refused. */
export const tableConfigs = {
  pattern: /^(automq\.)?table\./,
  what: '`table.*` and `automq.table.*` of topics, other than `table.placement.*`',
  why: 'topics as Iceberg tables are not built yet',
};

export function configEntry(scope: ConfigScope, name: string): KafkaConfigEntry | undefined {
  return scope === 'topic' ? topicConfigEntry(name) : clusterConfigEntry(name);
}

/** The configs as they are stored, or why one of them cannot be: INVALID_CONFIG. */
export function checkedConfigs(scope: ConfigScope, given: Configs): Configs | ChangeRefused {
  const checked: [string, string][] = [];
  for (const [name, text] of Object.entries(given)) {
    const entry = configEntry(scope, name);
    if (entry === undefined) return new ChangeRefused('INVALID_CONFIG', unknownSentence(scope, name));
    try {
      checked.push([name, parseKafkaConfig(name, entry, text).text]);
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error;
      return new ChangeRefused('INVALID_CONFIG', error.message);
    }
  }
  return Object.fromEntries(checked);
}

function unknownSentence(scope: ConfigScope, name: string): string {
  if (scope === 'cluster') {
    const inMs = inMilliseconds(name);
    if (inMs !== undefined) return `${name} cannot be set: set ${inMs} instead, in milliseconds`;
    if (topicConfigEntry(name) !== undefined) {
      const { clusterDefault } = topicConfigEntry(name) ?? {};
      return `${name} is a config of topics: set it for a topic${clusterDefault === undefined ? '' : `, or ${clusterDefault} for all that do not`}`;
    }
    return `${JSON.stringify(name)} is no setting of the cluster that Firn knows`;
  }
  const topicName = topicConfigNames.find((known) => topicConfigEntry(known)?.clusterDefault === name);
  if (topicName !== undefined)
    return `${name} is a setting of the cluster: the config of topics is ${topicName}`;
  if (tableConfigs.pattern.test(name)) return `${name} cannot be set: ${tableConfigs.why}`;
  return `${JSON.stringify(name)} is no topic config that Firn knows; it knows all of Kafka 4.3`;
}
