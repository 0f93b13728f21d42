import { crc32c } from '../../store/crc32c.ts';
import { buildBatch } from '../../protocol/record-batch-builder.ts';
import { clusterKey } from '../../cluster/cluster-state.ts';
import { footerBytes } from '../format/container-footer.ts';
import { headerBytes } from '../format/container-header.ts';
import { decodeContainer, encodeContainer } from '../format/container.ts';
import type { BlockInput, ContainerInput, DecodedContainer } from '../format/container.ts';
import { manifestKey, parseKey, slotKey } from '../format/keys.ts';
import { decodeManifest, encodeManifest } from '../format/manifest.ts';
import type { Manifest } from '../format/manifest.ts';
import type { TestBucket } from './bucket-fixture.ts';

/** For tests: what can happen to the objects of a bucket. */

export function flipped(bytes: Uint8Array, bit: number): Uint8Array {
  const copy = Uint8Array.from(bytes);
  const at = Math.floor(bit / 8);
  copy[at] = (copy[at] ?? 0) ^ (1 << (bit % 8));
  return copy;
}

/** The object as a release far ahead would write it: another version, and checksums that hold. */
export function fromTheFuture(key: string, bytes: Uint8Array, version = 7): Uint8Array {
  const copy = Buffer.from(Uint8Array.from(bytes));
  const kind = parseKey(key)?.kind;
  if (kind === 'probe') return Buffer.from(copy.toString().replace('"format": 1', `"format": ${version}`));
  if (kind === 'slot' || kind === 'segment') return containerFromTheFuture(copy, version);
  copy.writeUInt16BE(version, key === clusterKey ? 8 : 6);
  copy.writeUInt32BE(crc32c(copy.subarray(20), crc32c(copy.subarray(0, 16))), 16);
  return copy;
}

function containerFromTheFuture(bytes: Buffer, version: number): Buffer {
  const footer = bytes.subarray(bytes.length - footerBytes);
  const indexPosition = Number(footer.readBigUInt64BE(0));
  const index = bytes.subarray(indexPosition, bytes.length - footerBytes);
  for (const header of [bytes.subarray(0, headerBytes), index.subarray(0, headerBytes)]) {
    header.writeUInt16BE(version, 4);
    header.writeUInt32BE(crc32c(header.subarray(0, 60)), 60);
  }
  footer.writeUInt32BE(crc32c(index), 12);
  footer.writeUInt16BE(version, 44);
  footer.writeUInt32BE(crc32c(footer.subarray(0, 56)), 56);
  return bytes;
}

export function readManifest(bucket: TestBucket, group: string): Manifest {
  return decodeManifest(bucket.bytes(manifestKey(group)), manifestKey(group));
}

export function changeManifest(
  bucket: TestBucket,
  group: string,
  change: (manifest: Manifest) => Manifest,
): void {
  bucket.put(manifestKey(group), encodeManifest(change(readManifest(bucket, group)), 1));
}

export function readSlot(bucket: TestBucket, sid: string, slot: number): DecodedContainer {
  return decodeContainer(bucket.bytes(slotKey(sid, slot)), slotKey(sid, slot));
}

/** Puts a slot as a session would, after the slot before it if that exists. */
export function putSlot(
  bucket: TestBucket,
  sid: string,
  slot: number,
  more: Partial<Pick<ContainerInput, 'blocks' | 'kind' | 'note' | 'previousFooterHash'>> = {},
): void {
  const before = slotKey(sid, slot - 1);
  const exists = slot > 0 && bucket.objects.byKey.has(before);
  const { pieces } = encodeContainer({
    formatVersion: 1,
    kind: 'data',
    sid,
    slot,
    lastCheckpointSlot: 0,
    writerTimeMs: 1_000,
    previousFooterHash: exists ? readSlot(bucket, sid, slot - 1).footer.footerHash : '0'.repeat(32),
    blocks: [],
    ...more,
  });
  bucket.put(slotKey(sid, slot), Buffer.concat(pieces));
}

/** A block of one batch with one record. */
export function blockOf(
  topicId: string,
  partition: number,
  at: { readonly leaderEpoch: number; readonly baseOffset: number },
  producer: {
    readonly producerId?: number;
    readonly producerEpoch?: number;
    readonly baseSequence?: number;
  } = {},
): BlockInput {
  const bytes = buildBatch({ ...at, ...producer, records: [{ value: 'x' }] });
  return { topicId, partition, leaderEpoch: at.leaderEpoch, pieces: [bytes] };
}
