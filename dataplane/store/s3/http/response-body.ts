import { allocateBody } from './body-memory.ts';
import { HttpFailure } from './http-failure.ts';

/** Takes the bytes of one response body. The connection reads from its socket straight into `space`. */
export interface BodySink {
  /** Room for 1 to `maxBytes` (> 0) more bytes. */
  space(maxBytes: number): Uint8Array;
  /** So many bytes were written to the beginning of the last `space`. `false`: read no more until told to. */
  filled(bytes: number): boolean;
  end(): void;
}

const blockBytes = 64 * 1024;

/** Collects a body in memory: when its size is known, in one buffer which the kernel fills. */
export class BodyCollector implements BodySink {
  readonly #limitBytes: number;
  readonly #sized: boolean;
  readonly #full: Uint8Array[] = [];
  #block: Uint8Array;
  #used = 0;
  #totalBytes = 0;

  /**
   * Throws an HttpFailure when the body is too large. `sizeBytes` is `undefined` for a chunked body. A sized one goes
   * `into` memory that is given and has room for it.
   */
  constructor(sizeBytes: number | undefined, limitBytes: number, into?: Uint8Array) {
    this.#limitBytes = limitBytes;
    this.#sized = sizeBytes !== undefined;
    if (sizeBytes !== undefined && sizeBytes > limitBytes) throw tooLarge(sizeBytes, limitBytes);
    const fits = into !== undefined && sizeBytes !== undefined && into.length >= sizeBytes;
    this.#block = fits ? into.subarray(0, sizeBytes) : allocateBody(sizeBytes ?? 0);
  }

  space(maxBytes: number): Uint8Array {
    if (this.#used === this.#block.length && !this.#sized) {
      if (this.#used > 0) this.#full.push(this.#block);
      this.#block = allocateBody(blockBytes);
      this.#used = 0;
    }
    return this.#block.subarray(this.#used, this.#used + maxBytes);
  }

  filled(bytes: number): boolean {
    this.#used += bytes;
    this.#totalBytes += bytes;
    if (this.#totalBytes > this.#limitBytes) throw tooLarge(this.#totalBytes, this.#limitBytes);
    return true;
  }

  end(): void {
    if (this.#sized) return;
    this.#block = Buffer.concat([...this.#full, this.#block.subarray(0, this.#used)]);
  }

  /** After `end`. */
  get bytes(): Uint8Array {
    return this.#block;
  }
}

const slabBytes = 256 * 1024;
const pauseAboveBytes = 1024 * 1024;
const resumeBelowBytes = 512 * 1024;

/** A body handed on while it arrives, with at most about 1 MiB waiting. To be iterated once. */
export class BodyStream implements BodySink, AsyncIterableIterator<Uint8Array, undefined> {
  readonly #resume: () => void;
  readonly #abandon: () => void;
  #slab: Uint8Array = new Uint8Array(0);
  #used = 0;
  #pieces: Uint8Array[] = [];
  #waitingBytes = 0;
  #paused = false;
  #state: 'open' | 'ended' | 'failed' = 'open';
  #error: Error | undefined;
  #reader: PromiseWithResolvers<void> | undefined;

  /** `resume`: read on after a pause. `abandon`: the reader has left before the end. */
  constructor(resume: () => void, abandon: () => void) {
    this.#resume = resume;
    this.#abandon = abandon;
  }

  /** Waits for its reader and not for the network. */
  get paused(): boolean {
    return this.#paused;
  }

  space(maxBytes: number): Uint8Array {
    if (this.#used === this.#slab.length) {
      this.#slab = allocateBody(Math.min(slabBytes, maxBytes));
      this.#used = 0;
    }
    return this.#slab.subarray(this.#used, this.#used + maxBytes);
  }

  filled(bytes: number): boolean {
    this.#pieces.push(this.#slab.subarray(this.#used, this.#used + bytes));
    this.#used += bytes;
    this.#waitingBytes += bytes;
    this.#wake();
    this.#paused = this.#waitingBytes > pauseAboveBytes;
    return !this.#paused;
  }

  end(): void {
    if (this.#state === 'open') this.#state = 'ended';
    this.#wake();
  }

  /** What has arrived and was not read yet is dropped. */
  fail(error: Error): void {
    if (this.#state === 'failed') return;
    this.#state = 'failed';
    this.#error = error;
    this.#pieces = [];
    this.#wake();
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async next(): Promise<IteratorResult<Uint8Array, undefined>> {
    for (;;) {
      const piece = this.#pieces.shift();
      if (piece !== undefined) {
        this.#waitingBytes -= piece.length;
        if (this.#paused && this.#waitingBytes < resumeBelowBytes) {
          this.#paused = false;
          this.#resume();
        }
        return { done: false, value: piece };
      }
      if (this.#state === 'ended') return { done: true, value: undefined };
      if (this.#error !== undefined) throw this.#error;
      this.#reader ??= Promise.withResolvers();
      await this.#reader.promise;
    }
  }

  return(): Promise<IteratorResult<Uint8Array, undefined>> {
    if (this.#state === 'open') this.#abandon();
    this.#state = 'ended';
    this.#pieces = [];
    return Promise.resolve({ done: true, value: undefined });
  }

  #wake(): void {
    this.#reader?.resolve();
    this.#reader = undefined;
  }
}

function tooLarge(bytes: number, limitBytes: number): HttpFailure {
  return new HttpFailure('too-large', `the body has ${bytes} bytes or more; at most ${limitBytes} are taken`);
}
