import type { MetricDeclaration } from './metric-declaration.ts';

/** The metrics of one kind of process. */
export interface MetricsSection {
  readonly title: string;
  /** Where its table stands. */
  readonly source: string;
  readonly table: Readonly<Record<string, MetricDeclaration>>;
}

/** `docs/metrics.md`, before formatting. */
export function metricsPage(sections: readonly MetricsSection[]): string {
  return `# Metrics

Made from tables in the code by \`make docs\`: change them there.

${sections.map(sectionText).join('\n')}`;
}

function sectionText({ title, source, table }: MetricsSection): string {
  const entries = Object.entries(table).map(([name, { kind, unit, labels, help }]) => {
    return `### \`${name}\`

${help}

- Kind: ${kind}; unit: ${unit}
- Labels: ${labels.length === 0 ? 'none' : labels.map((label) => `\`${label}\``).join(', ')}
`;
  });
  return `## ${title}

From \`${source}\`.

${entries.join('\n')}`;
}
