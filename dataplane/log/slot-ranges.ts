/** A set of slot numbers, kept as ranges: sessions number their slots densely, so a few ranges hold them all. */
export class SlotRanges {
  /** Ascending, apart from one another, `to` exclusive. */
  readonly #ranges: { from: number; to: number }[] = [];
  #count = 0;

  get count(): number {
    return this.#count;
  }

  get first(): number | undefined {
    return this.#ranges[0]?.from;
  }

  /** The highest slot. */
  get last(): number | undefined {
    const last = this.#ranges.at(-1);
    return last === undefined ? undefined : last.to - 1;
  }

  get ranges(): readonly { readonly from: number; readonly to: number }[] {
    return this.#ranges;
  }

  add(slot: number): void {
    const at = this.#firstEndingAfter(slot - 1);
    const range = this.#ranges[at];
    if (range === undefined || slot < range.from - 1) {
      this.#ranges.splice(at, 0, { from: slot, to: slot + 1 });
    } else if (slot >= range.from && slot < range.to) {
      return;
    } else if (slot === range.from - 1) {
      range.from = slot;
    } else {
      range.to = slot + 1;
      const next = this.#ranges[at + 1];
      if (next?.from === range.to) {
        range.to = next.to;
        this.#ranges.splice(at + 1, 1);
      }
    }
    this.#count += 1;
  }

  has(slot: number): boolean {
    const range = this.#ranges[this.#firstEndingAfter(slot)];
    return range !== undefined && range.from <= slot;
  }

  /** The lowest slot that is at least `from`. */
  atLeast(from: number): number | undefined {
    const range = this.#ranges[this.#firstEndingAfter(from)];
    return range === undefined ? undefined : Math.max(range.from, from);
  }

  /** The lowest slot from `from` on that is not in the set. */
  gapFrom(from: number): number {
    const range = this.#ranges[this.#firstEndingAfter(from)];
    return range !== undefined && range.from <= from ? range.to : from;
  }

  /** How many of its slots are below `end`. */
  countBelow(end: number): number {
    let count = 0;
    for (const { from, to } of this.#ranges) {
      if (from >= end) break;
      count += Math.min(to, end) - from;
    }
    return count;
  }

  /** `0-12, 15`; at most `limit` ranges. */
  toText(limit = 4): string {
    const shown = this.#ranges
      .slice(0, limit)
      .map(({ from, to }) => (to === from + 1 ? `${from}` : `${from}-${to - 1}`));
    const rest = this.#ranges.length - shown.length;
    return shown.join(', ') + (rest > 0 ? `, … (${rest} more ranges)` : '');
  }

  /** Index of the first range with `to > slot`. */
  #firstEndingAfter(slot: number): number {
    let low = 0;
    let high = this.#ranges.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#ranges[middle]?.to ?? 0) <= slot) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
