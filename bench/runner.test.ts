import assert from 'node:assert/strict';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { runBench } from './runner.ts';

const fixture = (name: string): string => path.join(import.meta.dirname, 'fixtures', `${name}.bench.ts`);

test('measurements run interleaved in fresh processes, and ratios pair the figures of one run', async () => {
  const order: string[] = [];
  const report = await runBench(fixture('counting'), {
    quick: false,
    onMeasure: (caseName, run) => order.push(`${caseName} ${run}`),
  });
  assert.deepEqual(order, ['ours 0', 'theirs 0', 'fixed 0', 'ours 1', 'theirs 1', 'ours 2', 'theirs 2']);
  assert.deepEqual(report.ratios, { oursVsOthers: 0.5 });
  assert.equal(report.figures['ours/opsPerSecond'], 200);
  assert.equal(report.ratioRows[0]?.worstCase, 'ours / theirs');
  assert.equal(report.ratioRows[0]?.met, false);
  const pids = report.figureRows.filter((row) => row.figure === 'pid' && row.runs > 1);
  assert.ok(pids.every((row) => row.min !== row.max));
});

test('--quick runs fewer rounds and says so to the cases', async () => {
  const report = await runBench(fixture('counting'), { quick: true });
  assert.equal(report.figureRows[0]?.runs, 2);
  assert.deepEqual(report.ratios, { oursVsOthers: 1 });
});

test('a case that fails fails the bench, and the setup is undone', async (t) => {
  const folder = await mkdtemp(path.join(os.tmpdir(), 'firn-bench-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  process.env['FIRN_BENCH_MARKER'] = folder;
  await assert.rejects(runBench(fixture('failing'), { quick: true }), /case "exits", run 1 ended with 7/);
  assert.deepEqual(await readdir(folder), []);
});
