import { FrameError, FrameReader } from '../../protocol/frame-reader.ts';
import type { ByteStream } from '../net/byte-stream.ts';
import {
  decodePeerFrame,
  encodePeerFrame,
  maxHelloBytes,
  maxPeerFrameBytes,
  PeerProtocolError,
} from './peer-frame.ts';
import type { PeerFrame } from './peer-frame.ts';

/** What another broker has not read: above it, it is taken for dead rather than waited for. */
const maxUnsentBytes = 5 * maxPeerFrameBytes;

export interface PeerStreamEvents {
  /** May throw a PeerProtocolError, which closes the stream. */
  readonly frame: (frame: PeerFrame) => void;
  /** Bytes have come, whatever they are. */
  readonly heard: () => void;
  /** Comes once, and last. */
  readonly closed: (error: Error | undefined) => void;
}

/**
 * A connection between two brokers as frames in both directions. What is no frame closes it. Until {@link PeerStream.accepted}
 * only a small one is taken: who has not said who it is costs next to nothing.
 */
export class PeerStream {
  readonly #stream: ByteStream;
  readonly #events: PeerStreamEvents;
  #frames = new FrameReader(maxHelloBytes, 'the limit before the hello');
  #isClosed = false;
  #failure: Error | undefined;

  constructor(stream: ByteStream, events: PeerStreamEvents) {
    this.#stream = stream;
    this.#events = events;
  }

  start(): void {
    this.#stream.start({
      data: (chunk) => {
        if (this.#isClosed) return;
        this.#frames.push(chunk);
        this.#arrived();
      },
      room: () => (this.#isClosed ? undefined : this.#frames.room()),
      received: (count) => {
        if (this.#isClosed) return;
        this.#frames.received(count);
        this.#arrived();
      },
      drained: () => undefined,
      closed: (error) => {
        this.#end(error);
      },
    });
  }

  /** What the other side has not taken yet. */
  get unsentBytes(): number {
    return this.#stream.unsentBytes;
  }

  /** The other side is a broker of ours: frames of any size are taken from here on. */
  accepted(): void {
    if (this.#frames.bufferedBytes > 0)
      throw new PeerProtocolError('the other side went on before its hello was answered');
    this.#frames = new FrameReader(maxPeerFrameBytes, 'the limit between brokers');
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
    this.#events.heard();
    try {
      for (;;) {
        const payload = this.#isClosed ? undefined : this.#frames.next();
        if (payload === undefined) return;
        this.#events.frame(decodePeerFrame(payload));
      }
    } catch (error) {
      if (error instanceof FrameError) this.close(new PeerProtocolError(error.message, { cause: error }));
      else if (error instanceof PeerProtocolError) this.close(error);
      else throw error;
    }
  }

  #end(error: Error | undefined): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#events.closed(this.#failure ?? error);
  }
}
