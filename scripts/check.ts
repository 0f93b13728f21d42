/** `make check`: everything that can be said of the tree without running it. Steps run side by side. */
import { execFile } from 'node:child_process';
import path from 'node:path';

const root = path.join(import.meta.dirname, '..');
const bin = (name: string): string => path.join(root, 'node_modules/.bin', name);
const node = process.execPath;

const steps: readonly (readonly [name: string, command: string, ...args: string[]])[] = [
  ['types', bin('tsc'), '--pretty'],
  ['lint', bin('oxlint')],
  ['format', bin('prettier'), '--check', '--log-level', 'warn', '.'],
  ['imports', node, 'scripts/check-imports.ts'],
  ['docs', node, 'scripts/generate-docs.ts', '--check'],
];

const results = await Promise.all(steps.map(([name, command, ...args]) => runStep(name, command, args)));
for (const { name, failed, output, ms } of results) {
  console.log(`${failed ? '✖' : '✔'} ${name} (${(ms / 1000).toFixed(1)} s)`);
  if (failed) console.log(output.trimEnd());
}
process.exitCode = results.some(({ failed }) => failed) ? 1 : 0;

interface StepResult {
  readonly name: string;
  readonly failed: boolean;
  readonly output: string;
  readonly ms: number;
}

function runStep(name: string, command: string, args: readonly string[]): Promise<StepResult> {
  const start = performance.now();
  // The tools' own scripts start with `env node`: they must find ours.
  const env = {
    ...process.env,
    PATH: `${path.dirname(bin('node'))}${path.delimiter}${process.env['PATH'] ?? ''}`,
  };
  return new Promise((resolve) => {
    execFile(command, args, { cwd: root, env, maxBuffer: 2 ** 26 }, (error, stdout, stderr) => {
      const output = `${stdout}${stderr}`;
      resolve({
        name,
        failed: error !== null,
        output: output === '' && error !== null ? error.message : output,
        ms: performance.now() - start,
      });
    });
  });
}
