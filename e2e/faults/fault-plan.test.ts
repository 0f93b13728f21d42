import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { FaultPlanner } from './fault-plan.ts';
import type { RequestFacts } from './fault-plan.ts';
import { decodeFaultRules, FaultRuleError } from './fault-rule-json.ts';
import { s3Errors } from './fault-rule.ts';
import type { FaultRule } from './fault-rule.ts';
import { sampleDelayMs, seededFractions } from './seeded-random.ts';

function facts(method: string, target: string, headers: Record<string, string> = {}): RequestFacts {
  return { method, target, headers };
}

function isHit(rule: Omit<FaultRule, 'name' | 'fault'>, request: RequestFacts): boolean {
  const planner = new FaultPlanner([{ name: 'r', fault: s3Errors.slowDown, ...rule }], 1);
  return planner.plan(request).client.kind === 'error';
}

test('a rule hits by method, decoded path, query and condition', () => {
  assert.ok(isHit({}, facts('GET', '/b/k')));
  assert.ok(isHit({ methods: ['PUT'] }, facts('PUT', '/b/k')));
  assert.ok(!isHit({ methods: ['PUT'] }, facts('GET', '/b/k')));
  assert.ok(isHit({ path: /^\/b\/a b$/ }, facts('GET', '/b/a%20b?x=1')));
  assert.ok(isHit({ path: /%zz/ }, facts('GET', '/b/%zz')));
  assert.ok(isHit({ query: /list-type=2/ }, facts('GET', '/b?prefix=x&list-type=2')));
  assert.ok(isHit({ query: /^$/ }, facts('GET', '/b/list-type=2')));
  assert.ok(!isHit({ query: /list-type=2/ }, facts('GET', '/b/list-type=2')));
  assert.ok(isHit({ condition: 'if-match' }, facts('PUT', '/k', { 'if-match': '"e"' })));
  assert.ok(!isHit({ condition: 'if-match' }, facts('PUT', '/k', { 'if-none-match': '*' })));
  assert.ok(isHit({ condition: 'none' }, facts('PUT', '/k')));
  assert.ok(!isHit({ condition: 'none' }, facts('PUT', '/k', { 'if-none-match': '*' })));
});

test('a global pattern does not remember where it stopped', () => {
  const planner = new FaultPlanner([{ name: 'r', path: /k/g, fault: s3Errors.slowDown }], 1);
  for (let i = 0; i < 3; i++) assert.equal(planner.plan(facts('GET', '/k')).client.kind, 'error');
});

test('skip and count bound the hits, and everything is counted', () => {
  const planner = new FaultPlanner([{ name: 'r', skip: 2, count: 3, fault: s3Errors.slowDown }], 1);
  const kinds = Array.from({ length: 8 }, () => planner.plan(facts('PUT', '/k')).client.kind);
  assert.deepEqual(
    kinds.map((kind) => kind === 'error'),
    [false, false, true, true, true, false, false, false],
  );
  assert.deepEqual(planner.counts(), { r: { matched: 8, hit: 3 } });
});

test('slowing faults add up; the first ending one decides', () => {
  const planner = new FaultPlanner(
    [
      { name: 'l1', fault: { kind: 'latency', before: 'request', delay: 10 } },
      { name: 'l2', fault: { kind: 'latency', before: 'request', delay: 20 } },
      { name: 'end', fault: { kind: 'reset', effect: 'applied' } },
      { name: 'never', fault: s3Errors.conflict },
    ],
    1,
  );
  const plan = planner.plan(facts('PUT', '/k'));
  assert.equal(plan.requestDelayMs, 30);
  assert.deepEqual(plan.client, { kind: 'reset' });
  assert.deepEqual(plan.forward, { kind: 'now' });
  assert.equal(planner.counts()['never']?.matched, 0);
});

test('other rules do not shift which requests a rule hits', () => {
  const rule: FaultRule = { name: 'r', methods: ['PUT'], probability: 0.3, fault: s3Errors.slowDown };
  const other: FaultRule = {
    name: 'other',
    probability: 0.5,
    fault: { kind: 'latency', before: 'request', delay: { minMs: 0, maxMs: 5 } },
  };
  const hits = (rules: readonly FaultRule[]): boolean[] => {
    const planner = new FaultPlanner(rules, 42);
    return Array.from({ length: 200 }, () => planner.plan(facts('PUT', '/k')).client.kind === 'error');
  };
  assert.deepEqual(hits([other, rule]), hits([rule]));
  const share = hits([rule]).filter(Boolean).length / 200;
  assert.ok(share > 0.2 && share < 0.4, `${share}`);
});

test('two rules of one name are refused', () => {
  const rule: FaultRule = { name: 'r', fault: s3Errors.slowDown };
  assert.throws(() => new FaultPlanner([rule, rule], 1), /same name/);
});

test('delays: within their range, median and 99th percentile as asked', () => {
  const fraction = seededFractions(1, 'delays');
  assert.equal(sampleDelayMs(7, fraction), 7);
  fc.assert(
    fc.property(fc.nat(1000), fc.nat(1000), (minMs, more) => {
      const delayMs = sampleDelayMs({ minMs, maxMs: minMs + more }, fraction);
      return delayMs >= minMs && delayMs <= minMs + more;
    }),
    { seed: 1 },
  );
  const samples = Array.from({ length: 20_000 }, () => sampleDelayMs({ p50Ms: 30, p99Ms: 120 }, fraction));
  samples.sort((a, b) => a - b);
  const p50Ms = samples[10_000] ?? 0;
  const p99Ms = samples[19_800] ?? 0;
  assert.ok(Math.abs(p50Ms - 30) < 1.5, `${p50Ms}`);
  assert.ok(Math.abs(p99Ms - 120) < 12, `${p99Ms}`);
});

test('rules are read from JSON, every kind of fault', () => {
  const faults = [
    { kind: 'error', status: 503, code: 'SlowDown', effect: 'none', retryAfterSeconds: 1 },
    { kind: 'reset', effect: 'applied' },
    { kind: 'black-hole', effect: 'none' },
    { kind: 'late', delay: { minMs: 1, maxMs: 2 }, client: 'reset' },
    { kind: 'duplicate', delay: 0, answer: 'second' },
    { kind: 'truncate', afterBytes: 10, ending: 'close' },
    { kind: 'latency', before: 'answer', delay: { p50Ms: 30, p99Ms: 120 } },
    { kind: 'slow-body', of: 'request', bytesPerSecond: 1000 },
    { kind: 'corrupt-body', of: 'answer', atByte: 3 },
  ];
  const rules = decodeFaultRules([
    { name: 'all', methods: ['PUT'], path: '^/b/', query: '^$', condition: 'if-match', fault: faults[0] },
    ...faults.map((fault, index) => ({ name: `r${index}`, probability: 0.5, skip: 1, count: 2, fault })),
  ]);
  assert.deepEqual(
    rules.slice(1).map(({ fault }) => fault),
    faults,
  );
  assert.equal(rules[0]?.path?.source, '^\\/b\\/');
  assert.equal(rules[0].condition, 'if-match');
});

test('wrong rules are refused with the place and what would be right', () => {
  const fault = { kind: 'reset', effect: 'none' };
  for (const [json, message] of [
    [{}, /array/],
    [[1], /rules\[0\] must be an object/],
    [[{ fault }], /rules\[0\]\.name is missing/],
    [[{ name: 'r', fault: { kind: 'explode' } }], /rules\[0\]\.fault\.kind is "explode".*black-hole/],
    [[{ name: 'r', fault, probabilty: 1 }], /unknown fields: probabilty/],
    [[{ name: 'r', fault, probability: 2 }], /rules\[0\]\.probability is 2; it must be a number from 0 to 1/],
    [[{ name: 'r', fault, path: '(' }], /rules\[0\]\.path is not a regular expression/],
    [[{ name: 'r', fault: { ...fault, delay: 1 } }], /unknown fields: delay/],
    [[{ name: 'r', fault: { kind: 'latency', before: 'answer', delay: { minMs: 2, maxMs: 1 } } }], /delay/],
  ] as const) {
    assert.throws(
      () => decodeFaultRules(json),
      (error) => error instanceof FaultRuleError && message.test(error.message),
      `${JSON.stringify(json)} against ${message}`,
    );
  }
});
