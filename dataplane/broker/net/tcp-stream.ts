import type { Socket } from 'node:net';
import type { ByteStream, ByteStreamEvents } from './byte-stream.ts';

/** A TCP connection. */
export class TcpStream implements ByteStream {
  readonly remoteAddress: string;
  readonly #socket: Socket;

  constructor(socket: Socket) {
    this.#socket = socket;
    this.remoteAddress = socket.remoteAddress ?? 'unknown';
    socket.setKeepAlive(true, 60_000);
  }

  get unsentBytes(): number {
    return this.#socket.writableLength;
  }

  start(events: ByteStreamEvents): void {
    const socket = this.#socket;
    let failure: Error | undefined;
    socket.on('data', events.data);
    socket.on('drain', events.drained);
    socket.on('error', (error) => {
      failure = error;
    });
    socket.once('close', () => {
      events.closed(failure);
    });
    socket.resume();
  }

  write(pieces: readonly Uint8Array[]): void {
    const socket = this.#socket;
    if (socket.destroyed || pieces.length === 0) return;
    if (pieces.length === 1 && pieces[0] !== undefined) {
      socket.write(pieces[0]);
      return;
    }
    // One writev for all of them.
    socket.cork();
    for (const piece of pieces) socket.write(piece);
    socket.uncork();
  }

  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  destroy(): void {
    this.#socket.destroy();
  }
}
