import type { BrokerLog } from '../../log/broker-log.ts';
import type { ReadResult } from '../../log/read/partition-reader.ts';
import type { Served } from '../../log/served-groups.ts';
import type { ZonePartition } from '../../log/zone/zone-reader.ts';
import { inBackground } from '../../runtime/in-background.ts';
import type { Cancel } from '../../runtime/runtime.ts';

/** What is at an offset of a partition: records, as far as is known, nothing yet, or nothing that anybody could have read. */
export type AtOffset = 'records' | 'end' | 'above';

/** Where the records of a partition come from that a fetch asks for. */
export interface FetchSource {
  readonly highWatermark: number;
  readonly logStart: number;
  at(offset: number): AtOffset;
  /** As `BrokerLog.read`; it may bring nothing, which {@link at} explains then. */
  read(offset: number, maxBytes: number, signal: AbortSignal): Promise<ReadResult>;
  /** Calls back when {@link at} may say something else. */
  onChange(callback: () => void): Cancel;
}

/** A partition that this broker owns. */
export class OwnedSource implements FetchSource {
  readonly #log: BrokerLog;
  readonly #served: Served;

  constructor(log: BrokerLog, served: Served) {
    this.#log = log;
    this.#served = served;
  }

  get highWatermark(): number {
    return this.#served.partition.highWatermark;
  }

  get logStart(): number {
    return this.#served.partition.logStart;
  }

  at(offset: number): AtOffset {
    if (offset !== this.highWatermark) return 'records';
    confirmSoon(this.#served);
    return 'end';
  }

  read(offset: number, maxBytes: number, signal: AbortSignal): Promise<ReadResult> {
    const { topicId, partition } = this.#served.partition;
    return this.#log.read(topicId, partition, offset, maxBytes, signal);
  }

  onChange(callback: () => void): Cancel {
    return this.#served.partition.onChange(callback);
  }
}

/**
 * Where nothing new comes, a session that has been fenced would not notice: it is asked from time to time whether it
 * still owns what it serves. If not, its partitions wake those who wait.
 */
function confirmSoon({ group }: Served): void {
  const { session } = group;
  if (session.live && session.confirmationAgeMs > confirmAfterMs)
    inBackground(session.confirm().catch(() => undefined));
}

const confirmAfterMs = 1_000;

/**
 * A partition of another broker, for consumers of this broker's zone. Its end is what has been seen of it, and a consumer
 * may know of more: it was sent here by the owner, or has read elsewhere before. That is no position that does not exist.
 */
export class ZoneSource implements FetchSource {
  readonly #partition: ZonePartition;

  constructor(partition: ZonePartition) {
    this.#partition = partition;
  }

  get highWatermark(): number {
    return this.#partition.highWatermark;
  }

  get logStart(): number {
    return this.#partition.logStart;
  }

  at(offset: number): AtOffset {
    if (!this.#partition.isCurrent || offset < this.highWatermark) return 'records';
    if (offset === this.highWatermark) return 'end';
    this.#partition.hurry();
    return 'above';
  }

  read(offset: number, maxBytes: number, signal: AbortSignal): Promise<ReadResult> {
    return this.#partition.read(offset, maxBytes, signal);
  }

  onChange(callback: () => void): Cancel {
    return this.#partition.onChange(callback);
  }
}
