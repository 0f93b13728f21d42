/** `npm run -s bench -- NAME [--quick] [--json]` */
import { readdirSync } from 'node:fs';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { formatReport, jsonLine } from './report.ts';
import { runBench } from './runner.ts';

const { values, positionals } = parseArgs({
  options: { quick: { type: 'boolean', default: false }, json: { type: 'boolean', default: false } },
  allowPositionals: true,
});
const suffix = '.bench.ts';
const known = readdirSync(import.meta.dirname)
  .filter((file) => file.endsWith(suffix))
  .map((file) => file.slice(0, -suffix.length));
const [name = '', ...rest] = positionals;
const modulePath = path.join(import.meta.dirname, `${name}${suffix}`);

if (rest.length > 0 || !known.includes(name)) {
  console.error(
    `usage: npm run -s bench -- NAME [--quick] [--json], where NAME is one of: ${known.join(', ') || '(none yet)'}`,
  );
  process.exitCode = 2;
} else {
  const report = await runBench(modulePath, {
    quick: values.quick,
    onMeasure: (caseName, run, runs) => console.error(`run ${run + 1}/${runs}  ${caseName}`),
  });
  console.log(formatReport(report));
  if (values.json) console.log(jsonLine(report));
}
