import type { Committable, PartitionAnswer } from '../../table/table-workers.ts';

/** What the numbers of a column, a file, a partition come to as JSON, at most. */
const columnBytes = 160;
const fileBytes = 400;

/**
 * As much of an answer as fits into one message. What is left out of a partition is the end of its list, so what is there
 * begins where it should, and the rest is there at the next question. All partitions get their first file before any gets
 * its second, so none waits for ever behind the others.
 */
export function withinBudget(
  answers: readonly PartitionAnswer[],
  maxBytes: number,
): readonly PartitionAnswer[] {
  const kept = answers.map(() => 0);
  let leftBytes = maxBytes - answers.length * fileBytes;
  const longest = answers.reduce((most, { committables }) => Math.max(most, committables.length), 0);
  for (let at = 0; at < longest; at++) {
    for (const [index, { committables }] of answers.entries()) {
      const next = committables[at];
      if (next === undefined) continue;
      leftBytes -= sizeOf(next);
      if (leftBytes < 0) return answers.map((answer, of) => firstOf(answer, kept[of] ?? 0));
      kept[index] = at + 1;
    }
  }
  return answers;
}

function firstOf(answer: PartitionAnswer, count: number): PartitionAnswer {
  return count === answer.committables.length
    ? answer
    : { ...answer, committables: answer.committables.slice(0, count) };
}

function sizeOf({ file }: Committable): number {
  if (file === undefined) return fileBytes;
  const { metrics, path } = file;
  let bytes = fileBytes + 6 * path.length + 20 * metrics.splitOffsets.length;
  bytes += columnBytes * Math.max(metrics.columnSizes.size, metrics.valueCounts.size);
  for (const bounds of [metrics.lowerBounds, metrics.upperBounds])
    for (const bound of bounds.values()) bytes += 30 + (bound.length * 4) / 3;
  return bytes;
}
