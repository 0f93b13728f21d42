import assert from 'node:assert/strict';
import { test } from 'node:test';
import { historyProblems } from './history-check.ts';
import type { HistoryEvent } from './history-check.ts';

const good: readonly HistoryEvent[] = [
  { what: 'acked', producer: 'p0', value: 'p0-00000001', partition: 0, offset: 0 },
  { what: 'read', consumer: 'c0', value: 'p0-00000001', partition: 0, offset: 0 },
  { what: 'committed', consumer: 'c0', partition: 0, offset: 1 },
  { what: 'fetching' },
  { what: 'fetched', partition: 0, offset: 1 },
  { what: 'acked', producer: 'p0', value: 'p0-00000002', partition: 0, offset: 1 },
  { what: 'produced', producer: 'p0', left: 0 },
  { what: 'final', partition: 0, offset: 0, value: 'p0-00000001' },
  { what: 'final', partition: 0, offset: 1, value: 'p0-00000002' },
  { what: 'done' },
];

/** The good history with one event changed, or left out. */
function problems(at: number, change: Partial<HistoryEvent> | undefined): string {
  return historyProblems(
    good.flatMap((event, index) =>
      index !== at ? [event] : change === undefined ? [] : [{ ...event, ...change }],
    ),
  ).join('; ');
}

test('a history in order has no problems', () => {
  assert.deepEqual(historyProblems(good), []);
});

test('each kind of fault is found', () => {
  assert.match(problems(8, undefined), /p0-00000002 was acked at 0@1, where nothing is/);
  assert.match(problems(1, { value: 'p0-00000009' }), /was read at 0@0, where p0-00000001 is/);
  assert.match(problems(8, { value: 'p0-00000001' }), /is there twice/);
  assert.match(problems(7, { value: 'p0-00000003' }), /p0-00000002 comes after p0-00000003/);
  assert.match(problems(8, { offset: 2 }), /offset 2 follows 0/);
  assert.match(problems(4, { offset: 0 }), /offset 0 was fetched, 1 had been committed/);
  assert.match(problems(4, { what: 'invalid' }), /position was refused/);
  assert.match(problems(0, { what: 'failed', error: 'X' }), /given up with X/);
  assert.match(problems(6, { left: 3 }), /3 records were not delivered/);
  assert.match(problems(9, undefined), /did not end/);
});
