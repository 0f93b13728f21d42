import type { Manifest } from '../format/manifest.ts';
import { forEachLimited } from '../../runtime/concurrency.ts';
import { misplacedContainer } from './container-reader.ts';
import type { ObjectReader } from './object-reader.ts';
import { listSession, readTrim } from './session-listing.ts';
import { walkSlots } from './slot-walk.ts';

const sessionsAtATime = 4;

interface OpenRange {
  readonly from: number;
  to: number;
  readonly partitions: readonly string[];
}

/**
 * Where every partition's log ends, by `<topic id>/<partition>`: at the end of its segments, or after its last block in
 * the slots of its group's runs. `undefined`: a slot that could hold more cannot be read. Reads slot indexes, each once.
 */
export async function readLogEnds(
  reader: ObjectReader,
  manifests: ReadonlyMap<string, Manifest | Error>,
): Promise<ReadonlyMap<string, number | undefined>> {
  const ends = new Map<string, number | undefined>();
  const sessions = new Map<string, OpenRange[]>();
  for (const manifest of manifests.values()) {
    if (manifest instanceof Error) continue;
    const partitions = manifest.partitions.map(({ partition }) => `${manifest.topicId}/${partition}`);
    for (const { partition, segmentEnd } of manifest.partitions)
      ends.set(`${manifest.topicId}/${partition}`, segmentEnd);
    for (const { sid, from, to, flushedTo } of manifest.runs) {
      const range = { from: Math.max(from, flushedTo), to: to ?? Number.MAX_SAFE_INTEGER, partitions };
      const ranges = sessions.get(sid);
      if (ranges === undefined) sessions.set(sid, [range]);
      else ranges.push(range);
    }
  }
  await forEachLimited(sessions, sessionsAtATime, async ([sid, ranges]) => {
    await followSession(reader, sid, ranges, ends);
  });
  return ends;
}

async function followSession(
  reader: ObjectReader,
  sid: string,
  ranges: readonly OpenRange[],
  ends: Map<string, number | undefined>,
): Promise<void> {
  const lose = (lost: OpenRange): void => {
    for (const name of lost.partitions) ends.set(name, undefined);
  };
  const trim = await readTrim(reader, sid);
  if (trim instanceof Error) {
    ranges.forEach(lose);
    return;
  }
  const rangeOf = new Map(ranges.flatMap((range) => range.partitions.map((name) => [name, range] as const)));
  const covers = ({ from, to }: OpenRange, slot: number): boolean => slot >= from && slot < to;
  const { slots } = await listSession(reader, sid);
  const firstNeeded = (from: number): number | undefined => {
    const starts = ranges
      .map((range) => Math.max(from, range.from, trim))
      .filter((start, at) => start < (ranges[at]?.to ?? 0));
    return starts.length === 0 ? undefined : starts.reduce((a, b) => Math.min(a, b));
  };
  const begin = Math.max(
    trim,
    ranges.reduce((first, { from }) => Math.min(first, from), Number.MAX_SAFE_INTEGER),
  );
  for await (const step of walkSlots(reader, { sid, slots, from: begin, firstNeeded })) {
    const isData =
      step.kind === 'slot' && step.found.kind === 'found' && step.found.value.header.kind === 'data';
    const slot = step.kind === 'slot' ? step.slot : step.from;
    if (step.kind === 'gap' || (!isData && step.found.kind === 'found')) {
      // The end of what is open; of what is closed a part is missing, which `verify` is for.
      for (const range of ranges) if (covers(range, slot)) range.to = slot;
      continue;
    }
    const { found } = step;
    if (
      found.kind === 'damaged' ||
      misplacedContainer(found.value, { kind: 'slot', sid, slot }) !== undefined
    ) {
      for (const range of ranges) if (covers(range, slot)) lose(range);
      continue;
    }
    for (const block of found.value.index) {
      const name = `${block.topicId}/${block.partition}`;
      const range = rangeOf.get(name);
      const end = ends.get(name);
      if (range === undefined || end === undefined || !covers(range, slot)) continue;
      ends.set(name, Math.max(end, block.lastOffset + 1));
    }
  }
}
