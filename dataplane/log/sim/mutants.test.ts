import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, test } from 'node:test';
import { mutantCalled, mutantNames } from './mutants/all-mutants.ts';
import { mutate } from './mutants/mutant.ts';
import { recordedCatches, runMutant } from './mutants/run-mutants.ts';

const dataplane = path.join(import.meta.dirname, '../..');

/** The recorded seed catches the mutant at once, unless a change of the log has moved events since: then a later one does. */
const seedsTried = 2_000;

describe('every mutant of the log', () => {
  const recorded = recordedCatches();
  for (const name of mutantNames) {
    test(`${name}: its text is found in the production code, exactly once`, () => {
      const { edits } = mutantCalled(name);
      for (const file of new Set(edits.map((edit) => edit.file))) {
        const source = readFileSync(path.join(dataplane, file), 'utf8');
        assert.notEqual(mutate(source, file, edits), source, `dataplane/${file} is changed`);
      }
    });

    test(`${name}: the simulation catches it`, async () => {
      const known = recorded[name];
      assert.ok(known, `no seed is recorded for ${name}: run npm run -s sim -- log --mutants --record`);
      const { caught } = await runMutant(name, { from: known.seed, seeds: seedsTried });
      assert.ok(caught, `none of seeds ${known.seed} to ${known.seed + seedsTried - 1} catches ${name}`);
      assert.ok(
        mutantCalled(name).caughtBy.includes(caught.invariant),
        `${name} was caught by "${caught.invariant}", which is not what it breaks`,
      );
    });
  }
});

test('a mutant whose text is not there is refused', () => {
  const edits = [{ file: 'a.ts', find: 'gone', replace: '' }];
  assert.throws(() => mutate('const here = 1;', 'a.ts', edits), /stands there 0 times/);
  assert.throws(() => mutate('gone, gone', 'a.ts', edits), /stands there 2 times/);
  assert.equal(mutate('once gone', 'a.ts', edits), 'once ');
  assert.equal(mutate('gone, gone', 'b.ts', edits), 'gone, gone');
});
