import { crc32c } from '../crc32c.ts';
import { crc32cBase64 } from './aws-chunked.ts';
import { AnswerError } from './object-headers.ts';

/**
 * Passes an object's bytes on and checks them at the end: against `crc`, the base64 CRC32C of the whole, where there is
 * one. Errors go through `translate`. Not a generator, because leaving one that was never begun would not close `source`.
 */
export class VerifiedStream implements AsyncIterableIterator<Uint8Array, undefined> {
  readonly #source: AsyncIterableIterator<Uint8Array, undefined>;
  readonly #expectedCrc: string | undefined;
  readonly #translate: (error: unknown) => Error;
  #crc = 0;

  constructor(
    source: AsyncIterableIterator<Uint8Array, undefined>,
    crc: string | undefined,
    translate: (error: unknown) => Error,
  ) {
    this.#source = source;
    this.#expectedCrc = crc;
    this.#translate = translate;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async next(): Promise<IteratorResult<Uint8Array, undefined>> {
    try {
      const next = await this.#source.next();
      if (this.#expectedCrc !== undefined) {
        if (next.done !== true) this.#crc = crc32c(next.value, this.#crc);
        else checkCrc32c(this.#crc, this.#expectedCrc);
      }
      return next;
    } catch (error) {
      throw this.#translate(error);
    }
  }

  async return(): Promise<IteratorResult<Uint8Array, undefined>> {
    await this.#source.return?.();
    return { done: true, value: undefined };
  }
}

/** Throws an AnswerError. */
export function checkCrc32c(crc: number, expected: string): void {
  const found = crc32cBase64(crc);
  if (found !== expected)
    throw new AnswerError(`its body has CRC32C ${found}, the object was stored with ${expected}`);
}
