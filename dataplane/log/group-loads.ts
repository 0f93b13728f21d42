import type { OwnedGroup } from './owned-group.ts';

/** After so long a rate that has ended counts half. */
const halfLifeMs = 30_000;

interface Measured {
  readonly group: LoadedGroup;
  bytes: number;
  rate: number;
  /** How much of the average is known: a group that is served only now has no past that would count as nothing. */
  weight: number;
}

export type LoadedGroup = Pick<OwnedGroup, 'id' | 'appendedBytes'>;

/** What is appended to each served group, in bytes a second, averaged over the last minute or so. */
export class GroupLoads {
  readonly #measured = new Map<string, Measured>();
  #measuredAtMs: number | undefined;

  /** Takes note of how things stand. Call every few seconds. */
  measure(groups: readonly LoadedGroup[], nowMs: number): void {
    const passedMs = this.#measuredAtMs === undefined ? 0 : nowMs - this.#measuredAtMs;
    this.#measuredAtMs = nowMs;
    const share = 1 - 2 ** (-passedMs / halfLifeMs);
    const served = new Set(groups);
    for (const [id, { group }] of this.#measured) if (!served.has(group)) this.#measured.delete(id);
    for (const group of groups) {
      const { appendedBytes } = group;
      const known = this.#measured.get(group.id);
      if (known === undefined) {
        this.#measured.set(group.id, { group, bytes: appendedBytes, rate: 0, weight: 0 });
      } else if (passedMs > 0) {
        const rate = ((appendedBytes - known.bytes) * 1_000) / passedMs;
        known.rate += share * (rate - known.rate);
        known.weight += share * (1 - known.weight);
        known.bytes = appendedBytes;
      }
    }
  }

  /** Bytes a second by group id; groups without any are left out. */
  get rates(): ReadonlyMap<string, number> {
    const rates = new Map<string, number>();
    for (const [id, { rate, weight }] of this.#measured) {
      const bytesPerSecond = weight === 0 ? 0 : rate / weight;
      if (bytesPerSecond >= 1) rates.set(id, bytesPerSecond);
    }
    return rates;
  }
}
