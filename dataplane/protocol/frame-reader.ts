/** A peer that does not speak Kafka's protocol, or asks for more than it may. The connection is to be closed. */
export class FrameError extends Error {
  override readonly name = 'FrameError';
}

const sizeBytes = 4;

/**
 * Cuts what arrives on a connection into Kafka's frames:
 *
 * ```
 *   frame := size:int32 payload[size]
 * ```
 *
 * Memory follows the bytes that have arrived, never the size that was announced. A frame within one chunk is a view of it:
 * who keeps a small part of it for long copies that. One that spans chunks is put together when
 * its last byte is there.
 */
export class FrameReader {
  readonly #maxFrameBytes: number;
  #chunks: Uint8Array[] = [];
  /** Position in the first chunk. */
  #position = 0;
  #available = 0;
  #frameBytes: number | undefined;

  constructor(maxFrameBytes: number) {
    this.#maxFrameBytes = maxFrameBytes;
  }

  /** Bytes held here: of the frame that is arriving, its prefix included, and of whole ones that nobody has asked for. */
  get bufferedBytes(): number {
    return this.#available + (this.#frameBytes === undefined ? 0 : sizeBytes);
  }

  push(chunk: Uint8Array): void {
    if (chunk.length === 0) return;
    this.#chunks.push(chunk);
    this.#available += chunk.length;
  }

  /**
   * The payload of the next frame, `undefined` until all of it is there.
   *
   * @throws FrameError when the announced size cannot be right
   */
  next(): Uint8Array | undefined {
    if (this.#frameBytes === undefined) {
      if (this.#available < sizeBytes) return undefined;
      const size = this.#takeInt32();
      if (size < 0 || size > this.#maxFrameBytes) {
        throw new FrameError(
          `a request of ${size} bytes was announced, allowed are 0 to ${this.#maxFrameBytes} (socket.request.max.bytes)`,
        );
      }
      this.#frameBytes = size;
    }
    if (this.#available < this.#frameBytes) return undefined;
    const frame = this.#take(this.#frameBytes);
    this.#frameBytes = undefined;
    return frame;
  }

  #take(count: number): Uint8Array {
    const first = this.#chunks[0];
    if (first === undefined || count === 0) return new Uint8Array(0);
    this.#available -= count;
    const end = this.#position + count;
    if (end <= first.length) {
      const view = first.subarray(this.#position, end);
      this.#advance(first, end);
      return view;
    }
    const whole = Buffer.allocUnsafeSlow(count);
    let filled = 0;
    while (filled < count) {
      const chunk = this.#chunks[0];
      if (chunk === undefined) break;
      const part = chunk.subarray(this.#position, this.#position + count - filled);
      whole.set(part, filled);
      filled += part.length;
      this.#advance(chunk, this.#position + part.length);
    }
    return whole;
  }

  #takeInt32(): number {
    let value = 0;
    for (let taken = 0; taken < sizeBytes; taken++) {
      const chunk = this.#chunks[0];
      if (chunk === undefined) break;
      value = (value << 8) | (chunk[this.#position] ?? 0);
      this.#advance(chunk, this.#position + 1);
    }
    this.#available -= sizeBytes;
    return value;
  }

  #advance(first: Uint8Array, position: number): void {
    if (position < first.length) {
      this.#position = position;
      return;
    }
    this.#chunks.shift();
    this.#position = 0;
  }
}
