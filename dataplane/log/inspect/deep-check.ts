import { isDeepStrictEqual } from 'node:util';
import { parseBatches } from '../../protocol/record-batch.ts';
import { crc32c } from '../../store/crc32c.ts';
import { describeBatch } from '../format/container.ts';
import type { BatchEntry, BlockEntry, DecodedContainer } from '../format/container.ts';
import { headerBytes } from '../format/container-header.ts';
import type { VerifyContext } from './verify-context.ts';

/** Read at a time, unless a single batch is larger. */
const spanBytes = 4 * 1024 * 1024;

interface Span {
  readonly start: number;
  end: number;
  readonly batches: { readonly block: BlockEntry; readonly entry: BatchEntry; readonly endsBlock: boolean }[];
}

/**
 * Reads every byte of a slot or segment and checks it against the index: header, every batch's own CRC and header, every
 * block's CRC, the body's CRC. Reports what is damaged by offsets. Stops without a word when the object is deleted
 * meanwhile: callers know whether it may be.
 */
export async function checkBytes(
  context: VerifyContext,
  key: string,
  decoded: DecodedContainer,
): Promise<void> {
  const { reader, findings, counters } = context;
  const copy = decoded.indexBytes.subarray(0, headerBytes);
  const header = await reader.read(key, ({ bytes }) => Buffer.compare(bytes, copy) === 0, {
    start: 0,
    end: headerBytes,
  });
  if (header.kind === 'absent') return;
  if (header.kind !== 'found' || !header.value) {
    findings.add(
      'RECORDS_DAMAGED',
      key,
      'its header is not the one of which its index has a copy',
      headerDamaged,
    );
  }
  let bodyCrc = 0;
  let blockCrc = 0;
  let isWhole = true;
  for (const span of spansOf(decoded.index)) {
    const found = await reader.read(key, ({ bytes }) => checkedSpan(bytes, span, decoded), span);
    if (found.kind === 'absent') return;
    if (found.kind === 'damaged') {
      findings.add('RECORDS_DAMAGED', key, `${offsetsOf(span)}: ${found.error.message}`);
      isWhole = false;
      continue;
    }
    counters.recordBytes += span.end - span.start;
    bodyCrc = crc32c(found.value, bodyCrc);
    let at = 0;
    for (const { block, entry, endsBlock } of span.batches) {
      blockCrc = crc32c(found.value.subarray(at, at + entry.sizeBytes), blockCrc);
      at += entry.sizeBytes;
      if (!endsBlock) continue;
      if (isWhole && blockCrc !== block.crc32c) {
        const which = `${block.topicId}-${block.partition} at offsets ${block.baseOffset} to ${block.lastOffset}`;
        findings.add(
          'RECORDS_DAMAGED',
          key,
          `the CRC of the block of ${which} does not match, though those of its batches do`,
        );
      }
      blockCrc = 0;
    }
  }
  if (isWhole && decoded.index.length > 0 && bodyCrc !== decoded.footer.bodyCrc32c) {
    findings.add(
      'RECORDS_DAMAGED',
      key,
      'the CRC of its body does not match, though those of its batches do',
    );
  }
}

const headerDamaged = 'no record is affected: everything that brokers read stands at the end of the object';

function* spansOf(index: readonly BlockEntry[]): Generator<Span> {
  let span: Span | undefined;
  for (const block of index) {
    let start = block.position;
    for (const [number, entry] of block.batches.entries()) {
      const end = start + entry.sizeBytes;
      if (span !== undefined && end - span.start > spanBytes) {
        yield span;
        span = undefined;
      }
      span ??= { start, end, batches: [] };
      span.end = end;
      span.batches.push({ block, entry, endsBlock: number === block.batches.length - 1 });
      start = end;
    }
  }
  if (span !== undefined) yield span;
}

function offsetsOf({ batches }: Span): string {
  const first = batches[0];
  const last = batches.at(-1);
  if (first === undefined || last === undefined) return 'nothing';
  return (
    `between offset ${first.entry.baseOffset} of ${first.block.topicId}-${first.block.partition} and offset ` +
    `${last.entry.lastOffset} of ${last.block.topicId}-${last.block.partition}`
  );
}

/** @throws Error that says what is wrong with the bytes; RecordBatchError among others */
function checkedSpan(bytes: Uint8Array, span: Span, { header }: DecodedContainer): Uint8Array {
  if (bytes.length !== span.end - span.start) {
    throw new Error(
      `${bytes.length} bytes from byte ${span.start} on, ${span.end - span.start} belong there`,
    );
  }
  const isSegment = header.kind === 'segment';
  let at = 0;
  for (const { block, entry } of span.batches) {
    const [batch] = parseBatches(bytes.subarray(at, at + entry.sizeBytes), {
      verifyCrc: true,
      allowGaps: isSegment,
    });
    const which = `the batch at byte ${span.start + at} (offset ${entry.baseOffset} of ${block.topicId}-${block.partition})`;
    if (batch === undefined || !isDeepStrictEqual(describeBatch(batch), { ...entry })) {
      throw new Error(`${which} is not the one that the index describes`);
    }
    const isEpoch = isSegment
      ? batch.leaderEpoch <= block.leaderEpoch
      : batch.leaderEpoch === block.leaderEpoch;
    if (!isEpoch)
      throw new Error(`${which} has leader epoch ${batch.leaderEpoch}, its block ${block.leaderEpoch}`);
    at += entry.sizeBytes;
  }
  return bytes;
}
