import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { TablePartitionStatus, TableStatus } from '../../dataplane/table/table-status.ts';
import { mergedTables } from './merged-tables.ts';

function partition(number: number, known: Partial<TablePartitionStatus>): TablePartitionStatus {
  return {
    partition: number,
    state: 'elsewhere',
    committed: undefined,
    lagRecords: undefined,
    freshnessMs: undefined,
    openRows: 0,
    waitingFiles: 0,
    problem: undefined,
    unreachable: undefined,
    lastError: undefined,
    ...known,
  };
}

function table(topic: string, ...partitions: readonly TablePartitionStatus[]): TableStatus {
  return { topicId: topic, topic, table: `default.${topic}`, coordinator: undefined, partitions };
}

const coordinator = {
  epoch: 1,
  phase: 'committing',
  commitSeq: 4,
  lastCommitMs: undefined,
  lastError: undefined,
} as const;

test('the coordinator knows what is committed, the broker of a worker how much waits', () => {
  const atCoordinator = {
    ...table(
      'orders',
      partition(0, { state: 'running', committed: 10, lagRecords: 2, freshnessMs: 5 }),
      partition(1, { committed: 20, freshnessMs: 7 }),
    ),
    coordinator,
  };
  const atWorker = table(
    'orders',
    partition(0, {}),
    partition(1, { state: 'running', committed: 15, lagRecords: 3 }),
  );
  const expected = {
    ...atCoordinator,
    partitions: [
      atCoordinator.partitions[0],
      partition(1, { state: 'running', committed: 20, lagRecords: 3, freshnessMs: 7 }),
    ],
  };
  assert.deepEqual(mergedTables([[atCoordinator], [atWorker]]), [expected]);
  assert.deepEqual(mergedTables([[atWorker], [atCoordinator]]), [expected]);
});

test('without the broker of the coordinator the workers are all there is; tables are in order of topics', () => {
  const one = table('b', partition(0, {}), partition(1, { state: 'running', lagRecords: 1 }));
  const two = table('b', partition(0, { state: 'stopped' }), partition(1, {}));
  const merged = mergedTables([[one], [two, table('a')]]);
  assert.deepEqual(
    merged.map(({ topic, partitions }) => [topic, ...partitions.map(({ state }) => state)]),
    [['a'], ['b', 'stopped', 'running']],
  );
});
