import { FrameReader } from '../../protocol/frame-reader.ts';
import type { ByteStream } from '../net/byte-stream.ts';
import { decodePeerFrame, encodePeerFrame, maxPeerFrameBytes, PeerProtocolError } from './peer-frame.ts';
import type { PeerFrame } from './peer-frame.ts';

/** What another broker has not read: above it, it is taken for dead rather than waited for. */
const maxUnsentBytes = 4 * maxPeerFrameBytes;

export interface PeerStreamEvents {
  readonly frame: (frame: PeerFrame) => void;
  /** Bytes have come, whatever they are. */
  readonly heard: () => void;
  /** Comes once, and last. */
  readonly closed: (error: Error | undefined) => void;
}

/** A connection between two brokers as frames in both directions. What is no frame closes it. */
export class PeerStream {
  readonly #stream: ByteStream;
  readonly #events: PeerStreamEvents;
  readonly #frames = new FrameReader(maxPeerFrameBytes);
  #isClosed = false;
  #failure: Error | undefined;

  constructor(stream: ByteStream, events: PeerStreamEvents) {
    this.#stream = stream;
    this.#events = events;
  }

  start(): void {
    this.#stream.start({
      data: (chunk) => {
        this.#frames.push(chunk);
        this.#arrived();
      },
      room: () => this.#frames.room(),
      received: (count) => {
        this.#frames.received(count);
        this.#arrived();
      },
      drained: () => undefined,
      closed: (error) => {
        this.#end(error);
      },
    });
  }

  /** @throws PeerProtocolError when the frame is too large to be sent */
  send(frame: PeerFrame): void {
    if (this.#isClosed) return;
    const pieces = encodePeerFrame(frame);
    if (this.#stream.unsentBytes > maxUnsentBytes) {
      this.close(new PeerProtocolError(`the other broker has not read ${this.#stream.unsentBytes} bytes`));
      return;
    }
    this.#stream.write(pieces);
  }

  close(error?: Error): void {
    if (this.#isClosed) return;
    this.#failure ??= error;
    this.#stream.destroy();
    this.#end(undefined);
  }

  #arrived(): void {
    if (this.#isClosed) return;
    this.#events.heard();
    try {
      for (;;) {
        const payload = this.#isClosed ? undefined : this.#frames.next();
        if (payload === undefined) return;
        this.#events.frame(decodePeerFrame(payload));
      }
    } catch (error) {
      this.close(error instanceof Error ? error : new Error('what came could not be read', { cause: error }));
    }
  }

  #end(error: Error | undefined): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#events.closed(this.#failure ?? error);
  }
}
