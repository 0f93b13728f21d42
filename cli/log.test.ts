import assert from 'node:assert/strict';
import { cp, mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { realRuntime } from '../dataplane/runtime/real-runtime.ts';
import { openStore } from '../dataplane/store/open.ts';
import { richBucket } from '../dataplane/log/inspect/bucket-fixture.ts';
import { findingCodes } from '../dataplane/log/inspect/finding.ts';
import { segmentsPrefix, slotKey } from '../dataplane/log/format/keys.ts';
import { runFirn } from './firn.ts';

interface Printed {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

async function firn(...args: string[]): Promise<Printed> {
  const printed = { out: '', err: '' };
  const code = await runFirn(args, {
    out: (text) => (printed.out += text),
    err: (text) => (printed.err += text),
    env: {},
    cwd: '/',
    signal: new AbortController().signal,
  });
  return { code, ...printed };
}

function json(printed: Printed): Record<string, unknown> {
  return JSON.parse(printed.out) as Record<string, unknown>;
}

describe('firn log over a directory', () => {
  let folder: string;
  let url: string;
  let slot: string;

  before(async () => {
    folder = await mkdtemp(path.join(tmpdir(), 'firn-log-'));
    url = `file://${folder}/bucket`;
    const { bucket, dead } = await richBucket();
    slot = slotKey(dead, 85);
    const store = await openStore(url, { runtime: realRuntime });
    for (const key of bucket.keys) await store.put(key, bucket.bytes(key), { id: 'test' });
    await store.close();
  });

  after(async () => {
    await rm(folder, { recursive: true });
  });

  async function edit(
    work: (store: Awaited<ReturnType<typeof openStore>>) => Promise<unknown>,
  ): Promise<void> {
    const store = await openStore(url, { runtime: realRuntime });
    await work(store);
    await store.close();
  }

  test('verify says that all is well, exit code 0', async () => {
    const { code, out, err } = await firn('log', 'verify', url, '--deep');
    assert.equal(code, 0, out);
    assert.match(out, /^in order: 0 errors, 0 warnings, 0 infos$/m);
    assert.match(err, /checking 5 partition groups/);
    const report = await firn('log', 'verify', url, '--json');
    assert.deepEqual(json(report)['totals'], { error: 0, warning: 0, info: 0 });
    assert.equal(report.err, '');
  });

  test('inspect shows the bucket, and one object', async () => {
    const { code, out } = await firn('log', 'inspect', url, '--partitions');
    assert.equal(code, 0);
    assert.match(out, /^narrow-0 +10 +32 +40 /m);
    const parsed = json(await firn('log', 'inspect', url, '--json'));
    assert.equal((parsed['groups'] as unknown[]).length, 5);
    const object = await firn('log', 'inspect', url, slot);
    assert.equal(object.code, 0);
    assert.match(object.out, /kind +slot\n/);
    assert.equal(json(await firn('log', 'inspect', url, slot, '--json'))['kind'], 'slot');
  });

  test('a missing object: exit code 1', async () => {
    const { code, out, err } = await firn('log', 'inspect', url, 'pg/none');
    assert.deepEqual([code, out], [1, '']);
    assert.match(err, /has no object "pg\/none"/);
  });

  test('damage: verify names it, exit code 1; inspect of the object too', async () => {
    const bytes = await readFile(`${folder}/bucket/${slot}`);
    await edit((store) => store.put(slot, bytes.subarray(0, 100)));
    const { code, out } = await firn('log', 'verify', url);
    assert.equal(code, 1);
    assert.match(out, new RegExp(`^ERROR UNREADABLE {2}${slot}\n {2}what .*\n {2}means .*\n {2}do `, 'm'));
    assert.match(out, /^NOT IN ORDER: 1 errors/m);
    const report = await firn('log', 'verify', url, '--json');
    assert.equal(report.code, 1);
    const findings = json(report)['findings'] as { severity: string; code: string; key: string }[];
    assert.deepEqual(
      findings.filter(({ severity }) => severity === 'error').map(({ code, key }) => [code, key]),
      [['UNREADABLE', slot]],
    );
    assert.equal((await firn('log', 'inspect', url, slot)).code, 1);
    await edit((store) => store.put(slot, bytes, { id: 'test' }));
    assert.equal((await firn('log', 'verify', url)).code, 0);
  });

  test('neither command leaves a trace', async () => {
    const listing = async (): Promise<string[]> =>
      (await readdir(`${folder}/bucket`, { recursive: true })).sort();
    const before = await listing();
    await firn('log', 'verify', url, '--deep');
    await firn('log', 'inspect', url, '--partitions');
    await firn('log', 'inspect', url, slot);
    assert.deepEqual(await listing(), before);
    assert(before.some((name) => name.startsWith(segmentsPrefix.slice(0, -1))));
  });

  test('a copy of the bucket that other tools made, plain files in a directory, can be verified', async () => {
    await cp(`${folder}/bucket`, `${folder}/copy`, {
      recursive: true,
      filter: (source) => !source.includes('/.firn'),
    });
    const { code, out } = await firn('log', 'verify', `file://${folder}/copy`, '--deep');
    assert.equal(code, 0, out);
    assert.match(out, /^in order: /m);
  });

  test('a store that is not there: exit code 3, and it is not made', async () => {
    for (const what of ['inspect', 'verify']) {
      const { code, err } = await firn('log', what, `file://${folder}/nowhere`);
      assert.equal(code, 3);
      assert.match(err, /nowhere.*does not exist/);
    }
    assert(!(await readdir(folder)).includes('nowhere'));
  });
});

test('wrong usage: exit code 2 and what would be right', async () => {
  for (const [args, message] of [
    [[], /the first word is "inspect" or "verify"/],
    [['look', 'memory:'], /not "look"/],
    [['verify'], /URL is missing/],
    [['verify', 'memory:', 'key'], /"key" is one word too many/],
    [['inspect', 'memory:', 'a', 'b'], /"b" is one word too many/],
    [['inspect', 'memory:', '--deep'], /--deep is an option of verify/],
    [['verify', 'memory:', '--partitions'], /--partitions is an option of inspect/],
    [['inspect', 'memory:', 'key', '--partitions'], /for the whole bucket/],
    [['verify', 'memory:', '--fast'], /--fast/],
    [['verify', 'ftp://x'], /no kind of store/],
  ] as const) {
    const { code, err } = await firn('log', ...args);
    assert.equal(code, 2, args.join(' '));
    assert.match(err, message);
    assert.match(err, /usage: firn log inspect/);
  }
});

test('an empty store is in order, but probably not the one that was meant', async () => {
  const verified = await firn('log', 'verify', 'memory:');
  assert.equal(verified.code, 0);
  assert.match(verified.out, /right bucket and prefix/);
  const { code, out } = await firn('log', 'inspect', 'memory:');
  assert.equal(code, 0);
  assert.match(out, /none: meta\/cluster does not exist/);
});

test('docs/log.md explains every finding', async () => {
  const text = await readFile(path.join(import.meta.dirname, '../docs/log.md'), 'utf8');
  for (const [code, { severity }] of Object.entries(findingCodes)) {
    assert.match(text, new RegExp(`^\\| \`${code}\` +\\| ${severity} `, 'm'), code);
  }
});
