import type { Configs } from '../cluster/cluster-state.ts';
import { topicConfigOf } from '../cluster/config/topic-configs.ts';

/** What produce and fetch need to know of a topic's configs. */
export interface TopicSettings {
  readonly maxMessageBytes: number;
  readonly logAppendTime: boolean;
  /** Kafka refuses records without keys in topics that are compacted. */
  readonly needsKeys: boolean;
  /** How far before and after the broker's clock a record's timestamp may lie. */
  readonly timestampBeforeMaxMs: number;
  readonly timestampAfterMaxMs: number;
  readonly isTable: boolean;
}

const known = new WeakMap<object, TopicSettings>();

/** Computed once for each version of the configs of a topic and of the cluster, whose defaults hold. */
export function topicSettings(own: Configs, cluster: Configs): TopicSettings {
  const config = topicConfigOf(own, cluster);
  let settings = known.get(config);
  if (settings === undefined) {
    settings = {
      maxMessageBytes: config['max.message.bytes'],
      needsKeys: config['cleanup.policy'].includes('compact'),
      logAppendTime: config['message.timestamp.type'] === 'LogAppendTime',
      timestampBeforeMaxMs: config['message.timestamp.before.max.ms'],
      timestampAfterMaxMs: config['message.timestamp.after.max.ms'],
      isTable: config['table.topic.enable'],
    };
    known.set(config, settings);
  }
  return settings;
}
