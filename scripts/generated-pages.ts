import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { format, resolveConfig } from 'prettier';
import { notBuiltPage } from '../dataplane/broker/not-built-page.ts';
import { brokerManifestPage } from '../crds/broker-manifest-page.ts';
import { staticConfigSection } from '../dataplane/broker/config/static-config-page.ts';
import { topicConfigPage } from '../dataplane/cluster/config/topic-config-page.ts';
import { metricsPage } from '../dataplane/runtime/metrics-page.ts';
import { metricTable } from '../dataplane/runtime/metrics.ts';
import { operatorMetricTable } from '../operator/metrics.ts';

export interface GeneratedPage {
  /** From the top of the checkout. */
  readonly name: string;
  readonly file: string;
  readonly text: string;
}

const makers: Readonly<Record<string, () => string>> = {
  'docs/broker-manifest.md': () => `${brokerManifestPage()}\n${staticConfigSection()}`,
  'docs/metrics.md': () =>
    metricsPage([
      { title: 'Brokers', source: 'dataplane/runtime/metrics.ts', table: metricTable },
      { title: 'Operator', source: 'operator/metrics.ts', table: operatorMetricTable },
    ]),
  'docs/not-built.md': notBuiltPage,
  'docs/topic-configs.md': topicConfigPage,
};

/** Every page that is made from code, formatted like the rest of the tree. */
export function generatedPages(): Promise<GeneratedPage[]> {
  return Promise.all(
    Object.entries(makers).map(async ([name, make]) => {
      const file = path.join(import.meta.dirname, '..', name);
      const text = await format(make(), { ...(await resolveConfig(file)), filepath: file });
      return { name, file, text };
    }),
  );
}

/** What is wrong when the file is not what the code says. */
export function staleProblem({ name, file, text }: GeneratedPage): string | undefined {
  if (existsSync(file) && readFileSync(file, 'utf8') === text) return undefined;
  return `${name} is out of date: run "make docs" and commit it`;
}
