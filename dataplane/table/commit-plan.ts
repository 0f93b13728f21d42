import type { Committable } from './table-workers.ts';

/** What becomes of the files that workers have finished. */
export interface CommitPlan {
  /** For the next commit: for each partition, files that continue one another from the committed offset on. */
  readonly chosen: readonly Committable[];
  /** Offsets after that commit: all of those before it, and those that it moves. */
  readonly offsets: ReadonlyMap<number, number>;
  /**
   * Files that never can be committed: they begin before the committed offset and end after it, so that no commit has
   * them, and none will. All others that are not chosen may be in the table already, or come later.
   */
  readonly lost: readonly Committable[];
}

/**
 * Chooses a contiguous prefix for each partition, beginning at its committed offset; one file for each range (tables.md
 * §7, 4). A partition without files, or with a gap before its first, holds no other one back.
 */
export function planCommit(
  committed: ReadonlyMap<number, number>,
  committables: readonly Committable[],
): CommitPlan {
  const offsets = new Map(committed);
  const chosen: Committable[] = [];
  const lost: Committable[] = [];
  for (const candidate of committables.toSorted((a, b) => a.from - b.from || a.to - b.to)) {
    const { partition, from, to } = candidate;
    const next = offsets.get(partition) ?? 0;
    if (from === next && to > from) {
      chosen.push(candidate);
      offsets.set(partition, to);
    } else if (from < (committed.get(partition) ?? 0) && to > (committed.get(partition) ?? 0)) {
      lost.push(candidate);
    }
  }
  return { chosen, offsets, lost };
}
