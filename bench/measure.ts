/**
 * The process of one measurement: `node bench/measure.ts MODULE CASE`, the {@link MeasureContext} as JSON on standard
 * input; writes the figures as JSON to file descriptor 3.
 */
import { writeSync } from 'node:fs';
import { text } from 'node:stream/consumers';
import { pathToFileURL } from 'node:url';
import type { BenchDefinition, MeasureContext } from './harness.ts';

const [modulePath = '', caseName = ''] = process.argv.slice(2);
const { bench } = (await import(pathToFileURL(modulePath).href)) as { bench: BenchDefinition };
const benchCase = bench.cases.find(({ name }) => name === caseName);
if (benchCase === undefined) throw new Error(`${modulePath} has no case ${JSON.stringify(caseName)}`);

const context = JSON.parse(await text(process.stdin)) as MeasureContext;
const figures = await benchCase.measure(context);
for (const [name, value] of Object.entries(figures)) {
  if (!Number.isFinite(value)) throw new Error(`case ${caseName}: figure ${name} is ${value}`);
}
writeSync(3, JSON.stringify(figures));
// Whatever the case left open (pools, timers) must not keep the bench waiting.
process.exit(0);
