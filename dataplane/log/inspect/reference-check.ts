import type { BlockEntry } from '../format/container.ts';
import type { PageRef, SegmentRef } from '../format/manifest.ts';
import { SetsumAccumulator } from '../format/setsum.ts';

/** What keeps a page from being the one that a manifest names; `undefined` when nothing does. */
export function pageProblem(refs: readonly SegmentRef[], page: PageRef): string | undefined {
  const live = new SetsumAccumulator();
  let expected: number | undefined;
  let sizeBytes = 0;
  for (const ref of refs) {
    if (expected !== undefined && ref.baseOffset !== expected) {
      return `its segment ${ref.object} starts at offset ${ref.baseOffset}, ${expected} was expected`;
    }
    if (ref.endOffset <= ref.baseOffset) return `its segment ${ref.object} ends at offset ${ref.endOffset}`;
    expected = ref.endOffset;
    sizeBytes += ref.sizeBytes;
    live.addSum(ref.setsum);
  }
  const differences = differencesOf([
    ['segments', refs.length, page.count],
    ['a first offset', refs[0]?.baseOffset ?? 'none', page.baseOffset],
    ['an end offset', expected ?? 'none', page.endOffset],
    ['record bytes', sizeBytes, page.sizeBytes],
    ['a setsum', live.sum, page.setsum],
  ]);
  return differences === undefined ? undefined : `it has ${differences}`;
}

/** What keeps the block at a reference's position from being what the reference says. */
export function segmentProblem(
  block: BlockEntry | undefined,
  ref: SegmentRef,
  place: { readonly topicId: string; readonly partition: number },
): string | undefined {
  const which = `its manifest names it for offsets ${ref.baseOffset} to ${ref.endOffset - 1} of partition ${place.partition}`;
  if (block === undefined) return `${which} at byte ${ref.position}, but no block begins there`;
  const live = new SetsumAccumulator();
  for (const batch of block.batches) live.addBatch(batch);
  const differences = differencesOf([
    ['a topic id', block.topicId, place.topicId],
    ['a partition', block.partition, place.partition],
    ['a first offset', block.baseOffset, ref.baseOffset],
    ['an end offset', block.lastOffset + 1, ref.endOffset],
    ['bytes', block.sizeBytes, ref.sizeBytes],
    ['a max timestamp', block.maxTimestampMs, ref.maxTimestampMs],
    ['a setsum', live.sum, ref.setsum],
  ]);
  return differences === undefined ? undefined : `${which}, but the block there has ${differences}`;
}

type Field = readonly [name: string, found: string | number, expected: string | number];

function differencesOf(fields: readonly Field[]): string | undefined {
  const different = fields.filter(([, found, expected]) => found !== expected);
  if (different.length === 0) return undefined;
  return different.map(([name, found, expected]) => `${name} ${found} instead of ${expected}`).join(', ');
}
