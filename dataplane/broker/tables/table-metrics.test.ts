import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Metrics } from '../../runtime/metrics.ts';
import type { TablePartitionStatus, TableStatus } from '../../table/table-status.ts';
import { TableMetrics } from './table-metrics.ts';
import type { TablesRead } from './table-metrics.ts';

const running: TablePartitionStatus = {
  partition: 0,
  state: 'running',
  committed: 5,
  lagRecords: 2,
  freshnessMs: 1_500,
  openRows: 0,
  waitingFiles: 0,
  problem: undefined,
  unreachable: undefined,
  lastError: undefined,
};

function tableOf(topic: string, given: Partial<TableStatus>): TableStatus {
  const coordinator = {
    epoch: 1,
    phase: 'committing',
    commitSeq: 1,
    lastCommitMs: 1,
    lastError: undefined,
  } as const;
  return { topicId: topic, topic, table: `default.${topic}`, coordinator, partitions: [running], ...given };
}

async function lines(metrics: Metrics, pattern: RegExp): Promise<string[]> {
  return (await metrics.expose()).split('\n').filter((line) => !line.startsWith('#') && pattern.test(line));
}

test('what stands still has a value for as long as it does, with topic, partition, offset and reason', async () => {
  const metrics = new Metrics();
  const tables = new TableMetrics(metrics);
  const counters = {
    rows: 7,
    files: 1,
    fileBytes: 10,
    commits: 1,
    workerFailures: 0,
    failures: new Map(),
  } as unknown;
  const read = (status: readonly TableStatus[]): TablesRead =>
    ({ counters, status, openFileBytes: 0 }) as unknown as TablesRead;
  const problem = { offset: 5, code: 'NOT_FRAMED', reason: 'it does not begin with a zero byte' } as const;
  const dropped = tableOf('gone', {
    coordinator: {
      epoch: 1,
      phase: 'stopped',
      commitSeq: undefined,
      lastCommitMs: undefined,
      lastError: { code: 'TABLE_DROPPED', message: 'it is gone' },
    },
    partitions: [{ ...running, committed: undefined, lagRecords: undefined, freshnessMs: undefined }],
  });
  tables.update(read([tableOf('a', { partitions: [{ ...running, state: 'stopped', problem }] }), dropped]));
  assert.deepEqual(await lines(metrics, /^firn_.*(stopped|freshness|waiting|rows)/), [
    'firn_table_rows_total 7',
    'firn_table_freshness_seconds{topic="a"} 1.5',
    'firn_table_waiting_records{topic="a"} 2',
    'firn_stopped_tables{topic="gone",code="TABLE_DROPPED"} 1',
    'firn_table_stopped_partitions{topic="a",partition="0",offset="5",code="NOT_FRAMED"} 1',
  ]);
  tables.update(read([tableOf('a', {})]));
  assert.deepEqual(await lines(metrics, /stopped|rows/), ['firn_table_rows_total 7']);
});
