import { LogError } from '../errors.ts';
import type { BlockEntry } from '../format/container.ts';
import { slotKey } from '../format/keys.ts';
import type { Manifest, Run } from '../format/manifest.ts';
import { partitionOf } from '../owned-group.ts';
import type { SlotContent } from '../wal-reader.ts';
import type { ColdStore, DataSlot, SlotGet } from './cold-store.ts';
import type { RecordBytes } from './record-memory.ts';
import type { GroupManifest, KnownManifest } from './group-manifest.ts';

/** A block of one partition in a WAL slot, with its verified bytes, held for whoever gets it. */
export interface WalBlock {
  readonly key: string;
  readonly entry: BlockEntry;
  readonly records: RecordBytes;
}

/** Something contradicts the manifest: it is out of date, or the log is damaged. */
export interface Doubt {
  readonly kind: 'doubt';
  /** Names the object. */
  readonly what: string;
  /** A slot that should be there. */
  readonly missing?: SlotName | undefined;
}

export interface SlotName {
  readonly sid: string;
  readonly slot: number;
}

export type WalOutcome =
  | Doubt
  /**
   * No more slots. `isFenced`: the open run ends in a FENCE or END, so there is, or will be, a newer manifest. `missing`:
   * the slot of the open run that would come next.
   */
  | {
      readonly kind: 'end';
      readonly endOffset: number;
      readonly isFenced: boolean;
      readonly missing: SlotName | undefined;
    }
  /** There may be more, but not in memory. */
  | { readonly kind: 'more' };

/** How the slots on the way are read; see `GroupReaderEnvironment.slots`. */
export type WalkedSlots = SlotGet | 'follow';

/** 'follow': after so many slots in a row without anything that is wanted, the next ones are read by their indexes. */
const maxMisses = 8;

/** Slot indexes fetched at a time by a reader that finds one slot after the other. */
const maxWidth = 16;
/** Positions remembered for each partition. */
const maxPositions = 32;

/**
 * A place in the WAL where the next block of a partition begins at `offset`, or at a later slot. `epoch` names the run: a
 * session that gives a group away and takes it back before it has written a slot begins both runs at the same one, and
 * what others have written in between comes before the second.
 */
interface Position {
  readonly sid: string;
  readonly epoch: number;
  readonly slot: number;
  readonly offset: number;
}

/**
 * Walks over the part of a group's log that is not in segments: the slots `max(from, flushedTo, trim)` … `to` of each run,
 * in order; of an open run up to the first slot that is absent or a FENCE (log.md 2.4). Every slot on the way is looked
 * at, also those without a block of the partition: only the predecessors make a slot part of the log.
 */
export class WalWalk {
  readonly #cold: ColdStore;
  readonly #trims: Pick<GroupManifest, 'trim'>;
  readonly #slotGet: WalkedSlots;
  readonly #widths = new Map<string, number>();
  /** By partition: slots in a row that had nothing of it that was wanted. */
  readonly #misses = new Map<number, number>();
  readonly #positions = new Map<number, Position[]>();

  constructor(cold: ColdStore, trims: Pick<GroupManifest, 'trim'>, slotGet: WalkedSlots) {
    this.#cold = cold;
    this.#trims = trims;
    this.#slotGet = slotGet;
  }

  /**
   * Yields the blocks of a partition that end at or after `offset` (at or above `segmentEnd`), in order.
   *
   * @param mayWait false: go on only with what is in memory, else end with 'more'
   * @throws LogError CORRUPT_LOG when the index of a slot does not match its checksums
   */
  async *blocks(
    known: KnownManifest,
    partition: number,
    offset: number,
    mayWait: () => boolean,
    signal: AbortSignal | undefined,
  ): AsyncGenerator<WalBlock, WalOutcome, undefined> {
    const { manifest } = known;
    const start = this.#startOf(manifest, partition, offset);
    let expected = start.offset;
    for (const run of manifest.runs.slice(start.runIndex)) {
      const first = Math.max(run.from, run.flushedTo, await this.#trims.trim(known, run.sid, signal));
      let slot = run === manifest.runs[start.runIndex] ? Math.max(first, start.slot) : first;
      let before: DataSlot | undefined;
      for (; run.to === undefined || slot < run.to; slot++) {
        const content =
          this.#cold.keptSlot(run.sid, slot) ??
          (mayWait() ? await this.#slot(run, slot, this.#howFor(partition), signal) : undefined);
        if (content === undefined) return { kind: 'more' };
        if (content.kind !== 'data') {
          if (run.to !== undefined) return missingSlot(run, slot, content.kind);
          this.#remember(partition, { sid: run.sid, epoch: run.epoch, slot, offset: expected });
          const isFenced = content.kind === 'ended';
          return { kind: 'end', endOffset: expected, isFenced, missing: { sid: run.sid, slot } };
        }
        if (before !== undefined && before.footerHash !== content.previousFooterHash) {
          return {
            kind: 'doubt',
            what: `${slotKey(run.sid, slot)} does not continue slot ${before.slot} of its session`,
          };
        }
        before = content;
        this.#misses.set(partition, Math.min(maxMisses, (this.#misses.get(partition) ?? maxMisses) + 1));
        for (const entry of content.index) {
          // Of somebody else; or in segments already; or read before.
          if (
            entry.partition !== partition ||
            entry.topicId !== manifest.topicId ||
            entry.lastOffset < expected
          )
            continue;
          const doubt = blockDoubt(entry, expected, run, slot);
          if (doubt !== undefined) return doubt;
          expected = entry.lastOffset + 1;
          if (entry.lastOffset < offset) continue;
          this.#misses.set(partition, 0);
          this.#remember(partition, { sid: run.sid, epoch: run.epoch, slot, offset: entry.baseOffset });
          const records = await this.#blockBytes(run, slot, entry, signal);
          if (records === 'gone') return missingSlot(run, slot, 'absent');
          if (records instanceof LogError) {
            // Since its index was read the slot may have been trimmed, and a FENCE that came too late may stand there now.
            return { kind: 'doubt', what: records.message, missing: { sid: run.sid, slot } };
          }
          yield { key: slotKey(run.sid, slot), entry, records };
        }
      }
    }
    return { kind: 'end', endOffset: expected, isFenced: false, missing: undefined };
  }

  /** The best place to begin: the nearest position remembered that is still in a run, else the beginning of the first run. */
  #startOf(
    manifest: Manifest,
    partition: number,
    offset: number,
  ): { runIndex: number; slot: number; offset: number } {
    const segmentEnd = partitionOf(manifest, partition)?.segmentEnd ?? 0;
    let best = { runIndex: 0, slot: 0, offset: segmentEnd };
    for (const position of this.#positions.get(partition) ?? []) {
      if (position.offset > offset || position.offset < best.offset) continue;
      const runIndex = manifest.runs.findIndex(
        ({ sid, epoch }) => sid === position.sid && epoch === position.epoch,
      );
      if (runIndex < 0) continue;
      best = { runIndex, slot: position.slot, offset: position.offset };
    }
    return best;
  }

  #remember(partition: number, position: Position): void {
    const positions = this.#positions.get(partition) ?? [];
    const kept = positions.filter(({ offset, slot }) => offset !== position.offset || slot > position.slot);
    this.#positions.set(partition, [...kept.slice(1 - maxPositions), position]);
  }

  #howFor(partition: number): SlotGet {
    if (this.#slotGet !== 'follow') return this.#slotGet;
    return (this.#misses.get(partition) ?? maxMisses) < maxMisses ? 'whole' : 'index';
  }

  /** Reads a slot index; the more slots were there, the more of those after it at the same time. */
  async #slot(run: Run, slot: number, how: SlotGet, signal: AbortSignal | undefined): Promise<SlotContent> {
    const width = this.#widths.get(run.sid) ?? 1;
    const end = Math.min(slot + width, run.to ?? Infinity);
    const reading = this.#cold.slot(run.sid, slot, how, signal);
    for (let next = slot + 1; next < end; next++) this.#cold.slotAhead(run.sid, next, how);
    const content = await reading;
    this.#widths.set(run.sid, content.kind === 'data' ? Math.min(maxWidth, width * 2) : 1);
    return content;
  }

  /** Reads a block; those of the same partition in the next slots that are known, ahead. An error: its bytes are not there. */
  async #blockBytes(
    run: Run,
    slot: number,
    entry: BlockEntry,
    signal: AbortSignal | undefined,
  ): Promise<RecordBytes | 'gone' | LogError> {
    const reading = this.#cold.slotBlock(run.sid, slot, entry, signal);
    for (let next = slot + 1; next < slot + maxWidth; next++) {
      const content = this.#cold.keptSlot(run.sid, next);
      if (content === undefined) break;
      for (const other of content.index) {
        if (other.partition === entry.partition && other.topicId === entry.topicId)
          this.#cold.slotBlockAhead(run.sid, next, other);
      }
    }
    return await reading.catch((error: unknown) => {
      if (error instanceof LogError && error.code === 'CORRUPT_LOG') return error;
      throw error;
    });
  }
}

/** Why a block cannot be the next one of its partition under this manifest. */
function blockDoubt(entry: BlockEntry, expected: number, run: Run, slot: number): Doubt | undefined {
  const { baseOffset, leaderEpoch, topicId, partition } = entry;
  const block = `${slotKey(run.sid, slot)} has a block of ${topicId}-${partition}`;
  if (baseOffset > expected) {
    return {
      kind: 'doubt',
      what: `${block} that begins at offset ${baseOffset}, but ${expected} comes next`,
    };
  }
  if (leaderEpoch !== run.epoch) {
    return { kind: 'doubt', what: `${block} of epoch ${leaderEpoch}, but the run is of epoch ${run.epoch}` };
  }
  return undefined;
}

function missingSlot(run: Run, slot: number, kind: 'absent' | 'ended'): Doubt {
  const key = slotKey(run.sid, slot);
  const range = run.to === undefined ? 'an open run' : `a run up to slot ${run.to}`;
  return {
    kind: 'doubt',
    what: `${key} ${kind === 'absent' ? 'is missing' : 'is a fence'}, but ${range} needs it`,
    missing: { sid: run.sid, slot },
  };
}
