import type { ByteSpan } from '../byte-range.ts';
import { StoreError } from '../errors.ts';
import type { Call } from '../request-checks.ts';
import type { OpenObject } from './open-object.ts';
import { storeErrorOf } from './system-errors.ts';

const pieceBytes = 512 * 1024;

/** Reads a stretch of one version of an object. It owns the open file. */
export class ObjectReader {
  readonly #object: OpenObject;
  readonly #span: ByteSpan;
  readonly #call: Call;
  readonly #check: () => void;

  /** @param check throws when the call was given up */
  constructor(object: OpenObject, span: ByteSpan, call: Call, check: () => void) {
    this.#object = object;
    this.#span = span;
    this.#call = call;
    this.#check = check;
  }

  /** The bytes in one piece, in `into` where that has room. The file stays open. */
  async readAll(into: Uint8Array | undefined): Promise<Uint8Array> {
    const { sizeBytes } = this.#span;
    const fits = into !== undefined && into.byteLength >= sizeBytes;
    const bytes = fits ? into.subarray(0, sizeBytes) : Buffer.allocUnsafeSlow(sizeBytes);
    for (let at = 0; at < bytes.byteLength; at += pieceBytes) {
      await this.#fill(bytes.subarray(at, at + pieceBytes), at);
    }
    return bytes;
  }

  /**
   * The bytes in pieces of their own. The file is closed when the iteration ends in whatever way, or when `signal`
   * aborts, or by `close()`: a caller need not begin the iteration.
   *
   * @param onEnd called, perhaps more than once, when the file is closed for good
   */
  stream(signal: AbortSignal | undefined, onEnd: () => void): AsyncIterable<Uint8Array> {
    const end = (): void => {
      signal?.removeEventListener('abort', onAbort);
      onEnd();
    };
    const onAbort = (): void => {
      end();
      this.close().catch(() => undefined);
    };
    // The call may have been given up while the file was being opened.
    if (signal?.aborted) onAbort();
    else signal?.addEventListener('abort', onAbort, { once: true });
    return this.#pieces(end);
  }

  close(): Promise<void> {
    return this.#object.file.close();
  }

  async *#pieces(onEnd: () => void): AsyncGenerator<Uint8Array, void, undefined> {
    try {
      for (let at = 0; at < this.#span.sizeBytes; at += pieceBytes) {
        const piece = Buffer.allocUnsafeSlow(Math.min(pieceBytes, this.#span.sizeBytes - at));
        await this.#fill(piece, at);
        yield piece;
      }
      this.#check();
    } catch (error) {
      this.#check(); // What the read failed with because the file was closed is of no interest.
      throw storeErrorOf(error, this.#call);
    } finally {
      onEnd();
      await this.close();
    }
  }

  async #fill(into: Uint8Array, at: number): Promise<void> {
    this.#check();
    const bytesRead = await this.#object.file.read(into, this.#span.offset + at);
    this.#check();
    if (bytesRead === into.byteLength) return;
    throw new StoreError(
      'CORRUPT_RESPONSE',
      `the file ended ${into.byteLength - bytesRead} bytes early; another program changed it in place`,
      this.#call,
    );
  }
}
