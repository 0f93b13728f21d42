import { decodeShape, encodeShape } from './document.ts';
import { isId } from './keys.ts';
import { int32, object, text, textMatching, timestamp } from './shape.ts';

/** Who a session is: for people, and for the clean-up to start from. Nothing is decided by it. */
export interface SessionRecord {
  readonly sid: string;
  readonly broker: number;
  readonly podUid: string;
  readonly zone: string;
  /** Of the program. */
  readonly version: string;
  readonly startedAtMs: number;
}

const shape = object({
  sid: textMatching(isId, 'a session id'),
  broker: int32,
  podUid: text,
  zone: text,
  version: text,
  startedAtMs: timestamp,
});

export function encodeSessionRecord(record: SessionRecord, formatVersion: number): Uint8Array {
  const { sid, broker, podUid, zone, version, startedAtMs } = record;
  return encodeShape(
    'session',
    formatVersion,
    {
      sid,
      broker,
      podUid,
      zone,
      version,
      startedAtMs,
      ...(formatVersion >= 2 ? { reserved: [] } : {}),
    },
    shape,
  );
}

/** @throws LogFormatError */
export function decodeSessionRecord(bytes: Uint8Array, where: string): SessionRecord {
  return decodeShape('session', bytes, where, shape);
}
