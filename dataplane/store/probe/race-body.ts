import { bodySizeBytes, crc32cOf } from '../body.ts';
import type { Body } from '../object-store.ts';
import type { GateTicket } from './start-gate.ts';

/** The bytes of one writer of a race: its own text, then filler that large bodies share. */
export type RaceBody = readonly Uint8Array[];

let filler = new Uint8Array();

/**
 * @param text makes the bytes differ from those of all others.
 * @param sizeBytes 0, or at least as much as the text; less is raised to it.
 */
export function raceBody(text: string, sizeBytes: number): RaceBody {
  if (sizeBytes === 0) return [];
  const own = Buffer.from(text);
  const restBytes = Math.max(0, sizeBytes - own.byteLength);
  if (filler.byteLength < restBytes)
    filler = Uint8Array.from({ length: restBytes }, (_, i) => (i * 31) % 251);
  return [own, filler.subarray(0, restBytes)];
}

export function isSame(body: RaceBody, bytes: Uint8Array): boolean {
  let at = 0;
  for (const piece of body) {
    if (Buffer.compare(piece, bytes.subarray(at, at + piece.byteLength)) !== 0) return false;
    at += piece.byteLength;
  }
  return at === bytes.byteLength;
}

/**
 * The body as a stream that stops at its ticket's gate with one byte to go. Its CRC32C is known beforehand, so it is sent
 * like any other body.
 */
export function heldBack(
  body: RaceBody,
  ticket: GateTicket,
): { readonly body: Body; readonly crc32c: number } {
  return {
    body: { sizeBytes: bodySizeBytes(body), chunks: stopBeforeEnd(Buffer.concat(body), ticket) },
    crc32c: crc32cOf(body),
  };
}

/**
 * The last two bytes are chunks of their own: a store may keep one chunk back until it has seen the next, and what comes
 * before them is to be under way when the gate is reached.
 */
async function* stopBeforeEnd(bytes: Uint8Array, ticket: GateTicket): AsyncGenerator<Uint8Array> {
  if (bytes.byteLength > 2) yield bytes.subarray(0, -2);
  if (bytes.byteLength > 1) yield bytes.subarray(-2, -1);
  await ticket.arrive();
  if (bytes.byteLength > 0) yield bytes.subarray(-1);
}
