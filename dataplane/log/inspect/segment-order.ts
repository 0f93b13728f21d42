import { parseSegmentObject } from '../format/keys.ts';
import type { Manifest, PageRef, PartitionManifest, SegmentRef } from '../format/manifest.ts';

/** A segment object with all references to it that a manifest holds and that are asked for. */
export interface SegmentTask {
  readonly object: string;
  readonly refs: readonly { readonly partition: number; readonly ref: SegmentRef }[];
}

/** Reads a page of a partition; `undefined`: it cannot be read, its references are passed over. */
export type ReadPage = (partition: number, page: PageRef) => Promise<readonly SegmentRef[] | undefined>;

/**
 * All segments of a manifest, in offset order within every partition, and such that a segment which several partitions
 * share comes up once: oldest object first, as they were flushed. Holds one page of each partition at a time. Should
 * objects be out of that order in some partition, shared ones come up more than once; nothing else depends on it.
 *
 * @param fromOf offset of a partition: segments that end at or below it are left out
 */
export async function* segmentsInOrder(
  manifest: Manifest,
  fromOf: (partition: number) => number,
  readPage: ReadPage,
): AsyncGenerator<SegmentTask, void, undefined> {
  const cursors = new Set<Cursor>();
  for (const partition of manifest.partitions) {
    const cursor = new Cursor(partition, refsFrom(partition, fromOf(partition.partition), readPage));
    if (await cursor.advance()) cursors.add(cursor);
  }
  for (let oldest = oldestOf(cursors); oldest !== undefined; oldest = oldestOf(cursors)) {
    const { object } = oldest.head;
    const refs: { partition: number; ref: SegmentRef }[] = [];
    for (const cursor of cursors) {
      while (cursor.head.object === object) {
        refs.push({ partition: cursor.partition, ref: cursor.head });
        if (await cursor.advance()) continue;
        cursors.delete(cursor);
        break;
      }
    }
    yield { object, refs };
  }
}

async function* refsFrom(
  partition: PartitionManifest,
  from: number,
  readPage: ReadPage,
): AsyncGenerator<SegmentRef, void, undefined> {
  for (const page of partition.pages) {
    if (page.endOffset <= from) continue;
    for (const ref of (await readPage(partition.partition, page)) ?? []) if (ref.endOffset > from) yield ref;
  }
  for (const ref of partition.segments) if (ref.endOffset > from) yield ref;
}

class Cursor {
  readonly partition: number;
  readonly #refs: AsyncGenerator<SegmentRef, void, undefined>;
  #head: SegmentRef | undefined;
  epoch = -1;
  sequence = -1;

  constructor({ partition }: PartitionManifest, refs: AsyncGenerator<SegmentRef, void, undefined>) {
    this.partition = partition;
    this.#refs = refs;
  }

  get head(): SegmentRef {
    if (this.#head === undefined) throw new Error(`partition ${this.partition} has no more segments`);
    return this.#head;
  }

  /** False: there is no more. */
  async advance(): Promise<boolean> {
    const next = await this.#refs.next();
    if (next.done === true) return false;
    this.#head = next.value;
    const name = parseSegmentObject(next.value.object);
    this.epoch = name?.epoch ?? -1;
    this.sequence = name?.sequence ?? -1;
    return true;
  }
}

function oldestOf(cursors: Iterable<Cursor>): Cursor | undefined {
  let oldest: Cursor | undefined;
  for (const cursor of cursors) {
    const isOlder =
      oldest === undefined ||
      (cursor.epoch === oldest.epoch ? cursor.sequence < oldest.sequence : cursor.epoch < oldest.epoch);
    if (isOlder) oldest = cursor;
  }
  return oldest;
}
