/**
 * The keys of a store in UTF-8 byte order, for LIST. Additions and removals cost almost nothing until somebody lists:
 * only then are they merged in.
 */
export class KeyIndex {
  #sorted: string[] = [];
  #added: string[] = [];
  #removed = 0;
  readonly #exists: (key: string) => boolean;
  #compare: (a: string, b: string) => number = compareUnits;

  /** @param exists whether a key is there now: keys that are not are left out when listing, and dropped in time. */
  constructor(exists: (key: string) => boolean) {
    this.#exists = exists;
  }

  /** Notes a new key. It may have been here before. */
  add(key: string): void {
    this.#added.push(key);
    this.#mindSurrogates(key);
    // Keys that have come and gone must not pile up where nobody ever lists.
    if (this.#added.length > 4096 + this.#sorted.length) this.#merged();
  }

  noteRemoved(): void {
    this.#removed++;
  }

  /** The existing keys with this prefix and after `after`, in order. */
  *from(prefix: string, after: string | undefined): Generator<string> {
    this.#mindSurrogates(prefix);
    if (after !== undefined) this.#mindSurrogates(after);
    const sorted = this.#merged();
    let at = this.#firstAtOrAfter(prefix);
    if (after !== undefined) {
      at = Math.max(at, this.#firstAtOrAfter(after));
      if (sorted[at] === after) at++;
    }
    for (; at < sorted.length; at++) {
      const key = sorted[at];
      if (key === undefined || !key.startsWith(prefix)) return;
      if (this.#exists(key)) yield key;
    }
  }

  #merged(): readonly string[] {
    if (this.#added.length > 32 || this.#removed > 64 + this.#sorted.length / 2) {
      const all = this.#sorted.concat(this.#added).sort(this.#compare);
      this.#sorted = all.filter((key, at) => key !== all[at - 1] && this.#exists(key));
      this.#removed = 0;
    } else {
      for (const key of this.#added) {
        const at = this.#firstAtOrAfter(key);
        if (this.#sorted[at] !== key) this.#sorted.splice(at, 0, key);
      }
    }
    this.#added = [];
    return this.#sorted;
  }

  /** Once a key with surrogates has been seen, the cheap comparison is wrong. */
  #mindSurrogates(key: string): void {
    if (this.#compare === compareUtf8 || !/[\ud800-\udfff]/.test(key)) return;
    this.#compare = compareUtf8;
    this.#sorted.sort(compareUtf8);
  }

  #firstAtOrAfter(key: string): number {
    let low = 0;
    let high = this.#sorted.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#compare(this.#sorted[middle] ?? '', key) < 0) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

/** UTF-16 code units compare like UTF-8 bytes as long as there are no surrogates. */
function compareUnits(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

function compareUtf8(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}
