/** One record batch, as the index of a slot or segment describes it. */
export interface BatchEntry {
  sizeBytes: number;
  baseOffset: number;
  lastOffset: number;
  /** -1 when the batch is not idempotent; then the epoch and both sequences are -1 too. */
  producerId: number;
  producerEpoch: number;
  /** -1: none (also control batches of a producer). */
  baseSequence: number;
  lastSequence: number;
  maxTimestampMs: number;
  attributes: number;
  /** The batch's own, from its header. */
  crc: number;
}

/**
 * `records`: consecutive batches of one partition, in the object's body. Reserved for zone ingress: `staged`, batches
 * that have no offsets yet, and `ref`, a block whose bytes lie in another session's slot.
 */
export type BlockKind = 'records' | 'staged' | 'ref';

export interface BlockEntry {
  kind: BlockKind;
  topicId: string;
  partition: number;
  /** Of every batch in a slot; of the last batch in a segment. */
  leaderEpoch: number;
  baseOffset: number;
  lastOffset: number;
  /** Of the block's first byte, in this object (`ref`: in the object it refers to). */
  position: number;
  sizeBytes: number;
  /** Of all batches. In a compacted segment less than the offsets span. */
  recordCount: number;
  maxTimestampMs: number;
  /** {@link blockFlags}: what any of the batches is. */
  flags: number;
  /** Of the block's bytes. */
  crc32c: number;
  batches: readonly BatchEntry[];
  /** Where the bytes of a `ref` block are. */
  source?: { readonly sid: string; readonly slot: number };
}

export const blockFlags = { transactional: 1, control: 2 } as const;
