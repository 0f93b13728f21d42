import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, it } from 'node:test';
import { mutate } from '../../log/sim/mutants/mutant.ts';
import { tableMutantNames, tableMutants } from './mutants/all-mutants.ts';
import type { TableMutant } from './mutants/all-mutants.ts';
import { catchMutant, recordedCatches } from './mutants/caught-at.ts';

const dataplane = path.join(import.meta.dirname, '../..');

/** The recorded seed catches the mutant at once, unless a change has moved events since: then a later one does. */
const seedsTried = 1_000;

describe('every mutant of tables', () => {
  const recorded = recordedCatches();
  for (const name of tableMutantNames) {
    const mutant: TableMutant = tableMutants[name];

    it(`${name}: its text is found in the production code, exactly once`, () => {
      for (const file of new Set(mutant.edits.map((edit) => edit.file))) {
        const source = readFileSync(path.join(dataplane, file), 'utf8');
        assert.notEqual(mutate(source, file, mutant.edits), source);
      }
    });

    it(`${name}: the simulation catches it`, async () => {
      const known = recorded[name];
      assert(known !== undefined, `no seed is recorded for ${name}: npm run -s sim -- table --record`);
      const caught = await catchMutant(name, { from: known.seed, seeds: seedsTried });
      assert(
        caught !== undefined && mutant.caughtBy.includes(caught.invariant),
        `${seedsTried} seeds from ${known.seed} on show ${caught?.invariant ?? 'nothing'}`,
      );
    });
  }
});
