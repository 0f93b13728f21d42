import { HttpFailure } from './http-failure.ts';

const cr = 0x0d;
const lf = 0x0a;
const maxLineBytes = 8192;
const maxTrailerBytes = 65_536;

type DecoderState = 'size' | 'data' | 'data-end' | 'trailers' | 'done';

/**
 * Takes a `chunked` body apart (RFC 9112 section 7.1), fed with whatever pieces arrive:
 *
 *     *( size-in-hex [";" extension] CRLF data CRLF ) "0" CRLF *( trailer CRLF ) CRLF
 */
export class ChunkedDecoder {
  #state: DecoderState = 'size';
  #line = '';
  #remaining = 0;
  #trailerBytes = 0;

  get done(): boolean {
    return this.#state === 'done';
  }

  /**
   * Decodes a piece, gives stretches of data (views of it) to `emit`, and returns how many bytes of the piece belong to
   * the body: fewer than all only once the body is `done`.
   */
  decode(piece: Uint8Array, emit: (data: Uint8Array) => void): number {
    let at = 0;
    while (at < piece.length && this.#state !== 'done') {
      if (this.#state === 'data') {
        const end = Math.min(piece.length, at + this.#remaining);
        emit(piece.subarray(at, end));
        this.#remaining -= end - at;
        at = end;
        if (this.#remaining === 0) this.#state = 'data-end';
      } else {
        at = this.#readLine(piece, at);
      }
    }
    return at;
  }

  #readLine(piece: Uint8Array, from: number): number {
    const newline = piece.indexOf(lf, from);
    const end = newline === -1 ? piece.length : newline + 1;
    this.#line += Buffer.from(piece.buffer, piece.byteOffset + from, end - from).toString('latin1');
    if (this.#line.length > maxLineBytes) throw malformed(`a line has more than ${maxLineBytes} bytes`);
    if (newline === -1) return end;
    if (this.#line.charCodeAt(this.#line.length - 2) !== cr) throw malformed('a line does not end in CRLF');
    const line = this.#line.slice(0, -2);
    this.#line = '';
    this.#takeLine(line);
    return end;
  }

  #takeLine(line: string): void {
    switch (this.#state) {
      case 'size': {
        const size = /^([0-9a-fA-F]{1,12})[ \t]*(?:;|$)/.exec(line)?.[1];
        if (size === undefined) throw malformed(`a chunk size is ${JSON.stringify(line.slice(0, 100))}`);
        this.#remaining = Number.parseInt(size, 16);
        this.#state = this.#remaining === 0 ? 'trailers' : 'data';
        return;
      }
      case 'data-end':
        if (line !== '') throw malformed('a chunk is longer than its size');
        this.#state = 'size';
        return;
      case 'trailers':
        this.#trailerBytes += line.length;
        if (this.#trailerBytes > maxTrailerBytes)
          throw malformed(`its trailers have more than ${maxTrailerBytes} bytes`);
        if (line === '') this.#state = 'done';
        return;
      case 'data':
      case 'done':
        throw new Error(`a line was read in state ${this.#state}`);
    }
  }
}

function malformed(what: string): HttpFailure {
  return new HttpFailure('malformed', `the chunked body of the answer is not valid: ${what}`);
}
