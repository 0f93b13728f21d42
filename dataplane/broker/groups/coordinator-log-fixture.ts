import { LogError } from '../../log/errors.ts';
import type { Cancel, Runtime } from '../../runtime/runtime.ts';
import { parseBatches } from '../../protocol/record-batch.ts';
import type { CoordinatorLog, CoordinatorLogListener, CoordinatorLogRead } from './coordinator-log.ts';

interface StoredBatch {
  readonly bytes: Buffer;
  readonly baseOffset: number;
  readonly nextOffset: number;
}

/** How a simulated log behaves; changed at will. */
export interface SimulatedLogFaults {
  /** How long an append, a read or a confirmation takes. */
  latencyMs: () => number;
  /**
   * Asked for each append when it is to become durable. All others are rejected: `lost` is not in the log, `unknown` is,
   * and whatever is under way is rejected with them; `refused` is not in the log, and nothing happens to the others.
   */
  append: () => 'durable' | 'lost' | 'unknown' | 'refused';
}

/** The partitions of `__consumer_offsets` as the store has them, and who owns them. */
export class SimulatedLogStore {
  readonly #batches = new Map<number, StoredBatch[]>();
  readonly #startOffsets = new Map<number, number>();
  readonly #owners = new Map<number, SimulatedLog>();

  ownerOf(partition: number): SimulatedLog | undefined {
    return this.#owners.get(partition);
  }

  /** Seals the partition against its owner and gives it to another one. The old one is told later, by {@link SimulatedLog.tellLost}. */
  assign(partition: number, owner: SimulatedLog | undefined): void {
    if (owner === undefined) this.#owners.delete(partition);
    else this.#owners.set(partition, owner);
  }

  batchesOf(partition: number): readonly StoredBatch[] {
    return this.#batches.get(partition) ?? [];
  }

  append(partition: number, batch: Buffer): { baseOffset: number; lastOffset: number } {
    const [header] = parseBatches(batch, { verifyCrc: true });
    if (header === undefined) throw new Error('no batch');
    const baseOffset = this.endOffset(partition);
    batch.writeBigInt64BE(BigInt(baseOffset), 0);
    const nextOffset = baseOffset + header.recordCount;
    const batches = this.#batches.get(partition) ?? [];
    batches.push({ bytes: batch, baseOffset, nextOffset });
    this.#batches.set(partition, batches);
    return { baseOffset, lastOffset: nextOffset - 1 };
  }

  endOffset(partition: number): number {
    return this.#batches.get(partition)?.at(-1)?.nextOffset ?? this.startOffset(partition);
  }

  startOffset(partition: number): number {
    return this.#startOffsets.get(partition) ?? 0;
  }

  deleteRecords(partition: number, offset: number): void {
    this.#startOffsets.set(partition, Math.max(offset, this.startOffset(partition)));
    const kept = (this.#batches.get(partition) ?? []).filter(({ nextOffset }) => nextOffset > offset);
    this.#batches.set(partition, kept);
  }
}

/** One broker's log over a {@link SimulatedLogStore}, with latency and faults. */
export class SimulatedLog implements CoordinatorLog {
  maxBatchBytes = 1024 * 1024;
  readonly #store: SimulatedLogStore;
  readonly #runtime: Runtime;
  readonly #faults: SimulatedLogFaults;
  readonly #listeners = new Set<CoordinatorLogListener>();
  readonly #told = new Set<number>();
  /** Appends become durable in order. */
  #lastDurableMs = 0;
  /** After a failure whatever was under way fails: the session is dead. */
  #session = 0;

  constructor(store: SimulatedLogStore, runtime: Runtime, faults: SimulatedLogFaults) {
    this.#store = store;
    this.#runtime = runtime;
    this.#faults = faults;
  }

  append(partition: number, batch: Uint8Array): Promise<{ baseOffset: number; lastOffset: number }> {
    if (batch.length > this.maxBatchBytes)
      return Promise.reject(new LogError('MESSAGE_TOO_LARGE', `a batch of ${batch.length} bytes`));
    const session = this.#session;
    const dueMs = Math.max(this.#lastDurableMs, this.#runtime.monotonicMs() + this.#faults.latencyMs());
    this.#lastDurableMs = dueMs;
    return new Promise((resolve, reject) => {
      this.#runtime.after(dueMs - this.#runtime.monotonicMs(), () => {
        if (session !== this.#session || this.#store.ownerOf(partition) !== this) {
          reject(notLeader(partition));
          return;
        }
        const outcome = this.#faults.append();
        const isInLog = outcome === 'durable' || outcome === 'unknown';
        const result = isInLog ? this.#store.append(partition, Buffer.from(batch)) : undefined;
        if (outcome === 'durable' && result !== undefined) {
          resolve(result);
          return;
        }
        if (outcome !== 'refused') this.#session += 1;
        reject(notLeader(partition));
      });
    });
  }

  async read(partition: number, offset: number, maxBytes: number): Promise<CoordinatorLogRead> {
    await this.#wait();
    this.#requireOwner(partition);
    const pieces: Uint8Array[] = [];
    let sizeBytes = 0;
    for (const { bytes, nextOffset } of this.#store.batchesOf(partition)) {
      if (nextOffset <= offset) continue;
      if (sizeBytes > 0 && sizeBytes + bytes.length > maxBytes) break;
      pieces.push(Buffer.from(bytes));
      sizeBytes += bytes.length;
    }
    return { pieces, release: () => undefined };
  }

  startOffset(partition: number): number {
    this.#requireOwner(partition);
    return this.#store.startOffset(partition);
  }

  async endOffset(partition: number): Promise<number> {
    await this.#wait();
    this.#requireOwner(partition);
    const end = this.#store.endOffset(partition);
    await this.#wait();
    return end;
  }

  async deleteRecords(partition: number, offset: number): Promise<void> {
    await this.#wait();
    this.#requireOwner(partition);
    this.#store.deleteRecords(partition, offset);
  }

  subscribe(listener: CoordinatorLogListener): Cancel {
    this.#listeners.add(listener);
    for (const partition of this.#told) listener.serving(partition);
    return () => {
      this.#listeners.delete(listener);
    };
  }

  tellServing(partition: number): void {
    if (this.#told.has(partition)) this.tellLost(partition);
    this.#told.add(partition);
    for (const listener of this.#listeners) listener.serving(partition);
  }

  tellLost(partition: number): void {
    if (!this.#told.delete(partition)) return;
    for (const listener of this.#listeners) listener.lost(partition);
  }

  #wait(): Promise<void> {
    return new Promise((resolve) => {
      this.#runtime.after(this.#faults.latencyMs(), resolve);
    });
  }

  #requireOwner(partition: number): void {
    if (this.#store.ownerOf(partition) !== this) throw notLeader(partition);
  }
}

function notLeader(partition: number): LogError {
  return new LogError('NOT_LEADER_OR_FOLLOWER', `partition ${partition} belongs to somebody else`);
}
