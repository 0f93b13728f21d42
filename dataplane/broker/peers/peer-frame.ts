/**
 * What brokers send each other. Frames are cut as Kafka's (`protocol/frame-reader.ts`); in each:
 *
 * ```
 *   frame := size:int32 kind:uint8 id:uint32 body:JSON
 * ```
 *
 * `id` tells which request an answer belongs to; the dialing side counts them.
 */
export interface PeerFrame {
  readonly kind: PeerFrameKind;
  readonly id: number;
  readonly body: unknown;
}

/**
 * The dialing side says `hello`, then asks (`request`, body `{ method, request }`), takes back what nobody waits for any more
 * (`cancel`), and pings. The other side answers each `hello` and `request` with its like or with a `failure`, whose body is
 * `{ message }`.
 */
export type PeerFrameKind = (typeof kinds)[number];

/** By number on the wire: appended to, never changed. */
const kinds = ['hello', 'request', 'response', 'failure', 'ping', 'pong', 'cancel'] as const;

const headerBytes = 5;

/** A frame with all that one broker may ask of another. */
export const maxPeerFrameBytes = 8 * 1024 * 1024;

/** A frame of somebody who has not been accepted yet. */
export const maxHelloBytes = 4 * 1024;

/** What came is none of our frames. The connection is to be closed. */
export class PeerProtocolError extends Error {
  override readonly name = 'PeerProtocolError';
}

export function encodePeerFrame({ kind, id, body }: PeerFrame): readonly Uint8Array[] {
  const text = Buffer.from(body === undefined ? '' : JSON.stringify(body));
  const size = headerBytes + text.length;
  if (size > maxPeerFrameBytes) {
    throw new PeerProtocolError(
      `a message of ${size} bytes to another broker: at most ${maxPeerFrameBytes} can be sent`,
    );
  }
  const header = Buffer.allocUnsafe(4 + headerBytes);
  header.writeInt32BE(size, 0);
  header.writeUInt8(kinds.indexOf(kind), 4);
  header.writeUInt32BE(id, 5);
  return text.length === 0 ? [header] : [header, text];
}

/** @throws PeerProtocolError */
export function decodePeerFrame(payload: Uint8Array): PeerFrame {
  const bytes = Buffer.from(payload.buffer, payload.byteOffset, payload.length);
  const kind = bytes.length < headerBytes ? undefined : kinds[bytes.readUInt8(0)];
  if (kind === undefined)
    throw new PeerProtocolError('the other side does not speak the protocol of Firn brokers');
  const text = bytes.toString('utf8', headerBytes);
  try {
    return { kind, id: bytes.readUInt32BE(1), body: text === '' ? undefined : JSON.parse(text) };
  } catch (error) {
    throw new PeerProtocolError(`a ${kind} from another broker is no JSON`, { cause: error });
  }
}
