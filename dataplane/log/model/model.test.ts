import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, it } from 'node:test';
import { catches, completeSearches, deep, everything, fencedAtHole } from './catches.ts';
import type { Catch } from './catches.ts';
import { modelPage, withTables } from './model-page.ts';
import { models } from './run.ts';
import type { RunnableModel, Way } from './run.ts';

const all: Way = { kind: 'all' };

function modelCalled(name: string): RunnableModel {
  const model = models[name];
  assert(model !== undefined);
  return model;
}

describe('the protocol of the log', () => {
  for (const { what, model: name, bounds, states } of completeSearches) {
    it(`keeps its promises in every state: ${what}`, () => {
      const result = modelCalled(name).run({ bounds, way: all });
      assert.equal(result.outcome, 'complete', JSON.stringify(result, null, 1));
      assert('states' in result);
      assert.equal(result.states, states);
    });
  }

  it('keeps its promises on long walks with everything going wrong', () => {
    const bounds = { ...deep, ...everything };
    const way: Way = { kind: 'walks', walks: 1_000, length: 250, seed: 1 };
    const result = modelCalled('check-multi').run({ bounds, way });
    assert.equal(result.outcome, 'complete', JSON.stringify(result, null, 1));
    assert('stepCount' in result && result.stepCount > 100_000);
  });
});

describe('a broken rule of the log is noticed', () => {
  const byModel: readonly (readonly [string, Readonly<Record<string, Catch>>])[] = Object.entries(catches);
  for (const [name, byMutant] of byModel) {
    for (const [mutant, { bounds, walks, schedule = [], because, length }] of Object.entries(byMutant)) {
      it(`${name}: ${mutant}`, () => {
        const way: Way = walks === undefined ? all : { kind: 'walks', walks, length: 160, seed: 1 };
        const result = modelCalled(name).run({ mutants: [mutant], bounds, schedule, way });
        assert(result.outcome === 'violated', `not caught: ${JSON.stringify(result)}`);
        assert.match(result.violated, because, JSON.stringify(result, null, 1));
        assert.equal(schedule.length + result.steps.length, length, 'steps of the counterexample');
      });
    }
  }

  it('but not when the last slot of a swept session is a fence', () => {
    const schedule = [
      ...fencedAtHole,
      'gcList',
      'gcFence s0 slot2',
      'gcReadM p0',
      'gcReadM p1',
      'landCas acquire',
    ];
    const { bounds } = catches['check-multi'].sweepFencedAtHole;
    const result = modelCalled('check-multi').run({ bounds, schedule, way: all });
    assert.equal(result.outcome, 'complete', JSON.stringify(result, null, 1));
  });
});

it('is what docs/log-model.md says of it', () => {
  const page = readFileSync(modelPage, 'utf8');
  assert.equal(withTables(page), page, 'run node dataplane/log/model/main.ts page');
});

describe('the command line of the models', () => {
  const main = path.join(import.meta.dirname, 'main.ts');
  const run = (...args: readonly string[]): { status: number | null; stdout: string; stderr: string } =>
    spawnSync(process.execPath, [main, ...args], { encoding: 'utf8' });

  it('prints a counterexample and fails', () => {
    const { status, stdout } = run('check', 'releaseInflight', 'sessions=2', 'values=2', 'slots=2');
    assert.equal(status, 1);
    assert.match(stdout, /"violated": "visible record changed/);
    assert.match(stdout, /"land s0 slot0/);
  });

  it('succeeds without a violation', () => {
    const { status, stdout } = run('check-multi', 'values=0', 'slots=1', 'maxver=2');
    assert.equal(status, 0);
    assert.match(stdout, /"outcome": "complete"/);
  });

  it('refuses a model, a mutant, a bound or a number that it does not know', () => {
    for (const args of [['chek'], ['check', 'noSael'], ['check', 'sesions=2'], ['check', 'slots=two']]) {
      const { status, stdout, stderr } = run(...args);
      assert.equal(status, 2);
      assert.equal(stdout, '');
      assert.match(stderr, /^usage: /);
    }
  });
});
