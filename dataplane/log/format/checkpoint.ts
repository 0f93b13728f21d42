import assert from 'node:assert/strict';
import type { BlockEntry } from './block-entry.ts';
import { decodeIndexBytes } from './container.ts';
import { decodeFrame, encodeFrame } from './document.ts';
import { corruptAdvice, LogFormatError } from './errors.ts';
import { ByteReader, ByteWriter, MalformedBytesError } from './varint.ts';

/**
 * The indexes of a session's slots [from, slot), all of them acknowledged, in one object: saves a takeover one read per
 * slot. A pure function of those slots, so it does not matter who writes it or how often. Binary, in a document frame:
 *
 * ```
 * sid 16 B   from varint   slot varint
 * per slot: footer hash 16 B   length varint   index as stored in the slot (container-section.ts)
 * [version 2: more bytes may follow]
 * ```
 */
export interface CheckpointInput {
  readonly sid: string;
  readonly from: number;
  /** Exclusive. */
  readonly slot: number;
  /** One for each slot, in order. `indexBytes`: as `encodeContainer` and the decoders return it. */
  readonly slots: readonly {
    readonly slot: number;
    readonly footerHash: string;
    readonly indexBytes: Uint8Array;
  }[];
}

export interface Checkpoint {
  readonly sid: string;
  readonly from: number;
  /** Exclusive. */
  readonly slot: number;
  readonly slots: readonly CheckpointSlot[];
}

/** What the tail of the slot itself would have told. */
export interface CheckpointSlot {
  readonly slot: number;
  readonly footerHash: string;
  readonly previousFooterHash: string;
  readonly writerTimeMs: number;
  readonly lastCheckpointSlot: number;
  readonly index: readonly BlockEntry[];
  /** For the next checkpoint. */
  readonly indexBytes: Uint8Array;
}

export function encodeCheckpoint(checkpoint: CheckpointInput, formatVersion: number): Uint8Array {
  const { sid, from, slot, slots } = checkpoint;
  assert(slot - from === slots.length && slots.length > 0, `${slots.length} slots from ${from} to ${slot}`);
  const writer = new ByteWriter(64 + slots.reduce((sum, { indexBytes }) => sum + indexBytes.length + 24, 0));
  writer.hex(sid);
  writer.varint(from);
  writer.varint(slot);
  for (const [index, { slot: at, footerHash, indexBytes }] of slots.entries()) {
    assert(at === from + index, `slot ${at} where ${from + index} belongs`);
    writer.hex(footerHash);
    writer.varint(indexBytes.length);
    writer.bytes(indexBytes);
  }
  if (formatVersion >= 2) writer.uint8(0);
  return encodeFrame('checkpoint', formatVersion, writer.written());
}

/** @throws LogFormatError */
export function decodeCheckpoint(bytes: Uint8Array, where: string): Checkpoint {
  const { formatVersion, payload } = decodeFrame('checkpoint', bytes, where);
  try {
    return decodePayload(new ByteReader(payload), formatVersion, where);
  } catch (error) {
    if (!(error instanceof MalformedBytesError)) throw error;
    throw new LogFormatError('INVALID', where, `${error.message}: ${corruptAdvice}`, error);
  }
}

function decodePayload(reader: ByteReader, formatVersion: number, where: string): Checkpoint {
  const sid = reader.hex(16);
  const from = reader.varint();
  const end = reader.varint();
  let before: CheckpointSlot | undefined;
  const slots: CheckpointSlot[] = [];
  for (let slot = from; slot < end; slot++) {
    const footerHash = reader.hex(16);
    const indexBytes = reader.bytes(reader.varint());
    const { header, previousFooterHash, index } = decodeIndexBytes(indexBytes, where);
    if (header.sid !== sid || header.slot !== slot || header.kind !== 'data') {
      throw new MalformedBytesError(
        `${header.kind} ${header.slot} of ${header.sid} stands where slot ${slot} of ${sid} belongs`,
      );
    }
    if (before !== undefined && before.footerHash !== previousFooterHash) {
      throw new MalformedBytesError(`slot ${slot} does not continue slot ${slot - 1}`);
    }
    const { writerTimeMs, lastCheckpointSlot } = header;
    before = { slot, footerHash, previousFooterHash, writerTimeMs, lastCheckpointSlot, index, indexBytes };
    slots.push(before);
  }
  if (slots.length === 0) throw new MalformedBytesError('it covers no slots');
  if (reader.remaining > 0 && formatVersion < 2) {
    throw new MalformedBytesError(`${reader.remaining} bytes follow its last slot`);
  }
  return { sid, from, slot: end, slots };
}
