import { describeValid } from '../../runtime/config-entry.ts';
import { brokerSettings } from '../broker-options.ts';
import { brokerConfigTable } from './broker-configs.ts';
import { staticBrokerConfigs } from './static-broker-configs.ts';
import type { StaticBrokerConfigName } from './static-broker-configs.ts';

/** What `spec.config` of a manifest can set, as a section of its page. */
export function staticConfigSection(): string {
  const standard = brokerSettings({ id: 0, zone: '', listeners: {}, store: '' }, {});
  const rows = (Object.keys(staticBrokerConfigs) as StaticBrokerConfigName[]).map((name) => {
    const { description, value } = brokerConfigTable[name];
    const valid = describeValid({ ...staticBrokerConfigs[name].valid, description });
    return `| \`${name}\` | \`${value(standard)}\` | ${valid} | ${description} |`;
  });
  return `## Settings of \`spec.config\`

| name | default | value | what it is |
| --- | --- | --- | --- |
${rows.join('\n')}
`;
}
