import { corruptAdvice, LogFormatError } from '../format/errors.ts';
import { pageObjectKey } from '../format/keys.ts';
import { decodePage } from '../format/manifest.ts';
import type { PageRef, PartitionManifest, SegmentRef } from '../format/manifest.ts';
import { SetsumAccumulator } from '../format/setsum.ts';
import { LoadingCache } from './loading-cache.ts';
import { firstAtLeast } from './segment-index.ts';
import type { VerifiedGet } from './verified-get.ts';

/** An object that a manifest names does not exist. */
export class Gone {
  readonly key: string;

  constructor(key: string) {
    this.key = key;
  }
}

/** About what one segment reference takes in memory. */
const refBytes = 200;

/** Finds segments of partitions by offset: in the manifest's root, else in a page. Pages are kept, up to a bound. */
export class SegmentDirectory {
  readonly #get: VerifiedGet;
  readonly #pages: LoadingCache<readonly SegmentRef[] | 'gone'>;

  constructor(get: VerifiedGet, limitBytes: number) {
    this.#get = get;
    this.#pages = new LoadingCache(limitBytes);
  }

  /**
   * The segment that holds `offset`, which must be in [first segment's base, `segmentEnd`).
   *
   * @throws LogError CORRUPT_LOG when a page is not what the manifest says
   */
  async find(
    group: string,
    partition: PartitionManifest,
    offset: number,
    signal: AbortSignal | undefined,
  ): Promise<SegmentRef | Gone> {
    const inRoot = findRef(partition.segments, offset);
    if (inRoot !== undefined) return inRoot;
    const page = findRef(partition.pages, offset);
    if (page === undefined)
      throw new Error(`offset ${offset} is in no segment of partition ${partition.partition}`);
    const refs = await this.page(group, page, signal);
    if (refs instanceof Gone) return refs;
    const ref = findRef(refs, offset);
    if (ref === undefined) throw new Error(`offset ${offset} is not in ${page.object}`);
    return ref;
  }

  /** As {@link find}, when that needs no page that is not in memory. */
  findKept(group: string, partition: PartitionManifest, offset: number): SegmentRef | undefined {
    const inRoot = findRef(partition.segments, offset);
    if (inRoot !== undefined) return inRoot;
    const page = findRef(partition.pages, offset);
    const refs = page === undefined ? undefined : this.#pages.peek(pageObjectKey(group, page.object));
    return refs === undefined || refs === 'gone' ? undefined : findRef(refs, offset);
  }

  /** The references of one page. */
  async page(
    group: string,
    page: PageRef,
    signal: AbortSignal | undefined,
  ): Promise<readonly SegmentRef[] | Gone> {
    const key = pageObjectKey(group, page.object);
    const refs = await this.#pages.get(
      key,
      async (signal) => {
        const expectedBytes = page.count * refBytes;
        const decode = ({ body }: { readonly body: Uint8Array }): readonly SegmentRef[] =>
          decodePageOf(page, body, key);
        const value = await this.#get.get(key, undefined, expectedBytes, decode, signal);
        return { value, keepBytes: value === 'gone' ? undefined : value.length * refBytes };
      },
      signal,
    );
    return refs === 'gone' ? new Gone(key) : refs;
  }
}

function decodePageOf(page: PageRef, bytes: Uint8Array, key: string): SegmentRef[] {
  const refs = decodePage(bytes, key);
  const sum = new SetsumAccumulator();
  let expected = page.baseOffset;
  for (const ref of refs) {
    if (ref.baseOffset !== expected || ref.endOffset <= ref.baseOffset) expected = NaN;
    else expected = ref.endOffset;
    sum.addSum(ref.setsum);
  }
  if (refs.length !== page.count || expected !== page.endOffset || sum.sum !== page.setsum) {
    throw new LogFormatError(
      'INVALID',
      key,
      `it does not hold the ${page.count} segments of offsets ${page.baseOffset} to ${page.endOffset - 1} that its ` +
        `manifest says: ${corruptAdvice}`,
    );
  }
  return refs;
}

/** The reference whose [baseOffset, endOffset) contains `offset`, of references in offset order. */
function findRef<R extends { readonly baseOffset: number; readonly endOffset: number }>(
  refs: readonly R[],
  offset: number,
): R | undefined {
  const ref = refs[firstAtLeast(refs.length, (at) => refs[at]?.endOffset ?? 0, offset + 1)];
  return ref !== undefined && ref.baseOffset <= offset ? ref : undefined;
}
