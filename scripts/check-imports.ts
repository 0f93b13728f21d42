/** Fails when a file imports what its folder may not. Run by `make check`. */
import { globSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { importProblems } from './import-rules.ts';

const root = path.join(import.meta.dirname, '..');
const manifest = JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8')) as {
  dependencies?: Record<string, string>;
  devDependencies?: Record<string, string>;
};
const packages = {
  dependencies: Object.keys(manifest.dependencies ?? {}),
  devDependencies: Object.keys(manifest.devDependencies ?? {}),
};

const files = globSync('{dataplane,operator,crds,cli,bench,e2e,scripts}/**/*.ts', { cwd: root }).toSorted();
const problems = files.flatMap((file) =>
  importProblems(file, readFileSync(path.join(root, file), 'utf8'), packages),
);
for (const problem of problems) console.error(problem);
if (files.length === 0) throw new Error(`no source files found under ${root}`);
console.log(`import rules: ${files.length} files, ${problems.length} problems`);
process.exitCode = problems.length === 0 ? 0 : 1;
