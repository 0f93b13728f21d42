import assert from 'node:assert/strict';
import { test } from 'node:test';
import { metricProblems } from './metric-declaration.ts';
import type { MetricDeclaration } from './metric-declaration.ts';
import { Metrics, metricTable } from './metrics.ts';

test('every declared metric has a name, unit and help by the rules', () => {
  for (const [name, declaration] of Object.entries(metricTable)) {
    assert.deepEqual(metricProblems(name, declaration), [], name);
  }
});

test('two instances share nothing', async () => {
  const [one, other] = [new Metrics(), new Metrics()];
  one.counter('firn_log_lines_total').inc({ level: 'warn' }, 3);
  assert.match(await one.expose(), /^firn_log_lines_total\{level="warn"\} 3$/m);
  assert.doesNotMatch(await other.expose(), /^firn_log_lines_total\{/m);
});

test('what is exposed carries the declared help', async () => {
  assert.match(await new Metrics().expose(), /^# HELP firn_log_lines_total Lines written/m);
});

const sentence = { help: 'Bytes sent.', labels: [] };
const refused: readonly (readonly [name: string, declaration: MetricDeclaration, because: RegExp])[] = [
  ['sent_bytes_total', { ...sentence, kind: 'counter', unit: 'bytes' }, /firn_/],
  ['firn_sent_total', { ...sentence, kind: 'counter', unit: 'bytes' }, /ends in _bytes_total/],
  ['firn_sent_requests', { ...sentence, kind: 'counter', unit: 'requests' }, /ends in _total/],
  ['firn_put_ms', { ...sentence, kind: 'histogram', unit: 'seconds', buckets: [1] }, /ends in _seconds/],
  ['firn_put_seconds', { ...sentence, kind: 'histogram', unit: 'seconds', buckets: [2, 1] }, /ascend/],
  ['firn_used_bytes', { ...sentence, help: 'used', kind: 'gauge', unit: 'bytes' }, /sentence/],
  [
    'firn_used_bytes',
    { ...sentence, labels: ['topicName'], kind: 'gauge', unit: 'bytes' },
    /label topicName/,
  ],
];
for (const [name, declaration, because] of refused) {
  test(`a ${declaration.kind} ${name} is refused: ${because.source}`, () => {
    const problems = metricProblems(name, declaration);
    assert.equal(problems.length, 1);
    assert.match(problems[0] ?? '', because);
  });
}
