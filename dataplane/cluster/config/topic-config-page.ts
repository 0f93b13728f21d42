import { describeValid, formatDefault } from '../../runtime/config-entry.ts';
import { clusterConfigTable } from './cluster-configs.ts';
import type { KafkaConfigEntry } from './kafka-config.ts';
import { singleBrokerConfigTable } from './single-broker-configs.ts';
import { configSynonym } from './table-configs.ts';
import { topicConfigNames, topicConfigTable } from './topic-configs.ts';
import type { TopicConfigEntry } from './topic-configs.ts';

/** `docs/topic-configs.md`, before formatting. */
export function topicConfigPage(): string {
  const topics = topicConfigNames.map((name) => section(name, topicConfigTable[name]));
  const cluster = Object.entries<KafkaConfigEntry>(clusterConfigTable).map(([name, entry]) =>
    section(name, entry),
  );
  const brokers = Object.entries<KafkaConfigEntry>(singleBrokerConfigTable).map(([name, entry]) =>
    section(name, entry),
  );
  return `# Configs of topics and of the cluster

Made from the tables in \`dataplane/cluster/config/\` by \`make docs\`: change it there.

Firn knows every topic config of Kafka 4.3. What changes nothing is accepted and shown where its promise holds whatever
the value is; the description says why. What promises something that is not built is refused with a sentence. Names that
nobody knows and values out of range are refused too, always with INVALID_CONFIG.

## Topics

Set when a topic is created or by \`kafka-configs.sh --entity-type topics\`. A topic without a value of its own has the
cluster's, else the default.

${topics.join('\n')}
## Cluster

Set by \`kafka-configs.sh --entity-type brokers --entity-default\`, for all brokers at once. They hold at once. The
cluster-wide defaults that are named above are set in the same way.

${cluster.join('\n')}
## One broker

Set by \`kafka-configs.sh --entity-type brokers --entity-name ID\`. There is no other setting of a single broker that can be
changed while it runs.

${brokers.join('\n')}`;
}

function section(name: string, entry: TopicConfigEntry): string {
  const standard = formatDefault(entry) ?? '';
  const synonym = configSynonym(name);
  const lines = [
    ...(synonym === undefined ? [] : [`- Other name: \`${synonym}\``]),
    `- Value: ${describeValid(entry)}`,
    `- Default: ${standard === '' ? 'empty' : `\`${standard}\``}`,
    ...(entry.clusterDefault === undefined ? [] : [`- Cluster-wide default: \`${entry.clusterDefault}\``]),
    ...(entry.onlyBuilt === undefined
      ? []
      : [`- Refused other than ${entry.onlyBuilt.values.map(quoted).join(', ')}: ${entry.onlyBuilt.why}`]),
    ...(entry.effect === 'none' ? ['- Changes nothing'] : []),
  ];
  return `### \`${name}\`\n\n${entry.description}\n\n${lines.join('\n')}\n`;
}

function quoted(value: string): string {
  return value === '' ? 'empty' : `\`${value}\``;
}
