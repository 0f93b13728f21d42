import { execFile } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import type { MutantName } from './all-mutants.ts';
import { mutantNames } from './all-mutants.ts';
import type { Catch } from './mutant-catch.ts';
import { writeMutantTable } from './mutant-page.ts';

export interface MutantResult {
  readonly name: MutantName;
  readonly played: number;
  readonly caught: Catch | undefined;
}

const main = path.join(import.meta.dirname, '../main.ts');
const recordFile = path.join(import.meta.dirname, 'caught-at.json');
const notCaught = 3;

/** Plays seeds with every mutant, each until it is caught, one after another. */
export async function runMutants(request: {
  readonly from: number;
  readonly seeds: number;
  readonly print: (line: string) => void;
}): Promise<readonly MutantResult[]> {
  const results: MutantResult[] = [];
  for (const name of mutantNames) {
    const result = await runMutant(name, request);
    const { played, caught } = result;
    request.print(
      caught === undefined
        ? `${name}: NOT CAUGHT in ${played} seeds`
        : `${name}: caught at seed ${caught.seed} by "${caught.invariant}"`,
    );
    results.push(result);
  }
  return results;
}

/** Plays seeds with one mutant, in a process of its own, until it is caught. Rejects when that process fails otherwise. */
export async function runMutant(
  name: MutantName,
  { from, seeds }: { readonly from: number; readonly seeds: number },
): Promise<MutantResult> {
  const args = [main, '--mutant', name, '--from', String(from), '--seeds', String(seeds), '--json'];
  const output = await new Promise<string>((resolve, reject) => {
    execFile(process.execPath, args, { maxBuffer: 64 * 1024 * 1024 }, (error, stdout, stderr) => {
      if (error === null || error.code === notCaught) resolve(stdout);
      else reject(new Error(`the simulation of mutant ${name} failed: ${stderr}`, { cause: error }));
    });
  });
  const last = output.trimEnd().split('\n').at(-1) ?? '';
  const { played, caught } = JSON.parse(last) as { readonly played: number; readonly caught?: Catch };
  return { name, played, caught };
}

/** Where each mutant was caught when `--mutants --record` was last run: other seeds once the simulator changes. */
export function recordedCatches(): Readonly<Partial<Record<MutantName, Catch>>> {
  return JSON.parse(readFileSync(recordFile, 'utf8')) as Partial<Record<MutantName, Catch>>;
}

export function recordCatches(results: readonly MutantResult[]): void {
  const catches = Object.fromEntries(
    results.flatMap(({ name, caught }) => (caught === undefined ? [] : [[name, caught] as const])),
  );
  writeFileSync(recordFile, `${JSON.stringify(catches, undefined, 2)}\n`);
  writeMutantTable(catches);
}
