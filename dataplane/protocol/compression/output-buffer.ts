import assert from 'node:assert/strict';

/** Kept between uses; what a larger batch needed is given back after it. */
const keptBytes = 4 * 1024 * 1024;
/** A decoder may write up to so many bytes beyond the end it was told: copies go in steps of eight. */
export const slackBytes = 16;

/**
 * Memory that decoders write to and that is used again for the next batch: fresh buffers cost page faults, and linger until
 * a collection. It grows in doublings, and only as far as a decoder can justify by the compressed bytes it has seen.
 */
export class OutputBuffer {
  #bytes: Buffer;
  #view: DataView;

  constructor(initialBytes = 64 * 1024) {
    this.#bytes = Buffer.allocUnsafeSlow(initialBytes + slackBytes);
    this.#view = viewOf(this.#bytes);
  }

  /** Valid until the next `reserve`, `trim`. */
  get bytes(): Buffer {
    return this.#bytes;
  }

  /** The same memory as `bytes`. */
  get view(): DataView {
    return this.#view;
  }

  /** Makes room for `sizeBytes` in all, and the slack; the first `usedBytes` stay. */
  reserve(sizeBytes: number, usedBytes: number): void {
    assert(usedBytes <= sizeBytes, 'an output buffer cannot shrink below what is in it');
    if (sizeBytes + slackBytes <= this.#bytes.length) return;
    const grown = Buffer.allocUnsafeSlow(
      Math.max(sizeBytes, (this.#bytes.length - slackBytes) * 2) + slackBytes,
    );
    this.#bytes.copy(grown, 0, 0, usedBytes);
    this.#bytes = grown;
    this.#view = viewOf(grown);
  }

  /** Gives memory back when the last use needed much. Takes what `bytes` returned away from this buffer, unharmed. */
  trim(): void {
    if (this.#bytes.length <= keptBytes + slackBytes) return;
    this.#bytes = Buffer.allocUnsafeSlow(keptBytes + slackBytes);
    this.#view = viewOf(this.#bytes);
  }
}

export function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
