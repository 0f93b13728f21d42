/** Writes the pages of `docs/` that are made from code. With `--check` it writes nothing and fails when one is out of date. */
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { generatedPages, staleProblem } from './generated-pages.ts';

const check = process.argv.includes('--check');
for (const page of await generatedPages()) {
  const problem = staleProblem(page);
  if (problem === undefined) continue;
  if (check) {
    console.error(problem);
    process.exitCode = 1;
  } else {
    mkdirSync(path.dirname(page.file), { recursive: true });
    writeFileSync(page.file, page.text);
    console.log(`wrote ${page.name}`);
  }
}
