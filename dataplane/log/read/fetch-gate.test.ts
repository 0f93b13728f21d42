import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FetchGate } from './fetch-gate.ts';

test('admits in arrival order while there is room', async () => {
  const gate = new FetchGate(100);
  const entered: string[] = [];
  await gate.enter(60, undefined);
  const waiting = (
    [
      ['b', 60],
      ['c', 30],
      ['d', 10],
    ] as const
  ).map(async ([name, bytes]) => {
    await gate.enter(bytes, undefined);
    entered.push(name);
  });
  await Promise.resolve();
  assert.deepEqual(entered, [], 'c would fit, but b came first');
  assert.equal(gate.hasRoom(1), false);
  gate.leave(60);
  await Promise.all(waiting);
  assert.deepEqual(entered, ['b', 'c', 'd']);
  assert.equal(gate.insideBytes, 100);
});

test('one that exceeds the bound enters alone', async () => {
  const gate = new FetchGate(100);
  await gate.enter(1000, undefined);
  assert.equal(gate.hasRoom(1), false);
  gate.leave(1000);
  assert.equal(gate.insideBytes, 0);
});

test('one that gives up takes nothing and lets the next one in', async () => {
  const gate = new FetchGate(100);
  await gate.enter(50, undefined);
  const left = new AbortController();
  const large = gate.enter(80, left.signal);
  const small = gate.enter(50, undefined);
  left.abort(new Error('left'));
  await assert.rejects(large, /left/);
  await small;
  assert.equal(gate.insideBytes, 100);
  await assert.rejects(gate.enter(1, AbortSignal.abort(new Error('aborted before'))), /aborted before/);
});
