import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { catches, completeSearches } from './catches.ts';
import type { Bounds, Catch } from './catches.ts';

export const modelPage = path.join(import.meta.dirname, '../../../docs/log-model.md');

/** The parts of `docs/log-model.md` that follow from `catches.ts`, by the name in their markers. */
export function modelTables(): ReadonlyMap<string, string> {
  const searches = completeSearches.map(({ what, model, bounds, states }) => [
    what,
    `\`${model}\``,
    textOf(bounds),
    states.toLocaleString('en-US'),
  ]);
  const tables = new Map([
    ['searches', aligned([['search', 'model', 'bounds (others: default)', 'states'], ...searches])],
  ]);
  for (const [model, byMutant] of Object.entries<Readonly<Record<string, Catch>>>(catches)) {
    const rows = Object.entries(byMutant).map(([name, { breaks, length, walks, schedule, because }]) => [
      `\`${name}\``,
      breaks,
      `${length}`,
      walks !== undefined ? 'walk' : schedule !== undefined ? 'schedule' : 'search',
      because.source.replaceAll('|', ' or ').replaceAll('\\', ''),
    ]);
    tables.set(model, aligned([['mutant', 'what it does wrong', 'steps', 'found by', 'violation'], ...rows]));
  }
  return tables;
}

/** The page with its tables as they should be. */
export function withTables(page: string): string {
  let text = page;
  for (const [name, table] of modelTables()) {
    const begin = `<!-- ${name} -->`;
    const from = text.indexOf(begin);
    const to = text.indexOf('<!-- end -->', from);
    if (from < 0 || to < from) throw new Error(`${modelPage} has no place for its table: ${begin}`);
    text = `${text.slice(0, from + begin.length)}\n\n${table}\n${text.slice(to)}`;
  }
  return text;
}

export function writeModelPage(): void {
  writeFileSync(modelPage, withTables(readFileSync(modelPage, 'utf8')));
}

function textOf(bounds: Bounds): string {
  return Object.entries(bounds)
    .map(([name, value]) => `${name}=${value}`)
    .join(' ');
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
