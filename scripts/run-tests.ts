/**
 * `node scripts/run-tests.ts SET…`: runs the test files of the sets in one run of node's test runner, two files at a time,
 * and ends with one line of totals. Skipped tests are counted by reason, loudly: a real part is missing here.
 */
import { globSync } from 'node:fs';
import path from 'node:path';
import { run } from 'node:test';
import type { TestsStream } from 'node:test';
import { spec } from 'node:test/reporters';
import { isTestSet, testFilesOf, testSets } from './test-sets.ts';

const root = path.join(import.meta.dirname, '..');
const asked = process.argv.slice(2);
const unknown = asked.filter((name) => !isTestSet(name));
if (asked.length === 0 || unknown.length > 0) {
  console.error(
    `usage: node scripts/run-tests.ts SET…, of ${testSets.join(', ')}; not: ${unknown.join(', ')}`,
  );
  process.exit(2);
}

const all = globSync('**/*.test.ts', {
  cwd: root,
  exclude: (name) => name === 'node_modules' || name === 'dist',
});
const files = testFilesOf(all.map(toSlashes), asked.filter(isTestSet)).map((file) => path.join(root, file));
const totals = { passed: 0, failed: 0, skipped: 0 };
const skips = new Map<string, number>();

const stream: TestsStream = run({ files, concurrency: 2, timeout: 30 * 60_000 });
stream.on('test:pass', ({ skip, details }) => {
  if (skip !== undefined && skip !== false) {
    totals.skipped++;
    const reason = typeof skip === 'string' ? skip : 'no reason given';
    skips.set(reason, (skips.get(reason) ?? 0) + 1);
  } else if (details.type !== 'suite') {
    totals.passed++;
  }
});
stream.on('test:fail', ({ details }) => {
  if (details.type !== 'suite') totals.failed++;
});
stream.compose<NodeJS.ReadableStream>(new spec()).pipe(process.stdout);

stream.on('end', () => {
  // After the reporter's own summary, which it prints at the end of the stream.
  setImmediate(() => {
    for (const [reason, count] of skips) console.log(`\n!!! ${count} TESTS OR SUITES SKIPPED: ${reason}`);
    const { passed, failed, skipped } = totals;
    console.log(`\n${passed} passed, ${failed} failed, ${skipped} skipped`);
    process.exitCode = failed > 0 || passed === 0 ? 1 : 0;
  });
});

function toSlashes(file: string): string {
  return file.split(path.sep).join('/');
}
