import type { MetricDeclaration } from './metric-declaration.ts';
import { metricTable } from './metrics.ts';

/** `docs/metrics.md`, before formatting. */
export function metricsPage(): string {
  const sections = (Object.entries(metricTable) as [string, MetricDeclaration][]).map(
    ([name, declaration]) => {
      const { kind, unit, labels, help } = declaration;
      return `## \`${name}\`

${help}

- Kind: ${kind}; unit: ${unit}
- Labels: ${labels.length === 0 ? 'none' : labels.map((label) => `\`${label}\``).join(', ')}
`;
    },
  );
  return `# Metrics

Made from the table in \`dataplane/runtime/metrics.ts\` by \`make docs\`: change it there.

${sections.join('\n')}`;
}
