/** A peer that does not speak Kafka's protocol, or asks for more than it may. The connection is to be closed. */
export class FrameError extends Error {
  override readonly name = 'FrameError';
}

const sizeBytes = 4;

/** A frame that is larger than what one read of a socket usually brings is received in memory of its own. */
const minDirectBytes = 64 * 1024;
/** Memory is taken for so many times what has arrived. It is not touched before something arrives in it. */
const growth = 16;

/**
 * Cuts what arrives on a connection into Kafka's frames:
 *
 * ```
 *   frame := size:int32 payload[size]
 * ```
 *
 * Memory follows the bytes that have arrived, never the size that was announced. A frame within one chunk is a view of it:
 * who keeps a small part of it for long copies that. One that spans chunks is put together when its last byte is there; or,
 * where whoever reads from the network can write to memory that it is given ({@link FrameReader.room}), a large one
 * arrives where it is going to stay.
 */
export class FrameReader {
  readonly #maxFrameBytes: number;
  readonly #limit: string;
  #chunks: Uint8Array[] = [];
  /** Position in the first chunk. */
  #position = 0;
  #available = 0;
  #frameBytes: number | undefined;
  /** The frame that arrives in memory of its own: what is there of it. Nothing is in the chunks while it is not whole. */
  #direct: Buffer | undefined;
  #directBytes = 0;

  /** @param limit what sets `maxFrameBytes`, for messages */
  constructor(maxFrameBytes: number, limit = 'socket.request.max.bytes') {
    this.#maxFrameBytes = maxFrameBytes;
    this.#limit = limit;
  }

  /** Bytes held here: of the frame that is arriving, its prefix included, and of whole ones that nobody has asked for. */
  get bufferedBytes(): number {
    return this.#available + (this.#frameBytes === undefined ? 0 : sizeBytes);
  }

  push(chunk: Uint8Array): void {
    if (chunk.length === 0) return;
    this.#available += chunk.length;
    if (this.#direct === undefined) {
      this.#chunks.push(chunk);
      return;
    }
    let taken = 0;
    for (
      let room = this.#directRoom();
      room !== undefined && taken < chunk.length;
      room = this.#directRoom()
    ) {
      const part = chunk.subarray(taken, taken + room.length);
      room.set(part);
      this.#directBytes += part.length;
      taken += part.length;
    }
    if (taken < chunk.length) this.#chunks.push(chunk.subarray(taken));
  }

  /**
   * Memory for what arrives next, when that is the rest of a large frame: give what was written to it to
   * {@link received}, at once. `undefined`: {@link push} what arrives.
   */
  room(): Uint8Array | undefined {
    const frameBytes = this.#frameBytes ?? 0;
    if (frameBytes <= minDirectBytes) return undefined;
    if (this.#direct === undefined) {
      if (this.#available >= frameBytes) return undefined;
      this.#direct = Buffer.allocUnsafeSlow(directCapacity(frameBytes, this.#available));
      this.#directBytes = this.#available;
      this.#copyOut(this.#direct, this.#available);
    }
    return this.#directRoom();
  }

  /** So many bytes were written to the beginning of what `room` has returned last. */
  received(count: number): void {
    this.#available += count;
    this.#directBytes += count;
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
          `a request of ${size} bytes was announced, allowed are 0 to ${this.#maxFrameBytes} (${this.#limit})`,
        );
      }
      this.#frameBytes = size;
    }
    if (this.#available < this.#frameBytes) return undefined;
    const frame = this.#direct === undefined ? this.#take(this.#frameBytes) : this.#takeDirect(this.#direct);
    this.#frameBytes = undefined;
    return frame;
  }

  #takeDirect(frame: Buffer): Uint8Array {
    this.#available -= frame.length;
    this.#direct = undefined;
    this.#directBytes = 0;
    return frame;
  }

  /** The rest of the frame that arrives in memory of its own, as far as there is memory for it; `undefined` when it is whole. */
  #directRoom(): Uint8Array | undefined {
    const frameBytes = this.#frameBytes ?? 0;
    const arrived = this.#directBytes;
    if (this.#direct === undefined || arrived === frameBytes) return undefined;
    if (arrived === this.#direct.length) {
      const larger = Buffer.allocUnsafeSlow(directCapacity(frameBytes, arrived));
      larger.set(this.#direct);
      this.#direct = larger;
    }
    return this.#direct.subarray(arrived);
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
    this.#copyOut(whole, count);
    return whole;
  }

  #copyOut(into: Buffer, count: number): void {
    let filled = 0;
    while (filled < count) {
      const chunk = this.#chunks[0];
      if (chunk === undefined) break;
      const part = chunk.subarray(this.#position, this.#position + count - filled);
      into.set(part, filled);
      filled += part.length;
      this.#advance(chunk, this.#position + part.length);
    }
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

/** All of the frame as soon as half of it would do: the last growth would copy nearly all that has arrived. */
function directCapacity(frameBytes: number, arrivedBytes: number): number {
  const bytes = Math.max(minDirectBytes, growth * arrivedBytes);
  return 2 * bytes >= frameBytes ? frameBytes : bytes;
}
