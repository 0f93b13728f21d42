import { execFile } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { promisify } from 'node:util';
import { writeMutantRows } from './mutant-page.ts';
import type { SimulationProgram } from '../simulation-program.ts';

const run = promisify(execFile);

export interface RecordedCatch {
  readonly seed: number;
  readonly invariant: string;
}

type Catches = Record<string, RecordedCatch>;

/** Where each mutant was caught when that was last recorded: other seeds once the simulator changes. */
export function recordedCatches(simulation: Pick<SimulationProgram, 'folder'>): Readonly<Partial<Catches>> {
  return JSON.parse(readFileSync(recordFile(simulation), 'utf8')) as Partial<Catches>;
}

/** Plays seeds with one mutant, in a process of its own, until it is caught; `undefined`: it was not. */
export async function catchMutant(
  { folder }: Pick<SimulationProgram, 'folder'>,
  name: string,
  { from, seeds }: { readonly from: number; readonly seeds: number },
): Promise<RecordedCatch | undefined> {
  const main = path.join(folder, 'main.ts');
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
  return (JSON.parse(last) as { readonly caught?: RecordedCatch }).caught;
}

/** Looks for all of them from seed 1 on and keeps where they were caught. Returns those that were not. */
export async function recordCatches(
  simulation: SimulationProgram,
  seeds: number,
  print: (line: string) => void,
): Promise<string[]> {
  const catches: Catches = {};
  const escaped: string[] = [];
  for (const name of Object.keys(simulation.mutants)) {
    const caught = await catchMutant(simulation, name, { from: 1, seeds });
    if (caught === undefined) escaped.push(name);
    else catches[name] = caught;
    print(`${name}: ${caught === undefined ? 'NOT CAUGHT' : `seed ${caught.seed}, ${caught.invariant}`}`);
  }
  writeFileSync(recordFile(simulation), `${JSON.stringify(catches, undefined, 2)}\n`);
  const mutants = Object.entries(simulation.mutants);
  writeMutantRows(
    `${simulation.name}-simulation.md`,
    mutants.map(([name, { breaks }]) => ({ name, breaks, caught: catches[name] })),
  );
  return escaped;
}

function recordFile({ folder }: Pick<SimulationProgram, 'folder'>): string {
  return path.join(folder, 'mutants/caught-at.json');
}
