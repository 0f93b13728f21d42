/** What a number counts. Time is in seconds and size in bytes, as Prometheus has it. */
export const metricUnits = [
  'seconds',
  'bytes',
  'ratio',
  'requests',
  'attempts',
  'records',
  'rows',
  'tables',
  'files',
  'groups',
  'commits',
  'objects',
  'partitions',
  'connections',
  'lines',
  'events',
  'keys',
  'runs',
  'actions',
  'leaders',
] as const;

export type MetricUnit = (typeof metricUnits)[number];

export type MetricDeclaration = {
  /** What is counted or measured, when to look at it. Sentences: `# HELP` and the docs are made of them. */
  readonly help: string;
  readonly unit: MetricUnit;
  /** The names of the labels. Each must have few values: no topics, no keys, no clients, unless `help` states the bound. */
  readonly labels: readonly string[];
} & (
  | { readonly kind: 'counter' }
  | { readonly kind: 'gauge' }
  /** `buckets`: upper bounds in the unit, ascending; `+Inf` is added. */
  | { readonly kind: 'histogram'; readonly buckets: readonly number[] }
);

/** 1 ms to 60 s: for what waits on an object store. */
export const latencySecondsBuckets = [
  0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60,
] as const;

/** What is wrong with a metric's name or declaration: sentences, none when all is well. */
export function metricProblems(name: string, declaration: MetricDeclaration): string[] {
  const { kind, unit, help, labels } = declaration;
  const suffix =
    kind === 'counter' ? (unit === 'seconds' || unit === 'bytes' ? `_${unit}_total` : '_total') : `_${unit}`;
  const problems: string[] = [];
  if (!/^firn(_[a-z0-9]+)+$/.test(name))
    problems.push('its name must be firn_ and lower-case words joined by _');
  if (!name.endsWith(suffix)) problems.push(`a ${kind} in ${unit} ends in ${suffix}`);
  if (!/^[A-Z].*\.$/s.test(help)) problems.push('its help must be a sentence');
  for (const label of labels) {
    if (!/^[a-z]+(_[a-z]+)*$/.test(label))
      problems.push(`label ${label} must be lower-case words joined by _`);
  }
  if (
    kind === 'histogram' &&
    declaration.buckets.some((bound, i, all) => i > 0 && bound <= (all[i - 1] ?? bound))
  ) {
    problems.push('its buckets must ascend');
  }
  return problems;
}
