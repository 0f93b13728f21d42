import type { Configs } from '../cluster/cluster-state.ts';

/** What the produce path needs to know of a topic's configs. */
export interface TopicSettings {
  readonly maxMessageBytes: number;
  readonly logAppendTime: boolean;
  /** Kafka refuses records without keys in topics that are compacted. */
  readonly needsKeys: boolean;
  /** How far before and after the broker's clock a record's timestamp may lie. */
  readonly timestampBeforeMaxMs: number;
  readonly timestampAfterMaxMs: number;
}

const known = new WeakMap<Configs, TopicSettings>();

/** Computed once for each version of a topic's configs. */
export function topicSettings(configs: Configs): TopicSettings {
  let settings = known.get(configs);
  if (settings === undefined) {
    settings = {
      maxMessageBytes: Number(configs['max.message.bytes'] ?? 1_048_588),
      needsKeys: (configs['cleanup.policy'] ?? '').split(',').includes('compact'),
      logAppendTime: configs['message.timestamp.type'] === 'LogAppendTime',
      timestampBeforeMaxMs: Number(configs['message.timestamp.before.max.ms'] ?? Infinity),
      timestampAfterMaxMs: Number(configs['message.timestamp.after.max.ms'] ?? 3_600_000),
    };
    known.set(configs, settings);
  }
  return settings;
}
