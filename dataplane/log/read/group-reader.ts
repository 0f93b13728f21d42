import type { Runtime } from '../../runtime/runtime.ts';
import type { ObjectStore } from '../../store/object-store.ts';
import { LogError } from '../errors.ts';
import type { Manifest, PartitionManifest } from '../format/manifest.ts';
import type { LogOptions } from '../options.ts';
import { defaultLogOptions } from '../options.ts';
import { partitionOf } from '../owned-group.ts';
import { BatchCollector } from './batch-collector.ts';
import { ColdStore } from './cold-store.ts';
import { GroupManifest } from './group-manifest.ts';
import type { KnownManifest } from './group-manifest.ts';
import { Gone } from './segment-directory.ts';
import { batchAt, batchesEndingBy, batchStart } from './segment-index.ts';
import { nextOffsetAfter, SegmentReader } from './segment-reader.ts';
import { WalWalk } from './wal-walk.ts';
import type { SlotName, WalBlock, WalkedSlots, WalOutcome } from './wal-walk.ts';

export interface GroupReaderEnvironment {
  readonly store: ObjectStore;
  readonly runtime: Pick<Runtime, 'monotonicMs'>;
  /** `<topicId>-<groupIndex>` */
  readonly group: string;
  /** Shared with other readers of the process. Default: one of its own. */
  readonly cold?: ColdStore | undefined;
  readonly options?: Partial<LogOptions> | undefined;
  /**
   * 'whole': a slot's bytes are fetched in one GET with its index, for readers that want most of what is in it. Default
   * 'index': only the blocks that are wanted, a second GET. 'follow': the index as long as nothing in the slots is wanted,
   * whole slots from there on.
   */
  readonly slots?: WalkedSlots | undefined;
  /**
   * A reader that finds nothing new looks whether its manifest is still the newest, but not more often than this. Until
   * then it may not see that the log goes on elsewhere. Default 1000.
   */
  readonly revalidateMs?: number | undefined;
}

export interface GroupReadResult {
  /** One or more whole record batches each, in offset order. Views: copy before changing, or before keeping for long. */
  readonly pieces: readonly Uint8Array[];
  readonly sizeBytes: number;
  /** As `ReadResult.release`. */
  readonly release: () => void;
  /** Where to go on. */
  readonly nextOffset: number;
  /** The log ends at `endOffset` as far as this reader knows, at most `revalidateMs` ago. False: go on reading. */
  readonly endSeen: boolean;
  /** Offset after the last record seen; a later owner may have written more. */
  readonly endOffset: number;
  /** Where the log went on when it was read to its end; `undefined`: it was not. */
  readonly tail: LogTail | undefined;
  readonly logStartOffset: number;
}

/** The end of a log, as somebody sees it who does not own it. */
export interface LogTail {
  /**
   * The slot of the open run that was not there yet. `undefined`: nobody writes, as far as the manifest tells; when the
   * log goes on, a newer manifest says where.
   */
  readonly next: SlotName | undefined;
}

/** A stretch of whole batches of one partition, verified. */
export interface LogPart {
  readonly source: 'segment' | 'slot';
  /** The object it lies in. */
  readonly key: string;
  /** Of the whole block that this is a part of (in slots, and small segments, all of it). */
  readonly leaderEpoch: number;
  readonly position: number;
  readonly baseOffset: number;
  /** Offset after its last batch. */
  readonly nextOffset: number;
  readonly bytes: Uint8Array;
}

/**
 * Reads the partitions of a group without owning it, from the store alone: the log of log.md 2.4. For zone readers,
 * verification and tests.
 *
 * Its manifest may be out of date at any moment: owners flush, trim, hand over and are taken over without asking. So it
 * delivers a batch only when it continues what came before, and reads the manifest again when a block begins above the
 * expected offset or has the wrong epoch, when something is missing that should be there, when a run ends in a fence, and
 * now and then at the end of the log. A contradiction that the newest manifest does not resolve is CORRUPT_LOG, naming
 * the object. So it may lag, and never delivers a wrong record: a slot whose predecessors in its run are all there is
 * part of the log for ever.
 */
export class GroupReader {
  readonly cold: ColdStore;
  readonly #segments: SegmentReader;
  readonly #manifest: GroupManifest;
  readonly #wal: WalWalk;
  readonly #revalidateMs: number;

  constructor(environment: GroupReaderEnvironment) {
    const { store, runtime, group, slots = 'index' } = environment;
    this.cold = environment.cold ?? new ColdStore(store, { ...defaultLogOptions, ...environment.options });
    this.#segments = new SegmentReader(this.cold);
    this.#manifest = new GroupManifest(store, runtime, group);
    this.#wal = new WalWalk(this.cold, this.#manifest, slots);
    this.#revalidateMs = environment.revalidateMs ?? 1000;
  }

  /** As last read; it may be out of date. `undefined`: it has not been read. */
  get manifest(): Manifest | undefined {
    return this.#manifest.current;
  }

  get counters(): GroupManifest['counters'] {
    return this.#manifest.counters;
  }

  /** Reads the manifest again: the log is then known as of some moment after the call, up to the slots read later. */
  async refresh(signal?: AbortSignal): Promise<void> {
    await this.#manifest.refresh(signal);
  }

  /** Log start of a partition, as of the known manifest. */
  async logStart(partition: number, signal?: AbortSignal): Promise<number> {
    return entryOf(await this.#manifest.known(signal), partition).logStart;
  }

  /**
   * Whole batches from the one that contains `offset` on; at least one when there is one, else at most `maxBytes`. Nothing
   * at the end of the log, or above it.
   *
   * @throws LogError OFFSET_OUT_OF_RANGE below the log start; UNKNOWN_TOPIC_OR_PARTITION; CORRUPT_LOG; UNSUPPORTED_FORMAT
   */
  async read(
    partition: number,
    offset: number,
    maxBytes: number,
    signal?: AbortSignal,
  ): Promise<GroupReadResult> {
    for (;;) {
      const known = await this.#manifest.known(signal);
      const { logStart, segmentEnd } = entryOf(known, partition);
      if (offset < logStart) throw belowStart(known, partition, offset);
      const collector = new BatchCollector(offset, maxBytes);
      const outcome =
        offset < segmentEnd
          ? await this.#collectSegments(known, partition, collector, signal)
          : await this.#collectSlots(known, partition, collector, signal);
      // What was collected before a doubt is right; the next read meets the doubt first.
      if (collector.sizeBytes === 0 && (await this.#mustRepeat(known, outcome, offset, signal))) continue;
      return {
        pieces: collector.pieces,
        sizeBytes: collector.sizeBytes,
        release: () => {
          collector.release();
        },
        nextOffset: collector.nextOffset,
        endSeen: outcome.kind === 'end' && this.#manifest.ageMs <= this.#revalidateMs,
        endOffset: outcome.kind === 'end' ? outcome.endOffset : Math.max(segmentEnd, collector.nextOffset),
        tail:
          outcome.kind === 'end' && this.#manifest.coversTrims(known)
            ? { next: outcome.isFenced ? undefined : outcome.missing }
            : undefined,
        logStartOffset: logStart,
      };
    }
  }

  async #collectSegments(
    { manifest }: KnownManifest,
    partition: number,
    collector: BatchCollector,
    signal: AbortSignal | undefined,
  ): Promise<WalOutcome> {
    const gone = await this.#segments.collect(manifest, partition, collector, signal);
    return gone === undefined ? { kind: 'more' } : missingObject(gone);
  }

  async #collectSlots(
    known: KnownManifest,
    partition: number,
    collector: BatchCollector,
    signal: AbortSignal | undefined,
  ): Promise<WalOutcome> {
    // Nobody waits for a second GET with an answer in hand.
    const mayWait = (): boolean => collector.sizeBytes === 0;
    const blocks = this.#wal.blocks(known, partition, collector.nextOffset, mayWait, signal);
    for (;;) {
      const next = await blocks.next();
      if (next.done === true) return next.value;
      collector.addHeldBlock(next.value.records, next.value.entry.batches);
      if (collector.isFull) return { kind: 'more' };
    }
  }

  /**
   * After a look at the log that brought nothing: whether another one, with a newer manifest, may bring more.
   *
   * @throws LogError CORRUPT_LOG when it contradicts the newest manifest
   */
  async #mustRepeat(
    known: KnownManifest,
    outcome: WalOutcome,
    offset: number,
    signal: AbortSignal | undefined,
  ): Promise<boolean> {
    if (outcome.kind === 'more') return false;
    if (outcome.kind === 'doubt') {
      if (await this.#manifest.isOutdated(known, outcome.missing, signal)) return true;
      throw new LogError('CORRUPT_LOG', `${outcome.what} (${describe(known)}); run 'firn log verify'`);
    }
    const { isFenced, endOffset, missing } = outcome;
    const isRecent = this.#manifest.ageMs <= this.#revalidateMs && this.#manifest.coversTrims(known);
    if (!isFenced && offset <= endOffset && isRecent) return false;
    return await this.#manifest.isOutdated(known, missing, signal);
  }

  /**
   * All of a partition's log, from `from` (default: the log start) to its end as of some moment after the end was first
   * seen; see {@link LogPart}. What is read twice because the manifest changed is yielded once.
   *
   * @throws LogError as {@link read} does
   */
  async *parts(
    partition: number,
    options: { readonly from?: number | undefined; readonly signal?: AbortSignal | undefined } = {},
  ): AsyncGenerator<LogPart, void, undefined> {
    const { signal } = options;
    let next = options.from ?? (await this.logStart(partition, signal));
    for (;;) {
      const known = await this.#manifest.known(signal);
      const { logStart, segmentEnd } = entryOf(known, partition);
      if (next < logStart) throw belowStart(known, partition, next);
      let outcome: WalOutcome;
      if (next < segmentEnd) {
        const part = await this.#segmentPart(known, partition, next, signal);
        if (!(part instanceof Gone)) {
          yield part;
          next = part.nextOffset;
          continue;
        }
        outcome = missingObject(part);
      } else {
        const blocks = this.#wal.blocks(known, partition, next, () => true, signal);
        let step = await blocks.next();
        for (; step.done !== true; step = await blocks.next()) {
          const part = slotPart(step.value, next);
          yield part;
          next = part.nextOffset;
        }
        outcome = step.value;
      }
      // At the end a manifest that is older than what was just read does not count.
      const atEnd = outcome.kind === 'end' && !(await this.#manifest.isOutdated(known, undefined, signal));
      if (atEnd || (outcome.kind === 'doubt' && !(await this.#mustRepeat(known, outcome, next, signal))))
        return;
    }
  }

  async #segmentPart(
    { manifest }: KnownManifest,
    partition: number,
    offset: number,
    signal: AbortSignal | undefined,
  ): Promise<LogPart | Gone> {
    const place = await this.#segments.place(manifest, partition, offset, signal);
    if (place instanceof Gone) return place;
    // Never released: those who verify may keep it.
    const records = await this.#segments.chunk(manifest, place, signal);
    if (records instanceof Gone) return records;
    const { index, block, chunk } = place;
    const first = batchAt(block, offset);
    const end = batchStart(block, batchesEndingBy(block, chunk.end));
    const nextOffset = nextOffsetAfter(block, chunk);
    this.#segments.noteRead(manifest, partition, offset, nextOffset);
    return {
      source: 'segment',
      key: index.key,
      leaderEpoch: block.leaderEpoch,
      position: block.position,
      baseOffset: block.baseOffsets[first] ?? offset,
      nextOffset,
      bytes: records.bytes.subarray(batchStart(block, first) - chunk.start, end - chunk.start),
    };
  }
}

/** The batches of a block from the one that contains `offset` on. */
function slotPart({ key, entry, records }: WalBlock, offset: number): LogPart {
  let start = 0;
  let { baseOffset } = entry;
  for (const batch of entry.batches) {
    baseOffset = batch.baseOffset;
    if (batch.lastOffset >= offset) break;
    start += batch.sizeBytes;
  }
  const { leaderEpoch, position, lastOffset } = entry;
  return {
    source: 'slot',
    key,
    leaderEpoch,
    position,
    baseOffset,
    nextOffset: lastOffset + 1,
    bytes: records.bytes.subarray(start),
  };
}

function entryOf({ manifest }: KnownManifest, partition: number): PartitionManifest {
  const entry = partitionOf(manifest, partition);
  if (entry !== undefined) return entry;
  throw new LogError('UNKNOWN_TOPIC_OR_PARTITION', `group ${manifest.group} has no partition ${partition}`);
}

function missingObject({ key }: Gone): WalOutcome {
  return { kind: 'doubt', what: `${key} is missing` };
}

function describe({ manifest }: KnownManifest): string {
  return `the manifest of ${manifest.group} is still version ${manifest.version}`;
}

function belowStart({ manifest }: KnownManifest, partition: number, offset: number): LogError {
  return new LogError(
    'OFFSET_OUT_OF_RANGE',
    `offset ${offset} of ${manifest.topicId}/${partition} is below the log start`,
  );
}
