import { Transform } from 'node:stream';
import type { TransformCallback } from 'node:stream';
import type { BodyDamage } from './fault-plan.ts';

const ticksPerSecond = 20;

/** A body on its way through the proxy, slowed down to a rate and with one byte flipped, as its plan says. */
export class DamagedBody extends Transform {
  readonly #damage: BodyDamage;
  #seenBytes = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(damage: BodyDamage) {
    super();
    this.#damage = damage;
  }

  override _transform(chunk: Buffer, _encoding: BufferEncoding, done: TransformCallback): void {
    const bytes = this.#corrupted(chunk);
    const { bytesPerSecond } = this.#damage;
    if (bytesPerSecond === undefined) done(null, bytes);
    else this.#drip(bytes, bytesPerSecond, done);
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    clearTimeout(this.#timer);
    done(error);
  }

  #corrupted(chunk: Buffer): Buffer {
    const at = (this.#damage.corruptByteAt ?? -1) - this.#seenBytes;
    this.#seenBytes += chunk.byteLength;
    const original = chunk[at];
    if (original === undefined) return chunk;
    const copy = Buffer.from(chunk);
    copy[at] = original ^ 0xff;
    return copy;
  }

  /** Every slice waits for its own time first, so that not even the first byte of a slow body is early. */
  #drip(bytes: Buffer, bytesPerSecond: number, done: TransformCallback): void {
    if (bytes.byteLength === 0) {
      done();
      return;
    }
    const slice = bytes.subarray(0, Math.max(1, Math.floor(bytesPerSecond / ticksPerSecond)));
    this.#timer = setTimeout(
      () => {
        this.push(slice);
        this.#drip(bytes.subarray(slice.byteLength), bytesPerSecond, done);
      },
      (slice.byteLength / bytesPerSecond) * 1000,
    );
  }
}
