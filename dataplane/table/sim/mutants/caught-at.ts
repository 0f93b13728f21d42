import { execFile } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { promisify } from 'node:util';
import type { Invariant } from '../violation.ts';
import { writeMutantRows } from '../../../log/sim/mutants/mutant-page.ts';
import { tableMutantNames, tableMutants } from './all-mutants.ts';
import type { TableMutantName } from './all-mutants.ts';

const run = promisify(execFile);
const main = path.join(import.meta.dirname, '../main.ts');
const recordFile = path.join(import.meta.dirname, 'caught-at.json');

export interface Catch {
  readonly seed: number;
  readonly invariant: Invariant;
}

/** Where each mutant was caught when that was last recorded: other seeds once the simulator changes. */
export function recordedCatches(): Readonly<Partial<Record<TableMutantName, Catch>>> {
  return JSON.parse(readFileSync(recordFile, 'utf8')) as Partial<Record<TableMutantName, Catch>>;
}

/** Plays seeds with one mutant, in a process of its own, until it is caught; `undefined`: it was not. */
export async function catchMutant(
  name: TableMutantName,
  { from, seeds }: { readonly from: number; readonly seeds: number },
): Promise<Catch | undefined> {
  const args = [main, '--mutant', name, '--from', String(from), '--seeds', String(seeds), '--json'];
  const { stdout } = await run(process.execPath, args, { maxBuffer: 64 * 1024 * 1024 }).catch(
    (error: unknown) => {
      const { code, stdout = '' } = error as { code?: unknown; stdout?: string };
      // 3: not caught.
      if (code === 3) return { stdout };
      throw error;
    },
  );
  const last = stdout.trimEnd().split('\n').at(-1) ?? '';
  return (JSON.parse(last) as { readonly caught?: Catch }).caught;
}

/** Looks for all of them from seed 1 on and keeps where they were caught. Returns those that were not. */
export async function recordCatches(seeds: number, print: (line: string) => void): Promise<string[]> {
  const catches: Partial<Record<TableMutantName, Catch>> = {};
  const escaped: string[] = [];
  for (const name of tableMutantNames) {
    const caught = await catchMutant(name, { from: 1, seeds });
    if (caught === undefined) escaped.push(name);
    else catches[name] = caught;
    print(`${name}: ${caught === undefined ? 'NOT CAUGHT' : `seed ${caught.seed}, ${caught.invariant}`}`);
  }
  writeFileSync(recordFile, `${JSON.stringify(catches, undefined, 2)}\n`);
  writeMutantRows(
    'table-simulation.md',
    tableMutantNames.map((name) => ({ name, breaks: tableMutants[name].breaks, caught: catches[name] })),
  );
  return escaped;
}
