import type { Runtime } from '../../runtime/runtime.ts';

/** Client ids go into member ids, which travel in every request: a longer one is cut. */
const maxPrefixLength = 255;

/** A member id as Kafka makes them: what the client calls itself, then a random UUID. */
export function newMemberId(runtime: Runtime, prefix: string): string {
  return `${prefix.slice(0, maxPrefixLength)}-${randomUuid(runtime)}`;
}

/** A random UUID (version 4) in its usual form. */
export function randomUuid(runtime: Runtime): string {
  const bytes = Buffer.from(runtime.random.bytes(16));
  bytes.writeUInt8((bytes.readUInt8(6) & 0x0f) | 0x40, 6);
  bytes.writeUInt8((bytes.readUInt8(8) & 0x3f) | 0x80, 8);
  const hex = bytes.toString('hex');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
}
