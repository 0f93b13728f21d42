import { describeValid, formatDefault } from '../dataplane/runtime/config-entry.ts';
import { brokerManifest } from './broker-manifest.ts';
import type { ManifestField, ManifestFields } from './manifest-field.ts';

/** The fields of `docs/broker-manifest.md`, before formatting. */
export function brokerManifestPage(): string {
  const rows = fieldRows(brokerManifest.fields, '');
  const unbuilt = rows.filter(({ field }) => field.type === 'unbuilt');
  return `# The Broker manifest

Made from the tables in \`crds/broker-manifest.ts\` and \`dataplane/broker/config/static-broker-configs.ts\` by \`make docs\`:
change it there.

\`firn up -f FILE\` starts what the manifest in FILE says; \`examples/broker.yaml\` and \`examples/three-zones.yaml\` are some to
begin with. A field that is not known, or has a value that it cannot have, is refused with the file, the line and the path of
the field. \`null\` is as if the field were not there.

${rows.flatMap(({ path, field }) => (field.type === 'unbuilt' ? [] : section(path, field))).join('\n')}
## Not built yet

These fields are part of the format. As long as what they are for does not exist they are refused, not ignored.

${unbuilt.map(({ path, field }) => `- \`${path}\`: ${field.description}`).join('\n')}
`;
}

interface FieldRow {
  readonly path: string;
  readonly field: ManifestField;
}

function fieldRows(fields: ManifestFields, prefix: string): FieldRow[] {
  return Object.entries(fields).flatMap(([name, field]) => {
    const path = `${prefix}${name}`;
    const below =
      field.type === 'object'
        ? fieldRows(field.fields, `${path}.`)
        : field.type === 'objects'
          ? fieldRows(field.fields, `${path}[].`)
          : [];
    return [{ path, field }, ...below];
  });
}

function section(path: string, field: Exclude<ManifestField, { readonly type: 'unbuilt' }>): string[] {
  const facts: string[] = [];
  switch (field.type) {
    case 'object':
      if (field.oneOf) facts.push(`Exactly one of: ${Object.keys(field.fields).join(', ')}`);
      break;
    case 'objects':
      facts.push(`A list of at most ${field.maxItems}, each with a name of its own`);
      break;
    case 'map':
      facts.push('Names with values');
      break;
    case 'list':
      facts.push(`Value: a list, each item ${field.pattern?.meaning ?? 'text'}`);
      break;
    default:
      facts.push(`Value: ${describeValid(field)}`);
  }
  if (field.type !== 'map' && field.required) facts.push('Required');
  if (field.type !== 'map' && field.type !== 'object' && field.type !== 'objects') {
    const standard = formatDefault(field);
    if (standard !== undefined) facts.push(`Default: ${standard === '' ? 'none' : `\`${standard}\``}`);
  }
  return [
    `## \`${path}\`\n`,
    `${field.description}\n`,
    ...(facts.length === 0 ? [] : [`${facts.map((fact) => `- ${fact}`).join('\n')}\n`]),
  ];
}
