/** What is known of the bytes that are appended to partition groups. */
export interface GroupLoads {
  /** Per second, by group; groups without any may be left out. */
  readonly bytes: ReadonlyMap<string, number>;
  /** Ids of the brokers that have told: of the groups of others only what `bytes` names is known. */
  readonly brokers: ReadonlySet<number>;
}

export const noLoads: GroupLoads = { bytes: new Map(), brokers: new Set() };

/**
 * Groups with up to so many bytes per second are idle: all of them together have less than a hundredth of what one broker
 * has. Moving them changes nothing for the bytes, so they are what numbers of partitions are evened out with.
 *
 * @param bytes of each group, those of `brokers` brokers
 */
export function idleUpTo(bytes: Float64Array, brokers: number): number {
  const sorted = bytes.toSorted();
  const limit = sorted.reduce((sum, load) => sum + load, 0) / brokers / 100;
  let sum = 0;
  for (const [index, load] of sorted.entries()) {
    sum += load;
    if (sum <= limit) continue;
    // All groups of one size are idle, or none.
    let last = index - 1;
    while (last >= 0 && sorted[last] === load) last -= 1;
    return sorted[last] ?? -1;
  }
  return sorted.at(-1) ?? -1;
}
