import type { Assignment } from '../../cluster/cluster-state.ts';
import { inBackground } from '../../runtime/in-background.ts';
import { sleep } from '../../runtime/runtime.ts';
import type { Cancel, Runtime } from '../../runtime/runtime.ts';
import { LogError } from '../errors.ts';
import type { GroupReadResult, GroupReader } from '../read/group-reader.ts';
import type { DataSlot } from '../read/cold-store.ts';
import type { ReadResult } from '../read/partition-reader.ts';
import type { SlotName } from '../read/wal-walk.ts';
import type { SessionTail, TailMember } from './session-tail.ts';
import type { ZoneReadOptions } from './zone-read-options.ts';

export interface ZoneReaderEnvironment {
  readonly reader: GroupReader;
  readonly topicId: string;
  readonly runtime: Runtime;
  readonly options: ZoneReadOptions;
  /** As this process knows it. */
  readonly assignment: () => Assignment | undefined;
  /** Follows the session from the slot on; `leave` ends that. */
  readonly follow: (next: SlotName, member: TailMember) => SessionTail;
  readonly leave: (tail: SessionTail, member: TailMember) => void;
  readonly onProblem: (what: string, error: unknown) => void;
}

/**
 * A group of another broker, for the consumers of this zone that read its partitions here: shared by all of them, so that
 * each object is read once.
 *
 * What a consumer is told of the end of a partition is what has been *seen*: slots that were there with all before them
 * in their run, which stay part of the log whatever becomes of their owner. So this may lag, and never says what is not so.
 *
 * It finds the end by reading up to it (a *look*), and then follows the session there ({@link SessionTail}): as long as
 * nothing else happens no look is needed again. What happens else — the session ends, the group moves, slots are gone —
 * ends the *era*: every partition is looked at anew. While the group has no owner, or another one than the manifest says,
 * the manifest is read now and then until it is up to date.
 */
export class ZoneReader implements TailMember {
  readonly #environment: ZoneReaderEnvironment;
  readonly #partitions = new Map<number, ZonePartition>();
  readonly #closed = new AbortController();
  #tail: SessionTail | undefined;
  /** The manifest says that nobody writes. */
  #isAdrift = false;
  /** What is known of ends in an earlier one may be out of date. */
  #era = 0;
  /** Version of the manifest that this era goes by. */
  #manifestVersion: number | undefined;
  #isWatching = false;
  #news = Promise.withResolvers<void>();
  #lastUsedMs: number;
  readonly counters = { looks: 0, manifestPolls: 0 };

  constructor(environment: ZoneReaderEnvironment) {
    this.#environment = environment;
    this.#lastUsedMs = environment.runtime.monotonicMs();
  }

  /** Nobody has read for a while, and nobody waits. */
  get isIdle(): boolean {
    const { runtime, options } = this.#environment;
    if (runtime.monotonicMs() - this.#lastUsedMs < options.idleMs) return false;
    for (const partition of this.#partitions.values()) if (partition.isWaitedFor) return false;
    return true;
  }

  /** Of the newest manifest that has been read: the leader epoch of new batches. `undefined`: none has. */
  get epoch(): number | undefined {
    return this.#environment.reader.manifest?.epoch;
  }

  /** @internal */
  get era(): number {
    return this.#era;
  }

  /** @param index a partition of the group */
  partition(index: number): ZonePartition {
    this.#use();
    let partition = this.#partitions.get(index);
    if (partition === undefined)
      this.#partitions.set(index, (partition = new ZonePartition(this, this.#environment.reader, index)));
    return partition;
  }

  /** Nobody follows it any more; those who wait are told that something has changed. */
  close(): void {
    if (this.#closed.signal.aborted) return;
    this.#closed.abort(new LogError('NOT_LEADER_OR_FOLLOWER', 'the group is not read here any more'));
    this.#leave();
    this.#endEra();
  }

  /** The cluster state has changed. */
  clusterChanged(): void {
    if (!this.#isBehind()) return;
    this.#news.resolve();
    this.#watch();
  }

  slot(content: DataSlot): number {
    const run = this.#environment.reader.manifest?.runs.at(-1);
    let wantedBytes = 0;
    for (const entry of content.index) {
      if (entry.topicId !== this.#environment.topicId) continue;
      const partition = this.#partitions.get(entry.partition);
      if (partition === undefined) continue;
      if (entry.leaderEpoch !== run?.epoch) {
        // The session has given the group away and has it again: what others have written in between comes first.
        this.lost();
        return wantedBytes;
      }
      partition.written(entry.baseOffset, entry.lastOffset);
      wantedBytes += entry.sizeBytes;
    }
    return wantedBytes;
  }

  lost(): void {
    if (this.#tail?.hasEnded === true) {
      this.#leave();
      this.#isAdrift = true;
    }
    this.#endEra();
    this.#watch();
  }

  /** @internal Somebody reads, or waits. */
  use(): void {
    this.#use();
  }

  /** @internal Somebody wants what has not been seen. */
  hurry(): void {
    this.#tail?.look();
  }

  /**
   * @internal A read may have found the manifest out of date, and another one: what is known by the old one, of other
   * partitions too, may be out of date as well. A group that is given away and comes back to the same session shows it in
   * no other way.
   */
  checkManifest(): void {
    const version = this.#environment.reader.manifest?.version;
    if (version === this.#manifestVersion) return;
    const isFirst = this.#manifestVersion === undefined;
    this.#manifestVersion = version;
    if (!isFirst) this.#endEra();
  }

  /**
   * @internal A walk over the log has come to its end, which it began in `era`. Follows the log from there.
   *
   * @returns whether nothing can have been missed: what comes from now on is told of
   */
  sawEnd(next: SlotName | undefined, era: number): boolean {
    this.counters.looks += 1;
    if (this.#closed.signal.aborted) return true;
    // What it has seen may be out of date already.
    if (era !== this.#era) return false;
    if (next === undefined) {
      this.#leave();
      this.#isAdrift = true;
      this.#watch();
      return true;
    }
    this.#isAdrift = false;
    if (this.#tail?.sid !== next.sid) {
      this.#leave();
      this.#tail = this.#environment.follow(next, this);
    }
    this.#tail.seen(next.slot);
    this.#watch();
    return next.slot >= this.#tail.next;
  }

  #use(): void {
    this.#lastUsedMs = this.#environment.runtime.monotonicMs();
  }

  #leave(): void {
    if (this.#tail !== undefined) this.#environment.leave(this.#tail, this);
    this.#tail = undefined;
  }

  #endEra(): void {
    this.#era += 1;
    for (const partition of this.#partitions.values()) partition.tell();
  }

  /** The manifest that is known is not the last word on who writes. */
  #isBehind(): boolean {
    const { reader, assignment } = this.#environment;
    const { manifest } = reader;
    if (manifest === undefined || this.#closed.signal.aborted) return false;
    const present = assignment();
    if (present === undefined) return false;
    return this.#isAdrift || present.generation > manifest.assignmentGeneration;
  }

  #watch(): void {
    if (this.#isWatching || !this.#isBehind()) return;
    this.#isWatching = true;
    inBackground(this.#untilUpToDate());
  }

  async #untilUpToDate(): Promise<void> {
    const { options } = this.#environment;
    let delayMs = options.pollMinMs;
    while (this.#isBehind() && !this.isIdle) {
      this.#news = Promise.withResolvers();
      if (await this.#readManifest()) delayMs = options.pollMinMs;
      if (!this.#isBehind()) break;
      await this.#untilNews(delayMs);
      delayMs = Math.min(options.pollMaxMs * 2, delayMs * 1.5);
    }
    this.#isWatching = false;
  }

  /** @returns whether there was a newer one */
  async #readManifest(): Promise<boolean> {
    const { reader, onProblem } = this.#environment;
    const { signal } = this.#closed;
    const known = this.#manifestVersion;
    this.counters.manifestPolls += 1;
    try {
      await reader.refresh(signal);
    } catch (error) {
      if (signal.aborted) return false;
      // Its topic is gone: whoever asks again is told so.
      if (error instanceof LogError && error.code === 'UNKNOWN_TOPIC_OR_PARTITION') this.close();
      else
        onProblem('the manifest of a group that is read for consumers of this zone could not be read', error);
    }
    this.checkManifest();
    if (known === this.#manifestVersion) return false;
    // Whether somebody writes now is found out by the next look.
    this.#isAdrift = false;
    return true;
  }

  async #untilNews(waitMs: number): Promise<void> {
    const { signal } = this.#closed;
    const over = new AbortController();
    const abort = (): void => over.abort();
    signal.addEventListener('abort', abort);
    const waiting = sleep(this.#environment.runtime, waitMs, over.signal).catch(() => undefined);
    await Promise.race([waiting, this.#news.promise]);
    signal.removeEventListener('abort', abort);
    over.abort();
  }
}

/** What a consumer of this zone needs of a partition: as {@link ZoneReader} says. */
export class ZonePartition {
  readonly index: number;
  readonly #reader: ZoneReader;
  readonly #group: GroupReader;
  readonly #listeners = new Set<() => void>();
  #end = -1;
  #logStart = -1;
  /** In which its end was seen. */
  #era = -1;

  constructor(reader: ZoneReader, group: GroupReader, index: number) {
    this.index = index;
    this.#reader = reader;
    this.#group = group;
  }

  /** Offset after the last record seen; only grows. -1: nobody has looked yet. */
  get highWatermark(): number {
    return this.#end;
  }

  /** -1: nobody has looked yet. */
  get logStart(): number {
    return this.#logStart;
  }

  /** All that is there has been seen, and `onChange` will tell when there is more. */
  get isCurrent(): boolean {
    return this.#era === this.#reader.era;
  }

  /**
   * As `GroupReader.read`: nothing at the end, or above it; {@link isCurrent} says whether that is the end.
   *
   * @throws LogError OFFSET_OUT_OF_RANGE below the log start; UNKNOWN_TOPIC_OR_PARTITION; CORRUPT_LOG; UNSUPPORTED_FORMAT
   */
  async read(offset: number, maxBytes: number, signal?: AbortSignal): Promise<ReadResult> {
    for (let round = 1; ; round++) {
      this.#reader.use();
      const { era } = this.#reader;
      const found = await this.#group
        .read(this.index, offset, maxBytes, signal)
        .finally(() => this.#reader.checkManifest());
      this.#saw(found, era);
      if (found.sizeBytes === 0 && !this.isCurrent && round < mostLooks) continue;
      return {
        pieces: found.pieces,
        sizeBytes: found.sizeBytes,
        release: found.release,
        highWatermark: this.#end,
        lastStableOffset: this.#end,
        logStartOffset: this.#logStart,
      };
    }
  }

  /** Calls back when there is more, or when it has to be looked for again. */
  onChange(listener: () => void): Cancel {
    this.#reader.use();
    this.#listeners.add(listener);
    return () => {
      this.#listeners.delete(listener);
      this.#reader.use();
    };
  }

  get isWaitedFor(): boolean {
    return this.#listeners.size > 0;
  }

  /** Somebody asks for an offset above what has been seen: it is looked whether it is there. */
  hurry(): void {
    this.#reader.hurry();
  }

  /** @internal A slot that continues what has been seen has a block of this partition. */
  written(baseOffset: number, lastOffset: number): void {
    // Whoever is looking, or has yet to, finds it.
    if (!this.isCurrent || lastOffset < this.#end) return;
    // Records came before it that were not in a slot of this session: the manifest says where they are.
    if (baseOffset > this.#end) this.#era = -1;
    else this.#end = lastOffset + 1;
    this.tell();
  }

  /** @internal */
  tell(): void {
    for (const listener of this.#listeners) listener();
  }

  #saw({ tail, endOffset, nextOffset, sizeBytes, logStartOffset }: GroupReadResult, era: number): void {
    const seen = sizeBytes > 0 ? Math.max(nextOffset, endOffset) : tail === undefined ? -1 : endOffset;
    this.#end = Math.max(this.#end, seen);
    this.#logStart = logStartOffset;
    if (tail !== undefined && this.#reader.sawEnd(tail.next, era)) this.#era = this.#reader.era;
  }
}

/** What changes while it is looked for is looked for again, but not for ever: there is another fetch. */
const mostLooks = 5;
