import type { Configs } from '../cluster/cluster-state.ts';

/** What the produce path needs to know of a topic's configs. */
export interface TopicSettings {
  readonly maxMessageBytes: number;
  readonly logAppendTime: boolean;
  /** How far before and after the broker's clock a record's timestamp may lie. */
  readonly timestampBeforeMaxMs: number;
  readonly timestampAfterMaxMs: number;
}
