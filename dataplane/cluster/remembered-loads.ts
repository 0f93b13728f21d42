import type { GroupLoads } from './group-loads.ts';

/** For so long a group is taken to have what it had. */
const rememberedForMs = 60_000;

/**
 * The loads of groups across moves: a group that has just changed its broker is measured anew, and for some seconds nothing
 * is known of it. Were it taken for idle, its new broker would look as if it could have more, and then have too much.
 */
export class RememberedLoads {
  readonly #known = new Map<string, { readonly bytes: number; readonly atMs: number }>();

  /** What is known now, and what was known shortly before of groups that are not mentioned now. */
  update(loads: GroupLoads, nowMs: number): GroupLoads {
    for (const [group, bytes] of loads.bytes) this.#known.set(group, { bytes, atMs: nowMs });
    const bytes = new Map<string, number>();
    for (const [group, known] of this.#known) {
      if (nowMs - known.atMs > rememberedForMs) this.#known.delete(group);
      else bytes.set(group, known.bytes);
    }
    return { bytes, brokers: loads.brokers };
  }
}
