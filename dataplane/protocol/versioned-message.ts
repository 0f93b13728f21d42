/** A message that says its version itself: `version int16 | message`. Records and group metadata are stored so. */
import { ProtocolError } from './errors.ts';
import type { AnyMessage, Message } from './message.ts';
import { readInt16 } from './wire-reader.ts';

/** All of it in one buffer. */
export function encodeVersioned<I>(message: Message<unknown, I>, value: I, version: number): Buffer {
  const prefix = Buffer.allocUnsafe(2);
  prefix.writeInt16BE(version);
  return Buffer.concat([prefix, ...message.encode(value, version)]);
}

/** @throws ProtocolError when there is none */
export function versionOf(message: AnyMessage, bytes: Uint8Array): number {
  if (bytes.length < 2) {
    throw new ProtocolError(
      'TRUNCATED',
      { messageName: message.name, version: -1, field: '', position: 0 },
      `${bytes.length} bytes, not even the version is there`,
    );
  }
  return readInt16(bytes, 0);
}

/** @throws ProtocolError when the bytes are no such message, or of a version that is not declared */
export function decodeVersioned<T>(message: Message<T, never>, bytes: Uint8Array): T {
  return message.decode(bytes, versionOf(message, bytes), 2);
}

/**
 * `decodeVersioned` for messages whose later versions only append: a newer version is read as the newest known one.
 *
 * @throws ProtocolError as above
 */
export function decodeVersionedOrNewer<T>(message: Message<T, never>, bytes: Uint8Array): T {
  return message.decode(bytes, Math.min(versionOf(message, bytes), message.versions.max), 2);
}
