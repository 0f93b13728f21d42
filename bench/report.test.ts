import assert from 'node:assert/strict';
import { test } from 'node:test';
import { quotient } from './harness.ts';
import type { Figures, RatioDefinition } from './harness.ts';
import { formatReport, jsonLine, median, summarize } from './report.ts';

const runsOf = (...values: number[]): Figures[] => values.map((mibPerSecond) => ({ mibPerSecond }));

test('the median of an even count is the mean of the middle two', () => {
  assert.equal(median([9]), 9);
  assert.equal(median([5, 1, 3]), 3);
  assert.equal(median([4, 1, 3, 100]), 3.5);
  assert.throws(() => median([]), RangeError);
});

test('a ratio is the median of the ratios of each run, not the ratio of medians', () => {
  // The medians (40 and 30) come from different runs: their ratio would tell of a machine, not of the two.
  const measurements = new Map([
    ['ours', runsOf(10, 40, 80)],
    ['theirs', runsOf(20, 30, 100)],
  ]);
  const ratios = [ratio('higher', [quotient('mibPerSecond', 'ours', 'theirs')])];
  assert.deepEqual(summarize({ name: 'x', summary: 'One against the other.', ratios }, measurements).ratios, {
    r: 0.8,
  });
});

test('the worst case is the smallest where higher is better, and the largest where lower is', () => {
  const measurements = new Map([
    ['a', runsOf(1)],
    ['b', runsOf(2)],
    ['c', runsOf(4)],
  ]);
  const over = [quotient('mibPerSecond', 'a', 'c'), quotient('mibPerSecond', 'b', 'c')];
  assert.deepEqual(
    summarize({ name: 'x', summary: 'One against the other.', ratios: [ratio('higher', over)] }, measurements)
      .ratios,
    {
      r: 0.25,
    },
  );
  assert.deepEqual(
    summarize({ name: 'x', summary: 'One against the other.', ratios: [ratio('lower', over)] }, measurements)
      .ratios,
    { r: 0.5 },
  );
});

test('a target is met at its bound', () => {
  const measurements = new Map([['a', runsOf(0.5)]]);
  const over = [{ name: 'a', ratio: (run: (c: string, f: string) => number) => run('a', 'mibPerSecond') }];
  const met = (better: 'higher' | 'lower', target: number): boolean | undefined =>
    summarize(
      { name: 'x', summary: 'One against the other.', ratios: [{ name: 'r', better, target, over }] },
      measurements,
    ).ratioRows[0]?.met;
  assert.equal(met('higher', 0.5), true);
  assert.equal(met('higher', 0.51), false);
  assert.equal(met('lower', 0.5), true);
  assert.equal(met('lower', 0.49), false);
});

test('a ratio of a case or figure that does not exist, or of no case, is an error', () => {
  const measurements = new Map([['a', runsOf(1)]]);
  const summary = (over: RatioDefinition['over']): unknown =>
    summarize(
      { name: 'x', summary: 'One against the other.', ratios: [ratio('higher', over)] },
      measurements,
    );
  assert.throws(() => summary([quotient('mibPerSecond', 'a', 'b')]), /no case "b"/);
  assert.throws(() => summary([quotient('opsPerSecond', 'a', 'a')]), /no figure "opsPerSecond"/);
  assert.throws(() => summary([{ name: 'zero', ratio: () => 1 / 0 }]), /not a number/);
  assert.throws(() => summary([]), /lists no case/);
});

test('the last line of --json holds the bench, its ratios and its figures', () => {
  const measurements = new Map([['put 4 MiB', runsOf(123.456, 123.459, 99)]]);
  const report = summarize({ name: 'store', summary: '', ratios: [] }, measurements);
  assert.equal(jsonLine(report), '{"bench":"store","ratios":{},"figures":{"put 4 MiB/mibPerSecond":123.5}}');
});

test('the table lines up its columns and shows missed targets', () => {
  const measurements = new Map([
    ['ours', runsOf(8)],
    ['theirs', runsOf(100)],
  ]);
  const ratios = [{ ...ratio('higher', [quotient('mibPerSecond', 'ours', 'theirs')]), target: 0.9 }];
  assert.equal(
    formatReport(summarize({ name: 'x', summary: 'One against the other.', ratios }, measurements)),
    [
      'One against the other.',
      '',
      'case    figure        median  min  max  runs',
      'ours    mibPerSecond       8    8    8     1',
      'theirs  mibPerSecond     100  100  100     1',
      '',
      'ratio  value  target          worst case',
      'r       0.08  ≥ 0.9   MISSED  ours / theirs',
    ].join('\n'),
  );
});

function ratio(better: 'higher' | 'lower', over: RatioDefinition['over']): RatioDefinition {
  return { name: 'r', better, over };
}
