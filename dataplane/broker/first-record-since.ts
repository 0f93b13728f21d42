import type { BrokerLog } from '../log/broker-log.ts';
import type { Served } from '../log/served-groups.ts';
import { batchDataAsync } from '../protocol/batch-data.ts';
import { readBatchHeader } from '../protocol/record-batch.ts';
import type { BatchHeader } from '../protocol/record-batch.ts';
import { RecordCursor } from '../protocol/records.ts';

export interface FoundRecord {
  readonly offset: number;
  readonly timestampMs: number;
  readonly leaderEpoch: number;
}

/** No batch was accepted that holds more (`produced-records.ts`), unless its topic's limits were raised far. */
const maxDataBytes = 1024 * 1024 * 1024;

/**
 * The first record of a partition with this timestamp or a later one (ListOffsets by time, `offsetsForTimes`);
 * `undefined`: there is none. The log finds the batch; the records in it are looked at here.
 *
 * @throws LogError
 */
export async function firstRecordSince(
  log: BrokerLog,
  served: Served,
  timestampMs: number,
  signal: AbortSignal,
): Promise<FoundRecord | undefined> {
  const { topicId, partition } = served.partition;
  const since = await log.offsetForTimestamp(topicId, partition, timestampMs, signal);
  if (since === undefined) return undefined;
  // In a batch that began before the log start the record may lie before it too: then the search goes on behind it.
  for (let { offset } = since; ;) {
    const { pieces } = await log.read(topicId, partition, offset, 1, signal);
    const bytes = pieces[0];
    if (bytes === undefined) return undefined;
    const header = readBatchHeader(bytes, 0);
    if (header.maxTimestampMs >= timestampMs) {
      const found = await firstInBatch(bytes, header, { timestampMs, offset: since.offset });
      if (found !== undefined) return { ...found, leaderEpoch: header.leaderEpoch };
    }
    offset = header.baseOffset + header.lastOffsetDelta + 1;
  }
}

async function firstInBatch(
  bytes: Uint8Array,
  header: BatchHeader,
  least: { readonly timestampMs: number; readonly offset: number },
): Promise<{ readonly offset: number; readonly timestampMs: number } | undefined> {
  const data = await batchDataAsync(header, bytes, 0, maxDataBytes);
  const cursor = new RecordCursor(header, data);
  while (cursor.next()) {
    const { offset, timestampMs } = cursor;
    if (timestampMs >= least.timestampMs && offset >= least.offset) return { offset, timestampMs };
  }
  return undefined;
}
