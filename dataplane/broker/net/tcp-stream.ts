import { Socket } from 'node:net';
import { TLSSocket } from 'node:tls';
import type { OnReadOpts, SocketConstructorOpts } from 'node:net';
import type { ByteStream, ByteStreamEvents } from './byte-stream.ts';

/** What a read brings at most when nobody has given memory for it. */
const scratchBytes = 64 * 1024;

/** Pieces that are together no larger are put together before they are sent: less work than to hand over each. */
const maxCopiedBytes = 16 * 1024;

/**
 * Where reads of all connections go. A read is one system call, and what it has brought is copied out before the next: so one
 * is enough, and a connection that is silent holds no memory.
 */
const scratch = Buffer.allocUnsafeSlow(scratchBytes);

/** A TCP connection, with or without TLS. */
export class TcpStream implements ByteStream {
  readonly remoteAddress: string;
  #socket: Socket;
  /** Written in this turn of the event loop; leaves at its end. */
  #written: Uint8Array[] = [];
  #writtenBytes = 0;
  /** Whom to tell when that has been sent. */
  #waiting: (() => void)[] = [];

  constructor(socket: Socket) {
    this.#socket = socket;
    this.remoteAddress = socket.remoteAddress ?? 'unknown';
    socket.setKeepAlive(true, 60_000);
  }

  get unsentBytes(): number {
    return this.#writtenBytes + this.#socket.writableLength;
  }

  start(events: ByteStreamEvents): void {
    const socket = readingInto(this.#socket, memoryOf(events)) ?? this.#socket;
    const isDirect = socket !== this.#socket;
    this.#socket = socket;
    let failure: Error | undefined;
    if (!isDirect) socket.on('data', events.data);
    socket.on('drain', events.drained);
    socket.on('error', (error) => {
      failure = error;
    });
    socket.once('close', () => {
      events.closed(failure);
    });
    socket.resume();
  }

  /**
   * A slot that has become durable answers several requests of a connection, one after the other: a system call for each is
   * what small requests cost most, and the client would wake up for each.
   */
  write(pieces: readonly Uint8Array[], sent?: () => void): void {
    if (this.#socket.destroyed || pieces.length === 0) {
      sent?.();
      return;
    }
    if (this.#written.length === 0) {
      process.nextTick(() => {
        this.#send();
      });
    }
    for (const piece of pieces) {
      this.#written.push(piece);
      this.#writtenBytes += piece.length;
    }
    if (sent !== undefined) this.#waiting.push(sent);
  }

  #send(): void {
    const socket = this.#socket;
    const pieces = this.#written;
    const sizeBytes = this.#writtenBytes;
    const waiting = this.#waiting;
    this.#written = [];
    this.#writtenBytes = 0;
    this.#waiting = [];
    // Sockets call it also for what they cannot send any more.
    const sent =
      waiting.length === 0
        ? undefined
        : (): void => {
            for (const tell of waiting) tell();
          };
    if (socket.destroyed || pieces.length === 0) {
      sent?.();
    } else if (sizeBytes <= maxCopiedBytes && pieces.length > 1) {
      socket.write(Buffer.concat(pieces, sizeBytes));
      sent?.();
    } else {
      // One writev for all of them.
      socket.cork();
      for (const [at, piece] of pieces.entries()) {
        if (at === pieces.length - 1) socket.write(piece, sent);
        else socket.write(piece);
      }
      socket.uncork();
    }
  }

  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  destroy(): void {
    this.#send();
    this.#socket.destroy();
  }
}

/** Large frames are received where they stay; all else in the scratch memory, and copied. */
function memoryOf(events: ByteStreamEvents): OnReadOpts {
  let room: Uint8Array | undefined;
  return {
    buffer: () => {
      room = events.room();
      return room ?? scratch;
    },
    callback: (count) => {
      if (room === undefined) events.data(Buffer.from(scratch.subarray(0, count)));
      else events.received(count);
      return true;
    },
  };
}

interface WithHandle {
  _handle?: { readonly useUserBuffer?: unknown } | null;
}

/**
 * The same connection as a socket that reads into memory of ours (`onread` of `node:net`), which Node.js offers for
 * connections that it opens, not for those that a server accepts: their handle is put into a new socket. Saves a copy of all
 * that arrives, and an ArrayBuffer of 64 KiB for each read, which cost more than anything else in the broker.
 *
 * `undefined` where a socket has no such handle, and on Windows, where reads are under way all the time and cannot share
 * memory: the socket is then used as it is.
 */
function readingInto(accepted: Socket, onread: OnReadOpts): Socket | undefined {
  // What it reads is not what has come.
  if (accepted instanceof TLSSocket) return undefined;
  const handle = (accepted as unknown as WithHandle)._handle;
  if (process.platform === 'win32' || typeof handle?.useUserBuffer !== 'function') return undefined;
  (accepted as unknown as WithHandle)._handle = null;
  // Its server forgets it. Nothing is closed: it has no handle any more.
  accepted.destroy();
  const options = { handle, onread, pauseOnCreate: true };
  return new Socket(options as unknown as SocketConstructorOpts);
}
