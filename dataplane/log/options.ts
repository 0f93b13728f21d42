/** Tunables of the log. Defaults suit S3; every bound that protects memory is here. */
export interface LogOptions {
  /** The longest a record waits for company before its slot is written. The linger adapts below it to the store's speed. */
  readonly maxLingerMs: number;
  /** The shortest linger. */
  readonly minLingerMs: number;
  /**
   * While fewer slots than this are under way, records do not linger (unless `minLingerMs` makes them). For stores that are
   * not billed by the request: company comes while the slots before are written. 0: records always linger.
   */
  readonly eagerSlots: number;
  /** A slot is closed at this size, give or take an eighth. One larger append still makes one (larger) slot. */
  readonly maxSlotBytes: number;
  /** Slots being written at a time. More would not be faster on S3, and each holds its bytes. */
  readonly maxSlotsInFlight: number;
  /** Records not yet in segments, held in memory. Appends wait when it is reached. */
  readonly maxUnflushedBytes: number;
  /** Of the appends that wait then, so many bytes are kept; more are refused (OVERLOADED), and clients try again. */
  readonly maxWaitingBytes: number;
  /** As many appends may wait for room, and as many again for a group that is being handed over. */
  readonly maxWaitingAppends: number;
  /** A group is flushed to segments when it has this many unflushed bytes … */
  readonly flushGroupBytes: number;
  /** … or when its oldest unflushed record is this old. */
  readonly flushIntervalMs: number;
  /** Groups flushed at a time when many wait for it; a few at a time else. */
  readonly maxFlushes: number;
  /** Bytes in the flushes of a time. A larger one goes alone. */
  readonly maxFlushBytes: number;
  /** A session checkpoint is written after this many slots, so that a takeover reads few slot indexes. */
  readonly checkpointSlots: number;
  /** Partitions with at least this many bytes in a flush get a segment of their own. */
  readonly ownSegmentBytes: number;
  /** Durable records kept in memory after they were flushed, for consumers close to the end. */
  readonly hotCacheBytes: number;
  /**
   * Records that were read from the store, kept for other readers; half as much again may be under way. Raise it when many
   * consumers catch up in different places at a time.
   */
  readonly coldCacheBytes: number;
  /** Segments are read in ranges of this many bytes, at most twice as many. */
  readonly readChunkBytes: number;
  /** How far at most a sequential reader is read ahead of. Raise it for stores with long latencies and much bandwidth. */
  readonly readAheadBytes: number;
  /** Largest batch a partition accepts (Kafka's `max.message.bytes`); topics may override it. */
  readonly maxMessageBytes: number;
  /** Producer state is dropped after this long without a batch (Kafka's `producer.id.expiration.ms`), by slot time. */
  readonly producerIdExpirationMs: number;
  /**
   * Idempotent producers that a partition remembers; of more, those that have been silent longest are forgotten before
   * they expire, and their retries may then be refused. Each takes about 1.5 KB for as long as it is remembered.
   */
  readonly maxProducersPerPartition: number;
  /** How often flush, trim and checkpoint look for work, each for itself. */
  readonly housekeepingIntervalMs: number;
  /** How often `retention.ms` and `retention.bytes` are applied (Kafka's `log.retention.check.interval.ms`). */
  readonly retentionCheckIntervalMs: number;
  /** How often this broker looks for unreachable slots of dead sessions. */
  readonly sweepIntervalMs: number;
  /** Rounds for which a dead session is left to the one broker that sweeps it first. 0: all sweep it at once. */
  readonly sweepPatienceRounds: number;
  /** Groups acquired at a time. */
  readonly acquireConcurrency: number;
  /** Parallel reads of slot indexes during a takeover. */
  readonly replayConcurrency: number;
  /** Newest segment references kept in a manifest's root; older ones move to pages of this many. */
  readonly manifestSegments: number;
  /** At most this share of slots is sent a second time when the first PUT is slow. 0 turns hedging off. */
  readonly hedgeShare: number;
  /** Reads need an ownership confirmation at most this old (own monotonic clock). */
  readonly readConfirmationMs: number;
  /**
   * How long a group waits before it is tried again to acquire it, doubling up to 30 × this; longer when thousands wait. A
   * change of `meta/cluster` that concerns it ends the waiting.
   */
  readonly retryBackoffMs: number;
}

const MiB = 1024 * 1024;

export const defaultLogOptions: LogOptions = {
  maxLingerMs: 100,
  minLingerMs: 0,
  eagerSlots: 0,
  maxSlotBytes: 8 * MiB,
  maxSlotsInFlight: 16,
  maxUnflushedBytes: 512 * MiB,
  maxWaitingBytes: 64 * MiB,
  maxWaitingAppends: 16_384,
  flushGroupBytes: 64 * MiB,
  flushIntervalMs: 600_000,
  maxFlushes: 32,
  maxFlushBytes: 256 * MiB,
  checkpointSlots: 256,
  ownSegmentBytes: 8 * MiB,
  hotCacheBytes: 128 * MiB,
  coldCacheBytes: 256 * MiB,
  readChunkBytes: 4 * MiB,
  readAheadBytes: 16 * MiB,
  maxMessageBytes: 1024 * 1024 + 12,
  producerIdExpirationMs: 86_400_000,
  maxProducersPerPartition: 10_000,
  housekeepingIntervalMs: 5_000,
  retentionCheckIntervalMs: 300_000,
  sweepIntervalMs: 300_000,
  sweepPatienceRounds: 3,
  acquireConcurrency: 128,
  replayConcurrency: 32,
  manifestSegments: 1024,
  hedgeShare: 0.05,
  readConfirmationMs: 2_000,
  retryBackoffMs: 100,
};
