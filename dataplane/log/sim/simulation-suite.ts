/** What the tests of every simulation are made of. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { text } from 'node:stream/consumers';
import { it } from 'node:test';
import type { TestContext } from 'node:test';
import { mutate } from './mutants/mutant.ts';
import { catchMutant, recordedCatches } from './mutants/recorded-catches.ts';
import type { SimulationProgram } from './simulation-program.ts';

const dataplane = path.join(import.meta.dirname, '../..');

/** The recorded seed catches a mutant at once, unless a change has moved events since: then a later one does. */
const seedsTried = 1_000;

export interface SeedsExpected {
  readonly seeds: number;
  readonly cpuSeconds: number;
  readonly fewestSeeds: number;
  /** What must have happened, and how often in a hundred seeds at least, for the absence of violations to mean something. */
  readonly leastInAHundred: Readonly<Record<string, number>>;
}

/** Plays seeds in a process of its own, as the command does. */
export async function playInTest(
  t: TestContext,
  { folder }: Pick<SimulationProgram, 'folder'>,
  { seeds, cpuSeconds, fewestSeeds, leastInAHundred }: SeedsExpected,
): Promise<void> {
  const args = [path.join(folder, 'main.ts'), '--seeds', `${seeds}`, '--cpu-seconds', `${cpuSeconds}`];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  t.after(() => child.kill());
  const output = await text(child.stdout);
  const lines = output.trimEnd().split('\n');
  for (const line of lines) t.diagnostic(line);
  const played = /^(\d+) seeds, (\d+) steps, (\d+) violations$/.exec(lines.at(-1) ?? '');
  assert.ok(played !== null, `the simulator ended with: ${lines.at(-1) ?? 'nothing'}`);
  assert.equal(played[3], '0', output);
  const count = Number(played[1]);
  assert.ok(count >= fewestSeeds, `only ${count} seeds were played`);
  for (const [name, least] of Object.entries(leastInAHundred)) {
    const line = lines.find((candidate) => candidate.startsWith(`${name}: `)) ?? `${name}: 0`;
    const wanted = Math.floor((least * count) / 100);
    assert.ok(Number(line.slice(name.length + 2)) >= wanted, `${line} in ${count} seeds, not ${wanted}`);
  }
}

/** Declares two tests for every mutant: it changes the production code as it is, and the simulation catches it. */
export function testMutants(simulation: Pick<SimulationProgram, 'name' | 'folder' | 'mutants'>): void {
  const recorded = recordedCatches(simulation);
  for (const [name, mutant] of Object.entries(simulation.mutants)) {
    it(`${name}: its text is found in the production code, exactly once`, () => {
      for (const file of new Set(mutant.edits.map((edit) => edit.file))) {
        const source = readFileSync(path.join(dataplane, file), 'utf8');
        assert.notEqual(mutate(source, file, mutant.edits), source);
      }
    });

    it(`${name}: the simulation catches it`, async () => {
      const known = recorded[name];
      assert(
        known !== undefined,
        `no seed is recorded for ${name}: npm run -s sim -- ${simulation.name} --record`,
      );
      const caught = await catchMutant(simulation, name, { from: known.seed, seeds: seedsTried });
      assert(
        caught !== undefined && mutant.caughtBy.includes(caught.invariant),
        `${seedsTried} seeds from ${known.seed} on show ${caught?.invariant ?? 'nothing'}`,
      );
    });
  }
}
