import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { standardConditions, transitions, updatedConditions } from './conditions.ts';
import type { Condition, Summary } from './conditions.ts';

const noon = Date.UTC(2026, 0, 31, 12, 0, 0, 345);

function after(summary: Summary, before: readonly Condition[] = [], atMs = noon, generation = 1) {
  return updatedConditions(before, standardConditions(summary), { generation, wallMs: atMs });
}

const ready: Summary = { kind: 'ready', reason: 'Reconciled', message: 'all is well' };
const failed: Summary = { kind: 'progressing', reason: 'ActionFailed', message: 'no quota' };

describe('conditions', () => {
  it('keep the very same value, time included, while they say the same', () => {
    const before = after(ready);
    const later = after(ready, before, noon + 60_000);
    assert.deepEqual(later, before);
    for (const [i, condition] of later.entries()) assert.equal(condition, before[i]);
  });

  it('change their time only with their status, not with reason, message or generation', () => {
    const before = after(failed);
    const again = after(
      { ...failed, reason: 'ObservationFailed', message: 'no route' },
      before,
      noon + 60_000,
      2,
    );
    const [condition] = again;
    assert.equal(condition?.reason, 'ObservationFailed');
    assert.equal(condition?.observedGeneration, 2);
    assert.equal(condition?.lastTransitionTime, '2026-01-31T12:00:00Z');
    const [fixed] = after(ready, again, noon + 120_000, 2);
    assert.equal(fixed?.lastTransitionTime, '2026-01-31T12:02:00Z');
  });

  it('have messages that the API server takes', () => {
    const [condition] = after({ ...failed, message: 'x'.repeat(100_000) });
    assert.equal(condition?.message.length, 32_768);
  });

  it('drop what is not said any more', () => {
    const stray: Condition = {
      type: 'Stray',
      status: 'True',
      reason: 'Reconciled',
      message: '',
      observedGeneration: 1,
      lastTransitionTime: '2026-01-01T00:00:00Z',
    };
    assert.ok(after(ready, [stray]).every(({ type }) => type !== 'Stray'));
  });

  const expected: readonly (readonly [Summary['kind'], ReturnType<typeof kstatus>])[] = [
    ['ready', 'Current'],
    ['progressing', 'InProgress'],
    ['unknown', 'InProgress'],
    ['stalled', 'Failed'],
  ];
  for (const [kind, result] of expected) {
    it(`make kstatus call an object ${result} that is ${kind}`, () => {
      const conditions = after({ kind, reason: 'Progressing', message: 'so' }, [], noon, 3);
      const object = { metadata: { generation: 3 }, status: { observedGeneration: 3, conditions } };
      assert.equal(kstatus(object), result);
      assert.equal(kstatus({ ...object, metadata: { generation: 4 } }), 'InProgress');
    });
  }
});

describe('transitions of conditions', () => {
  it('are none while status and reason stay', () => {
    const before = after(failed);
    assert.deepEqual(transitions(before, after({ ...failed, message: 'no quota either' }, before)), []);
  });

  it('are one for one change of an object', () => {
    const types = (from: readonly Condition[], to: Summary): string[] =>
      transitions(from, after(to, from)).map(({ type, status }) => `${type}=${status}`);
    const before = after(failed);
    assert.deepEqual(types(before, ready), ['Ready=True']);
    assert.deepEqual(types(after(ready), failed), ['Ready=False']);
    assert.deepEqual(types(before, { ...failed, kind: 'stalled' }), ['Stalled=True']);
    assert.deepEqual(types([], failed), []);
    assert.deepEqual(types([], ready), ['Ready=True']);
  });
});

/** The generic part of kstatus (cli-utils, `pkg/kstatus`), with what Flux and Argo CD build on it: `Ready` for waiting. */
function kstatus(object: {
  readonly metadata: { readonly generation: number };
  readonly status: { readonly observedGeneration: number; readonly conditions: readonly Condition[] };
}): 'Current' | 'InProgress' | 'Failed' {
  const { metadata, status } = object;
  if (status.observedGeneration !== metadata.generation) return 'InProgress';
  const statusOf = (type: string): string | undefined =>
    status.conditions.find((condition) => condition.type === type)?.status;
  if (statusOf('Stalled') === 'True') return 'Failed';
  if (statusOf('Reconciling') === 'True') return 'InProgress';
  return statusOf('Ready') === 'True' ? 'Current' : 'InProgress';
}
