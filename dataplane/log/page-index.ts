import { crc32c } from '../store/crc32c.ts';
import type { Manifest, PageRef, SegmentRef } from './format/manifest.ts';

/** What of a page's first segment decides whether retention has anything to do. */
export type FirstSegment = Pick<SegmentRef, 'object' | 'endOffset' | 'sizeBytes' | 'maxTimestampMs'>;

interface PageSummary {
  readonly first: FirstSegment;
  /** Hashes of the names of all objects in the page; none for a group of one partition, which does not need them. */
  readonly objects: Uint32Array;
}

/**
 * What the owner of a group remembers of the pages of its manifest, so that checks of retention cost no request: the
 * first segment of each page; and which objects it names, as hashes (4 KiB for a full page). Pages are immutable, so
 * what was learnt once stays true; it is forgotten when the manifest names the page no more.
 */
export class PageIndex {
  readonly #keepsObjects: boolean;
  readonly #summaries = new Map<string, PageSummary>();

  constructor(partitionCount: number) {
    this.#keepsObjects = partitionCount > 1;
  }

  learn(object: string, refs: readonly SegmentRef[]): void {
    const [first] = refs;
    if (first === undefined) return;
    const { endOffset, sizeBytes, maxTimestampMs } = first;
    this.#summaries.set(object, {
      first: { object: first.object, endOffset, sizeBytes, maxTimestampMs },
      objects: this.#keepsObjects ? Uint32Array.from(refs, (ref) => hashOf(ref.object)) : new Uint32Array(),
    });
  }

  first(page: PageRef): FirstSegment | undefined {
    return this.#summaries.get(page.object)?.first;
  }

  /** Those of `objects` that the page names, and perhaps others by a coincidence of hashes; `undefined`: not known. */
  named(page: PageRef, objects: ReadonlySet<string>): readonly string[] | undefined {
    const summary = this.#summaries.get(page.object);
    if (summary === undefined) return undefined;
    const hashes = new Set(summary.objects);
    return [...objects].filter((object) => hashes.has(hashOf(object)));
  }

  /** Forgets the pages that this manifest does not name. */
  keepOnly({ partitions }: Manifest): void {
    const named = new Set(partitions.flatMap(({ pages }) => pages.map(({ object }) => object)));
    for (const object of this.#summaries.keys()) if (!named.has(object)) this.#summaries.delete(object);
  }
}

function hashOf(object: string): number {
  return crc32c(Buffer.from(object)) >>> 0;
}
