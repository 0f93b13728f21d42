import type { Cancel, Runtime } from '../runtime/runtime.ts';
import type { IndexedSlot } from './trimmer.ts';
import type { BlockInput } from './format/container.ts';
import type { LogOptions } from './options.ts';
import type { OwnedPartition, TailBlock } from './owned-partition.ts';
import type { WalSession } from './session.ts';
import { invariant } from './errors.ts';

/**
 * Collects admitted records of all partitions and closes them into slots, so that many partitions share one PUT.
 *
 * A slot is closed when it is full, when its first record has lingered, or on request; but never while the most slots
 * allowed are under way: then records gather, and the slot is closed as soon as one becomes durable.
 *
 * Where PUTs cost nothing but time (`LogOptions.eagerSlots`), it is also closed as soon as few slots are under way: what
 * comes while they are written makes the company, so nothing waits that need not.
 */
export class SlotAssembler {
  readonly #session: WalSession;
  readonly #runtime: Runtime;
  readonly #options: LogOptions;
  readonly #onIssued: (slot: IndexedSlot) => void;
  readonly #onDurable: () => void;
  readonly #open = new Set<OwnedPartition>();
  #openBytes = 0;
  #cancelLinger: Cancel | undefined;
  #due = false;

  constructor(environment: {
    readonly session: WalSession;
    readonly runtime: Runtime;
    readonly options: LogOptions;
    readonly onIssued: (slot: IndexedSlot) => void;
    /** A slot and all lower ones have become durable, and what they hold has been acknowledged. */
    readonly onDurable: () => void;
  }) {
    const { session } = environment;
    this.#session = session;
    this.#runtime = environment.runtime;
    this.#options = environment.options;
    this.#onIssued = environment.onIssued;
    this.#onDurable = environment.onDurable;
    session.signal.addEventListener('abort', () => {
      this.#cancelLinger?.();
      this.#open.clear();
      this.#openBytes = 0;
    });
  }

  get openBytes(): number {
    return this.#openBytes;
  }

  /** Call after a partition has admitted `sizeBytes` into its open block. */
  added(partition: OwnedPartition, sizeBytes: number): void {
    const first = this.#open.size === 0;
    this.#open.add(partition);
    this.#openBytes += sizeBytes;
    if (this.#openBytes >= this.#options.maxSlotBytes) {
      this.closeNow();
    } else if (first) {
      // Not before the other records of the request are here, and those of requests that have arrived with it.
      if (this.#isEager) this.#closeAfter(0);
      else {
        const lingerMs = this.lingerMs();
        if (lingerMs <= 0) this.closeNow();
        // It is the longest wait, not the shortest.
        else this.#closeAfter(Math.max(0, lingerMs - (this.#runtime.timerLateMs ?? 0)));
      }
    }
  }

  #closeAfter(delayMs: number): void {
    this.#cancelLinger = this.#runtime.after(delayMs, () => {
      this.closeNow();
    });
  }

  /** Whether so few slots are under way that the next one need not wait for company. */
  get #isEager(): boolean {
    const { eagerSlots, minLingerMs } = this.#options;
    return minLingerMs === 0 && this.#session.slotsInFlight < eagerSlots;
  }

  /** Closes the open slot without waiting for more, as soon as a slot may be sent. */
  closeNow(): void {
    this.#cancelLinger?.();
    this.#cancelLinger = undefined;
    if (this.#open.size === 0 || !this.#session.live) return;
    if (this.#session.slotsInFlight >= this.#options.maxSlotsInFlight) {
      this.#due = true;
      return;
    }
    this.#due = false;
    this.#close();
    if (this.#open.size > 0) this.closeNow();
  }

  /**
   * How long the first record of a slot waits for company: nothing to gain below the store's own latency, so a store
   * that answers in under 10 ms (a local one) lingers half of that, at most 5 ms; above, it grows to `maxLingerMs`,
   * which an object store billed by the request reaches at about 30 ms.
   */
  lingerMs(): number {
    const { minLingerMs, maxLingerMs } = this.#options;
    const p50Ms = this.#session.latency.p50Ms;
    const wanted = p50Ms === undefined ? 5 : p50Ms <= 10 ? Math.min(5, p50Ms / 2) : 5 + (p50Ms - 10) * 5;
    return Math.min(maxLingerMs, Math.max(minLingerMs, wanted));
  }

  /** The partition is served no more: what it has open gets no slot. Call before its open blocks are dropped. */
  forget(partition: OwnedPartition): void {
    if (this.#open.delete(partition)) this.#openBytes -= partition.openBytes;
  }

  /**
   * The partitions whose oldest block goes into the next slot, those that wait longest first. What gathered while no slot
   * could be sent may fill several: one huge slot would keep all its records waiting for its last byte. A small rest goes
   * along.
   */
  #takeFull(): readonly OwnedPartition[] {
    const { maxSlotBytes } = this.#options;
    const partitions: OwnedPartition[] = [];
    const withMore: OwnedPartition[] = [];
    let sizeBytes = 0;
    for (const partition of this.#open) {
      const blockBytes = partition.nextBlockBytes;
      const isFull = sizeBytes > 0 && sizeBytes + blockBytes > maxSlotBytes;
      if (isFull && this.#openBytes - sizeBytes >= maxSlotBytes / 8) break;
      partitions.push(partition);
      sizeBytes += blockBytes;
      this.#open.delete(partition);
      if (partition.openBytes > blockBytes) withMore.push(partition);
    }
    for (const partition of withMore) this.#open.add(partition);
    this.#openBytes -= sizeBytes;
    return partitions;
  }

  #close(): void {
    const partitions = this.#takeFull();
    const timeMs = this.#session.slotTimeMs();
    const open = partitions.map((partition) => partition.closeBlock(timeMs));
    const blocks = partitions.map(({ topicId, partition, leaderEpoch }, index): BlockInput => {
      const pieces = open[index]?.appends.map(({ bytes }) => bytes) ?? [];
      return { topicId, partition, leaderEpoch, pieces };
    });
    const closed: { partition: OwnedPartition; block: TailBlock }[] = [];
    const { slot, encoded } = this.#session.write(blocks, timeMs, () => {
      for (const { partition, block } of closed) partition.acknowledge(block);
      this.#onDurable();
      if (this.#due || this.#isEager) this.closeNow();
    });
    this.#onIssued({ slot, footerHash: encoded.footerHash, indexBytes: encoded.indexBytes });
    partitions.forEach((partition, index) => {
      const entry = encoded.index[index];
      const pieces = blocks[index]?.pieces;
      const appends = open[index]?.appends;
      invariant(
        entry !== undefined && pieces !== undefined && appends !== undefined,
        'the index names every block, in order',
      );
      const block: TailBlock = { sid: this.#session.sid, slot, timeMs, entry, pieces, flushed: false };
      partition.issued(block, appends);
      closed.push({ partition, block });
    });
  }
}
