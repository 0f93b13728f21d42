import assert from 'node:assert/strict';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { pathToFileURL } from 'node:url';
import type { ProbeReport } from '../dataplane/store/probe/probe.ts';
import type { CommandIo } from './command.ts';
import { runFirn } from './firn.ts';

async function probe(
  args: readonly string[],
  signal = new AbortController().signal,
): Promise<{ readonly code: number; readonly out: string; readonly err: string }> {
  const printed = { out: '', err: '' };
  const io: CommandIo = {
    out: (text) => (printed.out += text),
    err: (text) => (printed.err += text),
    env: {},
    cwd: '/',
    signal,
  };
  return { code: await runFirn(['probe', ...args], io), ...printed };
}

async function folder(t: TestContext): Promise<string> {
  const dir = await mkdtemp(path.join(os.tmpdir(), 'firn-probe-'));
  t.after(() => rm(dir, { recursive: true, force: true }));
  return dir;
}

test('a directory is accepted: a row per case, a sentence, exit code 0, nothing left', async (t) => {
  const dir = await folder(t);
  const { code, out, err } = await probe([pathToFileURL(dir).href, '--rounds', '2', '--racers', '4']);
  assert.equal(err, '');
  assert.equal(code, 0);
  assert.match(out, /^CASE {2,}RESULT {2,}ROUNDS {2,}SECONDS {2,}DETAIL\n/);
  assert.match(out, /\nracing-if-match {2,}passed {2,}2 {2,}\d+\.\d\d {2}Of many PUTs/);
  assert.match(out, /\nwrong-checksum {2,}passed /);
  assert.match(out, /\n\nfile:\S+ is accepted: each race of 4 writers had exactly one winner\.\n$/);
  const left = (await readdir(dir, { recursive: true })).filter((name) => name.includes('racer'));
  assert.deepEqual(left, []);
});

test('--json prints the report and nothing else', async (t) => {
  const url = pathToFileURL(await folder(t)).href;
  const { code, out } = await probe([url, '--rounds', '1', '--racers', '2', '--json']);
  const report = JSON.parse(out) as ProbeReport;
  assert.equal(code, 0);
  assert.equal(report.verdict, 'accepted');
  assert.equal(report.racers, 2);
  assert.ok(report.cases.length > 10);
});

test('an interrupted probe could not be done: exit code 3', async (t) => {
  const url = pathToFileURL(await folder(t)).href;
  const signal = AbortSignal.abort(new Error('interrupted by SIGINT'));
  const { code, err } = await probe([url], signal);
  assert.equal(code, 3);
  assert.match(err, /could not be probed: interrupted by SIGINT\n$/);
});

test('what is asked wrongly is refused with what would be right, and nothing is done', async () => {
  for (const [args, message] of [
    [[], /give one URL, not 0/],
    [['memory:a', 'memory:b'], /give one URL, not 2/],
    [['memory:a', '--rounds', '0'], /--rounds is "0"; it must be a whole number from 1 to/],
    [['memory:a', '--rounds', '1e3'], /--rounds is "1e3"/],
    [['memory:a', '--racers', '1'], /--racers is "1"; it must be a whole number from 2 to 1000/],
    [['memory:a', '--speed'], /'--speed'/],
    [['memory:a', '--endpoint', 'http://h'], /--endpoint is for s3:\/\/ URLs/],
    [['s3://bucket', '--endpoint', 'here'], /--endpoint is "here", which is not a URL/],
    [['/some/folder'], /did you mean file:\/\/\/some\/folder/],
  ] as const) {
    const { code, out, err } = await probe(args);
    assert.equal(code, 2, args.join(' '));
    assert.equal(out, '');
    assert.match(err, message);
    assert.match(err, /usage: firn probe URL/);
  }
});
