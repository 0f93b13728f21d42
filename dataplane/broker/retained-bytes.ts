const slabBytes = 8 * 1024;

/**
 * Record batches that the log is going to keep, as views of memory that is mostly theirs. What arrives on a socket comes in
 * chunks, and the smallest view keeps its whole chunk alive: a thousand batches of 100 bytes could hold 64 MiB. So where
 * batches are a small part of their chunk they are copied, small ones together into slabs of 8 KiB.
 */
export class RetainedBytes {
  #slab = new Uint8Array(0);
  #used = 0;

  /** @param requestRecordBytes all records of the request that `batch` is from: they share its memory */
  keep(batch: Uint8Array, requestRecordBytes: number): Uint8Array {
    if (requestRecordBytes * 2 >= batch.buffer.byteLength) return batch;
    if (batch.length > slabBytes / 4) {
      const copy = Buffer.allocUnsafeSlow(batch.length);
      copy.set(batch);
      return copy;
    }
    if (this.#used + batch.length > this.#slab.length) {
      this.#slab = Buffer.allocUnsafeSlow(slabBytes);
      this.#used = 0;
    }
    const copy = this.#slab.subarray(this.#used, this.#used + batch.length);
    copy.set(batch);
    this.#used += batch.length;
    return copy;
  }
}
