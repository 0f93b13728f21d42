import type { Configs } from '../../cluster/cluster-state.ts';
import { topicConfigOf } from '../../cluster/config/topic-configs.ts';
import { defaultTableSettings } from '../../table/table-settings.ts';
import type { TableSettings } from '../../table/table-settings.ts';

/**
 * What a topic's configs say of its table.
 *
 * @param own `TopicEntry.configs`
 * @param cluster `ClusterState.configs`
 * @throws ConfigError for a value that only a newer release understands
 */
export function tableSettingsOf(topic: string, own: Configs, cluster: Configs): TableSettings {
  const config = topicConfigOf(own, cluster);
  return {
    ...defaultTableSettings(topic, config['table.topic.enable']),
    namespace: config['table.topic.namespace'].split('.'),
    commitIntervalMs: config['table.topic.commit.interval.ms'],
  };
}
