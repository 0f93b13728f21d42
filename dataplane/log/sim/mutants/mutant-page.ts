import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import type { MutantName } from './all-mutants.ts';
import { mutantCalled, mutantNames } from './all-mutants.ts';
import type { Catch } from './mutant-catch.ts';

const docs = path.join(import.meta.dirname, '../../../../docs');
const begin = '<!-- mutants -->';
const end = '<!-- end of mutants -->';

/** Puts the table of mutants, and where each was caught, into `docs/log-simulation.md`. */
export function writeMutantTable(catches: Readonly<Partial<Record<MutantName, Catch>>>): void {
  writeMutantRows(
    'log-simulation.md',
    mutantNames.map((name) => ({ name, breaks: mutantCalled(name).breaks, caught: catches[name] })),
  );
}

export interface MutantRow {
  readonly name: string;
  readonly breaks: string;
  readonly caught: { readonly seed: number; readonly invariant: string } | undefined;
}

/** Puts a table of mutants into a page of `docs/`, between its two comments. */
export function writeMutantRows(file: string, mutants: readonly MutantRow[]): void {
  const page = path.join(docs, file);
  const text = readFileSync(page, 'utf8');
  const before = text.indexOf(begin);
  const after = text.indexOf(end);
  if (before < 0 || after < before)
    throw new Error(`${page} has no place for the table of mutants (${begin})`);
  writeFileSync(
    page,
    `${text.slice(0, before + begin.length)}\n\n${mutantTable(mutants)}\n${text.slice(after)}`,
  );
}

function mutantTable(mutants: readonly MutantRow[]): string {
  const rows = mutants.map(({ name, breaks, caught }) => {
    const { seed, invariant } = caught ?? { seed: 'not caught', invariant: '' };
    return [`\`${name}\``, breaks, String(seed), invariant];
  });
  return aligned([['mutant', 'what is broken', 'seed', 'caught by'], ...rows]);
}

/** A Markdown table as Prettier formats it. */
function aligned(rows: readonly (readonly string[])[]): string {
  const [head = []] = rows;
  const widths = head.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join(' | ')} |\n`;
  const rule = line(widths.map((width) => '-'.repeat(width)));
  const [first = '', ...others] = rows.map(line);
  return [first, rule, ...others].join('');
}
