import type { BatchHeader } from '../protocol/record-batch.ts';

export interface AppendOptions {
  /** Kafka's `message.timestamp.type=LogAppendTime`: batches get the broker's time. */
  readonly logAppendTime?: boolean | undefined;
  /** Kafka's `max.message.bytes` of the topic. */
  readonly maxMessageBytes?: number | undefined;
  /** What `parseBatches` has said of the bytes, CRCs verified: a caller that has looked need not be the second one to. */
  readonly headers?: readonly BatchHeader[] | undefined;
}

export interface AppendResult {
  readonly baseOffset: number;
  readonly lastOffset: number;
  /** -1 unless the topic uses LogAppendTime. Of a duplicate it is the time of the first append. */
  readonly logAppendTimeMs: number;
  readonly logStartOffset: number;
  /** The batch had been appended before; the offsets are those of the first time. */
  readonly duplicate: boolean;
}

/** One append, from its call until its records are durable. */
export interface Append {
  readonly topicId: string;
  readonly partition: number;
  /** Whole batches. They belong to the log: it patches them in place and keeps them. */
  readonly bytes: Uint8Array;
  readonly logAppendTime: boolean;
  readonly resolve: (result: AppendResult) => void;
  readonly reject: (error: unknown) => void;
  /** Given at admission; -1 before. */
  baseOffset: number;
  lastOffset: number;
  /** Given when its block gets a slot; -1 before, and for good unless the topic uses LogAppendTime. */
  logAppendTimeMs: number;
}
