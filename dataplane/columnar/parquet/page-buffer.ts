/** Memory in which pages are put together before they are compressed: one for all pages of a file, in turns. */
export class PageBuffer {
  bytes = Buffer.allocUnsafeSlow(256 * 1024);
  length = 0;
  /** For values without the gaps of nulls. */
  #words = new Int32Array(0);

  clear(): void {
    this.length = 0;
  }

  /** Makes room for `extra` more bytes: those from `length` on may be written afterwards. */
  reserve(extra: number): void {
    if (this.length + extra <= this.bytes.length) return;
    const larger = Buffer.allocUnsafeSlow(Math.max(this.bytes.length * 2, this.length + extra));
    this.bytes.copy(larger, 0, 0, this.length);
    this.bytes = larger;
  }

  append(bytes: Uint8Array): void {
    this.reserve(bytes.length);
    this.bytes.set(bytes, this.length);
    this.length += bytes.length;
  }

  /** What stands in the buffer, valid until the next page. */
  content(): Buffer {
    return this.bytes.subarray(0, this.length);
  }

  /** Memory of at least so many words, valid until the next call. */
  words(count: number): Int32Array {
    if (this.#words.length < count) this.#words = new Int32Array(Math.max(count, this.#words.length * 2));
    return this.#words;
  }
}
