import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, it } from 'node:test';
import { mutate } from '../../log/sim/mutants/mutant.ts';
import { brokerMutantNames, brokerMutants } from './mutants/all-mutants.ts';
import type { BrokerMutant } from './mutants/all-mutants.ts';
import { catchMutant, recordedCatches } from './mutants/caught-at.ts';

const dataplane = path.join(import.meta.dirname, '../..');

describe('every mutant of the broker', () => {
  const recorded = recordedCatches();
  for (const name of brokerMutantNames) {
    const mutant: BrokerMutant = brokerMutants[name];

    it(`${name}: its text is found in the production code, exactly once`, () => {
      for (const file of new Set(mutant.edits.map((edit) => edit.file))) {
        const source = readFileSync(path.join(dataplane, file), 'utf8');
        assert.notEqual(mutate(source, file, mutant.edits), source);
      }
    });

    it(`${name}: the simulation catches it`, async () => {
      const seed = recorded[name]?.seed;
      assert(seed !== undefined, `no seed is recorded: npm run -s sim -- broker --record`);
      const caught = await catchMutant(name, { from: seed, seeds: 1 });
      assert(
        caught !== undefined && mutant.caughtBy.includes(caught.invariant),
        `seed ${seed} shows ${caught?.invariant ?? 'nothing'}; after a change: npm run -s sim -- broker --record`,
      );
    });
  }
});
