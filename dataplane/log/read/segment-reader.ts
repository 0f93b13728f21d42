import { footerBytes } from '../format/container-footer.ts';
import { decodeContainerTail } from '../format/container.ts';
import type { DecodedContainer, IncompleteTail } from '../format/container.ts';
import { headerBytes } from '../format/container-header.ts';
import { corruptAdvice, LogFormatError } from '../format/errors.ts';
import { segmentKey } from '../format/keys.ts';
import type { Manifest, PartitionManifest, SegmentRef } from '../format/manifest.ts';
import { LogError } from '../errors.ts';
import { partitionOf } from '../owned-group.ts';
import type { BatchCollector } from './batch-collector.ts';
import { chunkName, loadedBytes } from './cold-store.ts';
import type { ColdStore, LoadedBytes } from './cold-store.ts';
import { RecordBytes } from './record-memory.ts';
import { Gone } from './segment-directory.ts';
import type { Chunk, SegmentBlock, SegmentIndex } from './segment-index.ts';
import {
  batchAt,
  batchesEndingBy,
  batchStart,
  blockAt,
  chunkAt,
  indexBytes,
  segmentIndexOf,
} from './segment-index.ts';
import { verifyChunk } from './verify-chunk.ts';
import type { EpochsOf } from './verify-chunk.ts';
import type { FoundBytes } from './verified-get.ts';

/** Where an offset of a partition lies in a segment. */
export interface SegmentPlace {
  readonly ref: SegmentRef;
  readonly index: SegmentIndex;
  readonly block: SegmentBlock;
  readonly chunk: Chunk;
}

/**
 * Reads records from segments, in chunks that all readers share. What the caller's manifest names and does not exist is
 * returned as {@link Gone}: either that manifest is out of date, or the log is damaged.
 */
export class SegmentReader {
  readonly #cold: ColdStore;
  readonly #readingAhead = new Set<string>();

  constructor(cold: ColdStore) {
    this.#cold = cold;
  }

  /**
   * Adds batches of a partition to `collector`, from its `nextOffset` (in segments) on: at least one, and more as long as
   * they are in memory already. Nobody waits for a second GET with an answer in hand.
   *
   * @throws LogError CORRUPT_LOG
   */
  async collect(
    manifest: Manifest,
    partition: number,
    collector: BatchCollector,
    signal: AbortSignal | undefined,
  ): Promise<Gone | undefined> {
    const from = collector.nextOffset;
    const segmentEnd = entryOf(manifest, partition).segmentEnd;
    const place = await this.place(manifest, partition, from, signal);
    if (place instanceof Gone) return place;
    const records = await this.chunk(manifest, place, signal);
    if (records instanceof Gone) return records;
    collector.addChunk(records, place.chunk.start, place.block);
    while (!collector.isFull && collector.nextOffset < segmentEnd) {
      const next = this.#placeKept(manifest, partition, collector.nextOffset);
      const kept =
        next === undefined ? undefined : this.#cold.chunks.peek(chunkName(next.index.key, next.chunk.start));
      if (next === undefined || kept === undefined || kept === 'gone') break;
      collector.addChunk(kept, next.chunk.start, next.block);
    }
    this.noteRead(manifest, partition, from, collector.nextOffset);
    return undefined;
  }

  /** Finds an offset, which must be in segments. Reads the segment's index, and a page, unless they are in memory. */
  async place(
    manifest: Manifest,
    partition: number,
    offset: number,
    signal: AbortSignal | undefined,
  ): Promise<SegmentPlace | Gone> {
    const entry = entryOf(manifest, partition);
    const ref = await this.#cold.directory.find(manifest.group, entry, offset, signal);
    if (ref instanceof Gone) return ref;
    const index = await this.index(manifest, ref, signal);
    return index instanceof Gone ? index : placeIn(index, manifest, partition, ref, offset);
  }

  #placeKept(manifest: Manifest, partition: number, offset: number): SegmentPlace | undefined {
    const ref = this.#cold.directory.findKept(manifest.group, entryOf(manifest, partition), offset);
    if (ref === undefined) return undefined;
    const index = this.#cold.indexes.peek(segmentKey(manifest.group, ref.object));
    return index === undefined || index === 'gone'
      ? undefined
      : placeIn(index, manifest, partition, ref, offset);
  }

  /** The bytes of the chunk, verified; held for the caller. */
  async chunk(
    manifest: Manifest,
    place: SegmentPlace,
    signal: AbortSignal | undefined,
  ): Promise<RecordBytes | Gone> {
    const { index, chunk } = place;
    const name = chunkName(index.key, chunk.start);
    const records = await this.#cold.chunks.get(name, this.#chunkLoad(manifest, index, chunk), signal);
    if (records !== 'gone') return records;
    this.#cold.indexes.drop(index.key);
    return new Gone(index.key);
  }

  #chunkLoad(
    manifest: Manifest,
    index: SegmentIndex,
    chunk: Chunk,
  ): (signal: AbortSignal) => Promise<LoadedBytes> {
    const verify = (bytes: Uint8Array): void => {
      verifyChunk(bytes, chunk, index, epochsOf(manifest));
    };
    return async (signal) =>
      loadedBytes(await this.#cold.verified.getSpan(index.key, chunk.start, chunk.end, verify, signal));
  }

  /** The index of a segment, in one suffix GET as a rule. */
  async index(
    manifest: Manifest,
    ref: SegmentRef,
    signal: AbortSignal | undefined,
  ): Promise<SegmentIndex | Gone> {
    const key = segmentKey(manifest.group, ref.object);
    const index = await this.#cold.indexes.get(
      key,
      async (signal) => {
        const value = await this.#loadIndex(manifest, ref, key, signal);
        return { value, keepBytes: value === 'gone' ? undefined : indexBytes(value) };
      },
      signal,
    );
    return index === 'gone' ? new Gone(key) : index;
  }

  async #loadIndex(
    manifest: Manifest,
    ref: SegmentRef,
    key: string,
    signal: AbortSignal,
  ): Promise<SegmentIndex | 'gone'> {
    const { readChunkBytes } = this.#cold.options;
    let suffix = suffixBytes(ref, readChunkBytes);
    for (;;) {
      const decode = (found: FoundBytes): SegmentIndex | IncompleteTail => {
        const { body, info, offset } = found;
        if (offset + body.length !== info.sizeBytes) {
          const what = `its last ${suffix} bytes were asked for, ${body.length} from ${offset} on came back`;
          throw new LogFormatError('TRUNCATED', key, `${what}: ${corruptAdvice}`);
        }
        const decoded = decodeContainerTail(body, info.sizeBytes, key);
        if (decoded.kind === 'incomplete') return decoded;
        return this.#keepChunks(manifest, ref, decoded, found, key);
      };
      const index = await this.#cold.verified.get(key, { suffix }, suffix, decode, signal);
      if (index === 'gone' || !('needBytes' in index)) return index;
      suffix = index.needBytes;
    }
  }

  /** Small segments come whole with their index: then nothing else has to be fetched. */
  #keepChunks(
    manifest: Manifest,
    ref: SegmentRef,
    decoded: DecodedContainer,
    { body, offset }: FoundBytes,
    key: string,
  ): SegmentIndex {
    const { chunks, options } = this.#cold;
    const index = segmentIndexOf(decoded, ref.object, key, options.readChunkBytes);
    for (const [number, start] of index.chunkStarts.entries()) {
      const end = index.chunkStarts[number + 1];
      if (end === undefined || start < offset) continue;
      const bytes = body.subarray(start - offset, end - offset);
      verifyChunk(bytes, { start, end }, index, epochsOf(manifest));
      if (!chunks.has(chunkName(key, start))) {
        chunks.put(chunkName(key, start), new RecordBytes(bytes), bytes.length);
      }
    }
    return index;
  }

  /**
   * Takes note of a read of [from, to) that was answered from segments. When it is part of a sequential one, what comes
   * next is fetched while the caller consumes what it got.
   */
  noteRead(manifest: Manifest, partition: number, from: number, to: number): void {
    const { sequential, options } = this.#cold;
    const name = `${manifest.group}/${partition}`;
    const windowBytes = sequential.note(name, from, to, options.readChunkBytes);
    const task = `${name}@${to}`;
    if (windowBytes === 0 || this.#readingAhead.has(task)) return;
    this.#readingAhead.add(task);
    // Whatever goes wrong here meets the reader again when it gets there.
    this.#readAhead(manifest, partition, to, windowBytes)
      .catch(() => undefined)
      .finally(() => this.#readingAhead.delete(task));
  }

  /** As {@link place}, unless that would bring in more than there is room for. */
  async #placeAhead(
    manifest: Manifest,
    partition: number,
    offset: number,
  ): Promise<SegmentPlace | undefined> {
    const { directory, indexes, chunks, gate, options } = this.#cold;
    const ref = await directory.find(manifest.group, entryOf(manifest, partition), offset, undefined);
    if (ref instanceof Gone) return undefined;
    const expectedBytes = suffixBytes(ref, options.readChunkBytes);
    if (!indexes.has(segmentKey(manifest.group, ref.object))) {
      if (!gate.hasRoom(expectedBytes) || !chunks.hasRoomAhead(expectedBytes)) return undefined;
    }
    const index = await this.index(manifest, ref, undefined);
    return index instanceof Gone ? undefined : placeIn(index, manifest, partition, ref, offset);
  }

  async #readAhead(manifest: Manifest, partition: number, from: number, windowBytes: number): Promise<void> {
    const { chunks, gate } = this.#cold;
    const { segmentEnd } = entryOf(manifest, partition);
    let offset = from;
    let rest = windowBytes;
    while (rest > 0 && offset < segmentEnd) {
      const place = await this.#placeAhead(manifest, partition, offset);
      if (place === undefined) return;
      const { index, chunk, block } = place;
      const sizeBytes = chunk.end - chunk.start;
      const name = chunkName(index.key, chunk.start);
      if (chunks.has(name)) {
        rest -=
          Math.min(chunk.end, block.position + block.sizeBytes) - batchStart(block, batchAt(block, offset));
      } else {
        if (!gate.hasRoom(sizeBytes)) return;
        if (!chunks.ahead(name, sizeBytes, this.#chunkLoad(manifest, index, chunk))) return;
        rest -= sizeBytes;
      }
      offset = nextOffsetAfter(block, chunk);
    }
  }
}

function entryOf(manifest: Manifest, partition: number): PartitionManifest {
  const entry = partitionOf(manifest, partition);
  if (entry === undefined) throw new Error(`partition ${partition} is not in group ${manifest.group}`);
  return entry;
}

function epochsOf(manifest: Manifest): EpochsOf {
  return (partition) => partitionOf(manifest, partition)?.epochs ?? [];
}

/** @throws LogError CORRUPT_LOG when the segment does not hold what the manifest says */
function placeIn(
  index: SegmentIndex,
  manifest: Manifest,
  partition: number,
  ref: SegmentRef,
  offset: number,
): SegmentPlace {
  const block = blockAt(index, ref.position);
  if (
    block?.partition !== partition ||
    block.topicId !== manifest.topicId ||
    block.baseOffset !== ref.baseOffset ||
    block.lastOffset + 1 !== ref.endOffset ||
    block.sizeBytes !== ref.sizeBytes
  ) {
    throw new LogError(
      'CORRUPT_LOG',
      `${index.key} holds no block of ${manifest.topicId}-${partition} with offsets ${ref.baseOffset} to ` +
        `${ref.endOffset - 1} at byte ${ref.position}, but the manifest of ${manifest.group} says so: ${corruptAdvice}`,
    );
  }
  return { ref, index, block, chunk: chunkAt(index, batchStart(block, batchAt(block, offset))) };
}

/** Offset after the last batch of the block that lies in the chunk. */
export function nextOffsetAfter(block: SegmentBlock, chunk: Chunk): number {
  return (block.lastOffsets[batchesEndingBy(block, chunk.end) - 1] ?? block.lastOffset) + 1;
}

/**
 * How much of a segment's end to ask for. An index takes about 15 bytes a batch; when it turns out to be larger, a second
 * GET brings all of it. A small segment is asked for whole, as far as its size can be told from one reference.
 */
function suffixBytes(ref: SegmentRef, chunkBytes: number): number {
  if (ref.sizeBytes <= 2 * chunkBytes) {
    return headerBytes + ref.sizeBytes + Math.max(4096, Math.ceil(ref.sizeBytes / 64)) + footerBytes;
  }
  const least = Math.max(4096, chunkBytes / 64);
  return Math.ceil(Math.min(1024 * 1024, Math.max(least, ref.sizeBytes / 256)));
}
