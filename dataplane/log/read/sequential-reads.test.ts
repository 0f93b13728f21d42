import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SequentialReads } from './sequential-reads.ts';

test('a reader that goes on where it ended is read further and further ahead of, up to the bound', () => {
  const reads = new SequentialReads(300);
  assert.equal(reads.note('p', 0, 10, 50), 0);
  assert.equal(reads.note('p', 10, 20, 50), 50);
  assert.equal(reads.note('p', 20, 30, 50), 100);
  assert.equal(reads.note('p', 30, 40, 50), 200);
  assert.equal(reads.note('p', 40, 50, 50), 300);
  assert.equal(reads.note('p', 50, 60, 50), 300);
});

test('a reader that jumps, and one of another partition, starts again', () => {
  const reads = new SequentialReads(300);
  reads.note('p', 0, 10, 50);
  assert.equal(reads.note('p', 500, 510, 50), 0);
  assert.equal(reads.note('q', 10, 20, 50), 0);
  assert.equal(reads.note('p', 10, 20, 50), 50);
});

test('many readers in step count as one', () => {
  const reads = new SequentialReads(300);
  for (let reader = 0; reader < 100; reader++) assert.equal(reads.note('p', 0, 10, 50), 0);
  for (let reader = 0; reader < 100; reader++) assert.equal(reads.note('p', 10, 20, 50), 50);
});

test('no read-ahead at all when its bound is 0', () => {
  const reads = new SequentialReads(0);
  reads.note('p', 0, 10, 50);
  assert.equal(reads.note('p', 10, 20, 50), 0);
});

test('positions nobody came back to are forgotten after a while', () => {
  const reads = new SequentialReads(300);
  reads.note('p', 0, 1, 50);
  for (let other = 0; other < 5000; other++) reads.note('q', other * 10, other * 10 + 5, 50);
  assert.equal(reads.note('p', 1, 2, 50), 0);
});
