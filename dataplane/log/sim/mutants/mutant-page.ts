import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import type { MutantName } from './all-mutants.ts';
import { mutantCalled, mutantNames } from './all-mutants.ts';
import type { Catch } from './mutant-catch.ts';

const page = path.join(import.meta.dirname, '../../../../docs/log-simulation.md');
const begin = '<!-- mutants -->';
const end = '<!-- end of mutants -->';

/** Puts the table of mutants, and where each was caught, into `docs/log-simulation.md`. */
export function writeMutantTable(catches: Readonly<Partial<Record<MutantName, Catch>>>): void {
  const text = readFileSync(page, 'utf8');
  const before = text.indexOf(begin);
  const after = text.indexOf(end);
  if (before < 0 || after < before)
    throw new Error(`${page} has no place for the table of mutants (${begin})`);
  writeFileSync(
    page,
    `${text.slice(0, before + begin.length)}\n\n${mutantTable(catches)}\n${text.slice(after)}`,
  );
}

function mutantTable(catches: Readonly<Partial<Record<MutantName, Catch>>>): string {
  const rows = mutantNames.map((name) => {
    const { seed, invariant } = catches[name] ?? { seed: 'not caught', invariant: '' };
    return [`\`${name}\``, mutantCalled(name).breaks, String(seed), invariant];
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
