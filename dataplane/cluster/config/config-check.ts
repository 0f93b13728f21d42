import { ConfigError } from '../../runtime/config-entry.ts';
import { ChangeRefused } from '../change-refused.ts';
import type { Configs } from '../cluster-state.ts';
import { clusterConfigEntry, inMilliseconds } from './cluster-configs.ts';
import { parseKafkaConfig } from './kafka-config.ts';
import type { KafkaConfigEntry } from './kafka-config.ts';
import { singleBrokerConfigEntry } from './single-broker-configs.ts';
import { canonicalConfigName, configSynonym } from './table-configs.ts';
import { topicConfigEntry, topicConfigNames } from './topic-configs.ts';

/** What configs belong to, with what its configs are called. */
export type ConfigScope = 'topic' | 'cluster' | 'broker';

/** What a topic may be told of its table is more than what is built: the rest is refused as such, not as a slip of the pen. */
export const tableConfigs = {
  pattern: /^(automq\.)?table\./,
  what: '`table.*` and `automq.table.*` of topics, other than those of docs/topic-configs.md',
  why: 'of the settings of tables only those of docs/topic-configs.md are built',
};

export function configEntry(scope: ConfigScope, name: string): KafkaConfigEntry | undefined {
  switch (scope) {
    case 'topic':
      return topicConfigEntry(canonicalConfigName(name));
    case 'cluster':
      return clusterConfigEntry(name);
    case 'broker':
      return singleBrokerConfigEntry(name);
  }
}

/** The configs as they are stored, under the names by which they are stored, or why one of them cannot be: INVALID_CONFIG. */
export function checkedConfigs(scope: ConfigScope, given: Configs): Configs | ChangeRefused {
  const checked = new Map<string, string>();
  for (const [name, text] of Object.entries(given)) {
    const entry = configEntry(scope, name);
    if (entry === undefined) return new ChangeRefused('INVALID_CONFIG', unknownSentence(scope, name));
    try {
      const { text: stored } = parseKafkaConfig(name, entry, text);
      const canonical = scope === 'topic' ? canonicalConfigName(name) : name;
      const other = checked.get(canonical);
      if (other !== undefined && other !== stored) {
        return new ChangeRefused(
          'INVALID_CONFIG',
          `${canonical} is ${JSON.stringify(other)} and, under its other name ${configSynonym(canonical) ?? name}, ${JSON.stringify(stored)}: give it one value`,
        );
      }
      checked.set(canonical, stored);
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error;
      return new ChangeRefused('INVALID_CONFIG', error.message);
    }
  }
  return Object.fromEntries(checked);
}

function unknownSentence(scope: ConfigScope, name: string): string {
  if (scope === 'broker') return `${JSON.stringify(name)} is no setting of a single broker that Firn knows`;
  if (scope === 'cluster') {
    const inMs = inMilliseconds(name);
    if (inMs !== undefined) return `${name} cannot be set: set ${inMs} instead, in milliseconds`;
    if (topicConfigEntry(name) !== undefined) {
      const { clusterDefault } = topicConfigEntry(name) ?? {};
      return `${name} is a config of topics: set it for a topic${clusterDefault === undefined ? '' : `, or ${clusterDefault} for all that do not`}`;
    }
    if (singleBrokerConfigEntry(name) !== undefined)
      return `${JSON.stringify(name)} is a setting of single brokers: name the broker`;
    return `${JSON.stringify(name)} is no setting of the cluster that Firn knows`;
  }
  const topicName = topicConfigNames.find((known) => topicConfigEntry(known)?.clusterDefault === name);
  if (topicName !== undefined)
    return `${name} is a setting of the cluster: the config of topics is ${topicName}`;
  if (tableConfigs.pattern.test(name)) return `${name} cannot be set: ${tableConfigs.why}`;
  return `${JSON.stringify(name)} is no topic config that Firn knows; it knows all of Kafka 4.3`;
}
