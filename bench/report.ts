import type { BenchDefinition, Figures, Json, RatioDefinition, RunFigures } from './harness.ts';

/** All that was measured: by case, the figures of each of its runs in order. */
export type Measurements = ReadonlyMap<string, readonly Figures[]>;

export interface BenchReport {
  readonly bench: string;
  readonly summary: string;
  /** Rounded to four significant digits, like the figures. */
  readonly ratios: Readonly<Record<string, number>>;
  /** `case/figure` → median over the runs. */
  readonly figures: Readonly<Record<string, number>>;
  readonly figureRows: readonly FigureRow[];
  readonly ratioRows: readonly RatioRow[];
}

export interface FigureRow {
  readonly case: string;
  readonly figure: string;
  readonly runs: number;
  readonly median: number;
  readonly min: number;
  readonly max: number;
}

export interface RatioRow {
  readonly name: string;
  readonly value: number;
  readonly worstCase: string;
  readonly target: string;
  readonly met: boolean | undefined;
}

export function summarize(
  definition: Pick<BenchDefinition, 'name' | 'summary' | 'ratios'>,
  measurements: Measurements,
): BenchReport {
  const figureRows = [...measurements].flatMap(([name, runs]) => figureRowsOf(name, runs));
  const ratioRows = definition.ratios.map((ratio) => ratioRow(ratio, measurements));
  return {
    bench: definition.name,
    summary: definition.summary,
    ratios: Object.fromEntries(ratioRows.map((row) => [row.name, fourDigits(row.value)])),
    figures: Object.fromEntries(
      figureRows.map((row) => [`${row.case}/${row.figure}`, fourDigits(row.median)]),
    ),
    figureRows,
    ratioRows,
  };
}

/** The last line of `--json`. */
export function jsonLine(report: BenchReport): string {
  const { bench, ratios, figures } = report;
  return JSON.stringify({ bench, ratios, figures } satisfies Json);
}

/** The table for people. */
export function formatReport(report: BenchReport): string {
  const figures = [
    ['case', 'figure', 'median', 'min', 'max', 'runs'],
    ...report.figureRows.map((row) => [
      row.case,
      row.figure,
      String(fourDigits(row.median)),
      String(fourDigits(row.min)),
      String(fourDigits(row.max)),
      String(row.runs),
    ]),
  ];
  const ratios = [
    ['ratio', 'value', 'target', '', 'worst case'],
    ...report.ratioRows.map((row) => [
      row.name,
      String(fourDigits(row.value)),
      row.target,
      row.met === undefined ? '' : row.met ? 'met' : 'MISSED',
      row.worstCase,
    ]),
  ];
  const tables = report.ratioRows.length === 0 ? [figures] : [figures, ratios];
  return [report.summary, ...tables.map(align)].join('\n\n');
}

/** The middle value; of an even count the mean of the middle two. */
export function median(values: readonly number[]): number {
  if (values.length === 0) throw new RangeError('no median of no values');
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.slice((sorted.length - 1) >> 1, (sorted.length >> 1) + 1);
  return middle.reduce((sum, value) => sum + value, 0) / middle.length;
}

function figureRowsOf(name: string, runs: readonly Figures[]): FigureRow[] {
  return Object.keys(runs[0] ?? {}).map((figure) => {
    const values = runs.map((run) => figureOf(run, name, figure));
    return {
      case: name,
      figure,
      runs: values.length,
      median: median(values),
      min: Math.min(...values),
      max: Math.max(...values),
    };
  });
}

function ratioRow(ratio: RatioDefinition, measurements: Measurements): RatioRow {
  const cases = ratio.over.map((over) => {
    const { name } = over;
    const values = runFigures(measurements).map((run) => over.ratio(run));
    if (!values.every((value) => Number.isFinite(value))) {
      throw new RangeError(
        `ratio ${ratio.name}, case ${name}: not a number in some run: ${values.join(', ')}`,
      );
    }
    return { name, value: median(values) };
  });
  const [worst] = cases.toSorted((a, b) =>
    ratio.better === 'higher' ? a.value - b.value : b.value - a.value,
  );
  if (worst === undefined) throw new RangeError(`ratio ${ratio.name} lists no case`);
  const { target } = ratio;
  const atLeast = ratio.better === 'higher';
  return {
    name: ratio.name,
    value: worst.value,
    worstCase: worst.name,
    target: target === undefined ? '' : `${atLeast ? '≥' : '≤'} ${target}`,
    met: target === undefined ? undefined : atLeast ? worst.value >= target : worst.value <= target,
  };
}

/** One lookup a run. A case that ran less often than others answers with its last run. */
function runFigures(measurements: Measurements): RunFigures[] {
  const runs = Math.max(0, ...[...measurements.values()].map((list) => list.length));
  return Array.from({ length: runs }, (_, run) => (caseName, figure) => {
    const list = measurements.get(caseName);
    const figures = list?.[Math.min(run, list.length - 1)];
    if (figures === undefined) throw new RangeError(`there is no case ${JSON.stringify(caseName)}`);
    return figureOf(figures, caseName, figure);
  });
}

function figureOf(figures: Figures, caseName: string, figure: string): number {
  const value = figures[figure];
  if (value === undefined) {
    throw new RangeError(
      `case ${JSON.stringify(caseName)} has no figure ${JSON.stringify(figure)} in some run`,
    );
  }
  return value;
}

function fourDigits(value: number): number {
  return Number(value.toPrecision(4));
}

function align(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  const isNumeric = (cell: string): boolean => /^-?[\d.]+(e[+-]?\d+)?$/.test(cell);
  const pad = (cell: string, width: number): string =>
    isNumeric(cell) ? cell.padStart(width) : cell.padEnd(width);
  return rows
    .map((row) =>
      row
        .map((cell, column) => pad(cell, widths[column] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}
