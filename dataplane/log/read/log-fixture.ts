import assert from 'node:assert/strict';
import { readBatchHeader } from '../../protocol/record-batch.ts';
import { createMemoryStore } from '../../store/memory.ts';
import type { ETag } from '../../store/object-store.ts';
import type { BlockEntry, BlockInput, ContainerInput, EncodedContainer } from '../format/container.ts';
import { encodeContainer } from '../format/container.ts';
import { noFooterHash } from '../format/container-footer.ts';
import {
  manifestKey,
  pageObject,
  pageObjectKey,
  segmentKey,
  segmentObject,
  slotKey,
  trimKey,
} from '../format/keys.ts';
import type { Manifest, PartitionManifest, Run, SegmentRef } from '../format/manifest.ts';
import { checkSuccessor, emptyPartitionManifest, encodeManifest, encodePage } from '../format/manifest.ts';
import { addSetsum, batchSetsum, emptySetsum } from '../format/setsum.ts';
import { encodeTrim } from '../format/trim.ts';
import { WatchedStore } from './watched-store.ts';
import { batchOf } from './written-batch.ts';
import type { WrittenBatch } from './written-batch.ts';

/** A block in a slot that no segment has yet. */
export interface UnflushedBlock {
  readonly sid: string;
  readonly slot: number;
  readonly partition: number;
  readonly entry: BlockEntry;
  readonly pieces: readonly Uint8Array[];
}

export interface BlockSpec {
  readonly partition: number;
  /** Records in each batch. */
  readonly batches: readonly number[];
  readonly valueBytes?: number | undefined;
  readonly timestampMs?: number | undefined;
}

/**
 * For tests: writes the log of one partition group object by object, as owners do that do everything right, and remembers
 * what it must hold. Several sessions, one after another; nothing is concurrent, so that the test decides what a reader
 * sees at which moment.
 */
export class LogFixture {
  readonly store = new WatchedStore(createMemoryStore({ runtime: { wallMs: () => 0 } }));
  readonly topicId = 'ab'.repeat(16);
  readonly group = `${this.topicId}-0`;
  readonly unflushed: UnflushedBlock[] = [];
  manifest: Manifest;
  readonly #histories: WrittenBatch[][];
  readonly #sessions = new Map<string, { nextSlot: number; footerHash: string; trim: number }>();
  readonly #fences = new Set<string>();
  #etag: ETag | undefined;
  #objects = 0;

  constructor(partitionCount = 2) {
    this.#histories = Array.from({ length: partitionCount }, () => []);
    this.manifest = {
      version: 0,
      group: this.group,
      topicId: this.topicId,
      firstPartition: 0,
      partitionCount,
      epoch: -1,
      owner: undefined,
      writer: '00'.repeat(16),
      assignmentGeneration: 0,
      state: 'released',
      runs: [],
      partitions: Array.from({ length: partitionCount }, (_, partition) => emptyPartitionManifest(partition)),
      snapshot: undefined,
    };
  }

  /** Every batch a partition ever held. */
  history(partition: number): readonly WrittenBatch[] {
    const history = this.#histories[partition];
    assert(history !== undefined, `no partition ${partition}`);
    return history;
  }

  end(partition: number): number {
    const last = this.history(partition).at(-1)?.header;
    return last === undefined ? 0 : last.baseOffset + last.lastOffsetDelta + 1;
  }

  entry(partition: number): PartitionManifest {
    const entry = this.manifest.partitions[partition];
    assert(entry !== undefined, `no partition ${partition}`);
    return entry;
  }

  get owner(): string {
    assert(this.manifest.owner !== undefined, 'nobody owns the group');
    return this.manifest.owner.sid;
  }

  /**
   * Makes a session the owner: of a new group, of a released one, or by fencing the owner. Returns the fence's slot.
   *
   * @param standing the slot of a fence that stands already
   */
  async acquire(sid: string, standing?: number): Promise<number | undefined> {
    const before = this.manifest.owner?.sid;
    const fence = standing ?? (before === undefined ? undefined : await this.fence(before));
    const epoch = this.manifest.epoch + 1;
    const needed = (run: Run): boolean =>
      this.unflushed.some((block) => block.sid === run.sid && block.slot >= run.from);
    const closed = this.manifest.runs
      .map((run) => (run.to === undefined && fence !== undefined ? { ...run, to: fence } : run))
      .filter(needed);
    const from = this.#session(sid).nextSlot;
    await this.#write({
      epoch,
      owner: { sid, broker: 1, zone: 'a' },
      writer: sid,
      assignmentGeneration: this.manifest.assignmentGeneration + 1,
      state: 'owned',
      runs: [...closed, { sid, epoch, from, to: undefined, flushedTo: from }],
      partitions: this.manifest.partitions.map((entry) => {
        const startOffset = this.end(entry.partition);
        const epochs = entry.epochs.filter((start) => start.startOffset < startOffset);
        return { ...entry, epochs: [...epochs, { epoch, startOffset }] };
      }),
    });
    return fence;
  }

  /** Writes one slot of the owner's session. No blocks: a slot that holds another topic's records only. */
  async append(specs: readonly BlockSpec[]): Promise<number> {
    const { epoch } = this.manifest;
    const sid = this.owner;
    const blocks = specs.map((spec) => this.#block(spec, epoch));
    const foreign = specs.length === 0 ? [foreignBlock(epoch)] : [];
    const { slot, encoded } = await this.writeSlot(sid, [...blocks, ...foreign]);
    for (const [index, block] of blocks.entries()) {
      const entry = encoded.index[index];
      assert(entry !== undefined);
      const { partition, pieces } = block;
      this.unflushed.push({ sid, slot, partition, entry, pieces });
    }
    return slot;
  }

  /** The slot of a session that should be dead: not part of the log, whatever it holds. */
  async writeSlot(
    sid: string,
    blocks: readonly BlockInput[],
  ): Promise<{ slot: number; encoded: EncodedContainer }> {
    const session = this.#session(sid);
    const slot = session.nextSlot++;
    const encoded = encodeContainer(container('data', sid, slot, session.footerHash, blocks));
    session.footerHash = encoded.footerHash;
    const put = await this.store.put(slotKey(sid, slot), encoded.pieces, { ifAbsent: true });
    assert.equal(put.kind, 'written');
    return { slot, encoded };
  }

  /** Batches for a slot outside the log, from an offset on. */
  strayBlock(partition: number, baseOffset: number, epoch: number): BlockInput {
    const bytes = batchOf({ baseOffset, epoch, records: 3, valueBytes: 20, timestampMs: 0, salt: 'stray' });
    return {
      topicId: this.topicId,
      partition,
      leaderEpoch: epoch,
      pieces: [bytes],
    };
  }

  #block({ partition, batches, valueBytes = 50, timestampMs = 0 }: BlockSpec, epoch: number): BlockInput {
    const pieces: Uint8Array[] = [];
    for (const records of batches) {
      const baseOffset = this.end(partition);
      const bytes = batchOf({ baseOffset, epoch, records, valueBytes, timestampMs, salt: String(partition) });
      const header = readBatchHeader(bytes, 0);
      pieces.push(bytes);
      this.#histories[partition]?.push({ bytes, header });
    }
    return { topicId: this.topicId, partition, leaderEpoch: epoch, pieces };
  }

  /** Ends a session; returns the slot. */
  async fence(sid: string, slot = this.#session(sid).nextSlot): Promise<number> {
    const { pieces } = encodeContainer(container('fence', sid, slot, noFooterHash, []));
    await this.store.put(slotKey(sid, slot), pieces, { ifAbsent: true });
    this.#fences.add(slotKey(sid, slot));
    this.#session(sid).nextSlot = Math.max(this.#session(sid).nextSlot, slot + 1);
    return slot;
  }

  /** Moves everything from the WAL to one segment. */
  async flush(): Promise<void> {
    const sid = this.owner;
    const blocks: BlockInput[] = [];
    const flushed = this.unflushed.splice(0);
    for (const { partition } of this.manifest.partitions) {
      const own = flushed.filter((block) => block.partition === partition);
      for (const leaderEpoch of new Set(own.map(({ entry }) => entry.leaderEpoch))) {
        const same = own.filter(({ entry }) => entry.leaderEpoch === leaderEpoch);
        blocks.push({
          topicId: this.topicId,
          partition,
          leaderEpoch,
          pieces: same.flatMap(({ pieces }) => pieces),
        });
      }
    }
    const refs = blocks.length === 0 ? [] : await this.#segment(blocks);
    await this.#write({
      writer: sid,
      runs: this.manifest.runs
        .filter(({ to }) => to === undefined)
        .map((run) => ({ ...run, flushedTo: this.#session(sid).nextSlot })),
      partitions: this.manifest.partitions.map((entry) =>
        withSegments(
          entry,
          refs.filter(({ partition }) => partition === entry.partition),
        ),
      ),
    });
  }

  async #segment(blocks: readonly BlockInput[]): Promise<{ partition: number; ref: SegmentRef }[]> {
    const sequence = this.#objects++;
    const object = segmentObject(this.manifest.epoch, this.owner, sequence);
    const encoded = encodeContainer(container('segment', this.owner, sequence, noFooterHash, blocks));
    await this.store.put(segmentKey(this.group, object), encoded.pieces, { ifAbsent: true });
    return encoded.index.map((entry) => ({ partition: entry.partition, ref: refOf(object, entry) }));
  }

  /** Lets the owner's session trim all slots that no block needs. */
  async trim(): Promise<number> {
    const sid = this.owner;
    const session = this.#session(sid);
    const trim = this.unflushed.reduce(
      (first, block) => (block.sid === sid ? Math.min(first, block.slot) : first),
      session.nextSlot,
    );
    await this.store.put(trimKey(sid), encodeTrim(trim, 1));
    for (let slot = session.trim; slot < trim; slot++) await this.store.delete(slotKey(sid, slot));
    session.trim = trim;
    return trim;
  }

  /** Deletes the slots of sessions that do not own the group and that no run needs; fences stay. */
  async sweep(): Promise<void> {
    for (const [sid, { nextSlot }] of this.#sessions) {
      if (sid === this.manifest.owner?.sid) continue;
      for (let slot = 0; slot < nextSlot; slot++) {
        const isCovered = this.manifest.runs.some(
          (run) => run.sid === sid && slot >= run.flushedTo && slot < (run.to ?? Infinity),
        );
        if (!isCovered && !this.#fences.has(slotKey(sid, slot))) await this.store.delete(slotKey(sid, slot));
      }
    }
  }

  async release(): Promise<void> {
    await this.flush();
    await this.#write({ owner: undefined, state: 'released', runs: [] });
  }

  async deleteTopic(): Promise<void> {
    await this.#write({ state: 'deleted', owner: undefined, runs: [] });
  }

  /** Moves the partition's root references, but for the newest `keep`, to one page. */
  async spill(partition: number, keep: number): Promise<string> {
    const entry = this.entry(partition);
    const moved = entry.segments.slice(0, entry.segments.length - keep);
    const object = pageObject(this.#objects++, 'fixture');
    await this.store.put(pageObjectKey(this.group, object), encodePage(moved, 1), { ifAbsent: true });
    const page = {
      object,
      baseOffset: moved[0]?.baseOffset ?? 0,
      endOffset: moved.at(-1)?.endOffset ?? 0,
      count: moved.length,
      sizeBytes: moved.reduce((sum, ref) => sum + ref.sizeBytes, 0),
      maxTimestampMs: Math.max(...moved.map((ref) => ref.maxTimestampMs)),
      setsum: moved.reduce((sum, ref) => addSetsum(sum, ref.setsum), emptySetsum),
    };
    await this.#write({
      partitions: this.manifest.partitions.map((other) =>
        other === entry
          ? { ...entry, pages: [...entry.pages, page], segments: entry.segments.slice(moved.length) }
          : other,
      ),
    });
    return object;
  }

  /** Retention: moves the log start (not above the segments) and deletes segments nobody needs any more. */
  async moveLogStart(partition: number, logStart: number): Promise<void> {
    const entry = this.entry(partition);
    assert(entry.pages.length === 0 && logStart <= entry.segmentEnd);
    const dropped = entry.segments.filter((ref) => ref.endOffset <= logStart);
    const epochs = entry.epochs.filter(
      (_, index) => (entry.epochs[index + 1]?.startOffset ?? Infinity) > logStart,
    );
    const pruned = dropped.reduce((sum, ref) => addSetsum(sum, ref.setsum), entry.pruned);
    const segments = entry.segments.filter((ref) => ref.endOffset > logStart);
    await this.#write({
      partitions: this.manifest.partitions.map((other) =>
        other === entry ? { ...entry, logStart, epochs, pruned, segments } : other,
      ),
    });
    const live = new Set(
      this.manifest.partitions.flatMap((other) => other.segments.map(({ object }) => object)),
    );
    for (const { object } of dropped)
      if (!live.has(object)) await this.store.delete(segmentKey(this.group, object));
  }

  async #write(change: Partial<Manifest>): Promise<void> {
    const next = { ...this.manifest, ...change, version: this.manifest.version + 1 };
    if (this.manifest.version > 0) assert.equal(checkSuccessor(this.manifest, next), undefined);
    const condition = this.#etag === undefined ? { ifAbsent: true as const } : { ifMatch: this.#etag };
    const put = await this.store.put(manifestKey(this.group), encodeManifest(next, 1), condition);
    assert(put.kind === 'written');
    this.#etag = put.etag;
    this.manifest = next;
  }

  #session(sid: string): { nextSlot: number; footerHash: string; trim: number } {
    let session = this.#sessions.get(sid);
    if (session === undefined) {
      session = { nextSlot: 0, footerHash: noFooterHash, trim: 0 };
      this.#sessions.set(sid, session);
    }
    return session;
  }
}

/** A session id that says its name. */
export function sidOf(name: string): string {
  return Buffer.from(name.padEnd(16, '.')).toString('hex').slice(0, 32);
}

function container(
  kind: ContainerInput['kind'],
  sid: string,
  slot: number,
  previousFooterHash: string,
  blocks: readonly BlockInput[],
): ContainerInput {
  return {
    formatVersion: 1,
    kind,
    sid,
    slot,
    lastCheckpointSlot: 0,
    writerTimeMs: 0,
    previousFooterHash,
    blocks,
  };
}

function foreignBlock(epoch: number): BlockInput {
  const bytes = batchOf({
    baseOffset: 7,
    epoch,
    records: 1,
    valueBytes: 10,
    timestampMs: 0,
    salt: 'foreign',
  });
  return {
    topicId: 'cd'.repeat(16),
    partition: 0,
    leaderEpoch: epoch,
    pieces: [bytes],
  };
}

function refOf(object: string, entry: BlockEntry): SegmentRef {
  const setsum = entry.batches.reduce(
    (sum, batch) => addSetsum(sum, batchSetsum(batch.crc, batch.baseOffset, batch.sizeBytes)),
    emptySetsum,
  );
  const { baseOffset, position, sizeBytes, maxTimestampMs } = entry;
  return { object, baseOffset, endOffset: entry.lastOffset + 1, position, sizeBytes, maxTimestampMs, setsum };
}

function withSegments(
  entry: PartitionManifest,
  added: readonly { readonly ref: SegmentRef }[],
): PartitionManifest {
  const segmentEnd = added.at(-1)?.ref.endOffset ?? entry.segmentEnd;
  return {
    ...entry,
    segmentEnd,
    lastStableOffset: segmentEnd,
    maxTimestampMs: added.reduce(
      (latest, { ref }) => Math.max(latest, ref.maxTimestampMs),
      entry.maxTimestampMs,
    ),
    segments: [...entry.segments, ...added.map(({ ref }) => ref)],
    appended: added.reduce((sum, { ref }) => addSetsum(sum, ref.setsum), entry.appended),
  };
}
