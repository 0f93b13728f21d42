import { tableConfigs } from '../cluster/config/config-check.ts';
import { topicConfigNames, topicConfigTable } from '../cluster/config/topic-configs.ts';
import type { TopicConfigEntry } from '../cluster/config/topic-configs.ts';
import { notBuilt, unservedApis } from './not-built.ts';
import type { NotBuilt } from './not-built.ts';

/** `docs/not-built.md`, before formatting. */
export function notBuiltPage(): string {
  const configs = topicConfigNames.flatMap((name) => {
    const { onlyBuilt }: TopicConfigEntry = topicConfigTable[name];
    if (onlyBuilt === undefined) return [];
    const accepted = onlyBuilt.values.map((value) => (value === '' ? 'empty' : `\`${value}\``)).join(', ');
    return [row(`\`${name}\` other than ${accepted}`, 'INVALID_CONFIG', onlyBuilt.why)];
  });
  configs.push(row(tableConfigs.what, 'INVALID_CONFIG', tableConfigs.why));
  const requests = Object.values<NotBuilt>(notBuilt).map(({ what, error, sentence }) =>
    row(what, error, sentence),
  );
  const apis = unservedApis.map(
    ({ what, apis: names, instead }) => `| ${what} | ${Object.keys(names).join(', ')} | ${instead} |`,
  );
  return `# What is not built

Made from \`dataplane/broker/not-built.ts\` and the tables in \`dataplane/cluster/config/\` by \`make docs\`: change it there.

What is not built is refused with a sentence, never accepted and ignored. Clients see the error and the sentence.

## Requests and configs

| what | answer | why, and what to do |
| --- | --- | --- |
${[...requests, ...configs].join('\n')}

## APIs that are not served

They are not advertised either, so clients that need them say so themselves.

| what | APIs of Kafka 4.3 | instead |
| --- | --- | --- |
${apis.join('\n')}
`;
}

function row(what: string, error: string, sentence: string): string {
  return `| ${what} | ${error} | ${sentence} |`;
}
