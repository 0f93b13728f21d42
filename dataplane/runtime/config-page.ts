import { describeValid, formatDefault } from './config-entry.ts';
import type { ConfigEntry } from './config-entry.ts';
import { configNames, configTable, environmentVariable } from './config.ts';

/** `docs/configuration.md`, before formatting. */
export function configPage(): string {
  const sections = configNames().map((name) => {
    const entry: ConfigEntry = configTable[name];
    const standard = formatDefault(entry);
    return `## \`${name}\`

${entry.description}

- Environment: \`${environmentVariable(name)}\`; flag: \`--${name}\`
- Value: ${describeValid(entry)}
- Default: ${standard === undefined ? 'none' : `\`${standard}\``}
`;
  });
  return `# Configuration

Made from the table in \`dataplane/runtime/config.ts\` by \`make docs\`: change it there.

A setting comes from its flag, else from its environment variable, else it has its default.

${sections.join('\n')}`;
}
