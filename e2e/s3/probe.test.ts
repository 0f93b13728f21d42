import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { realRuntime } from '../../dataplane/runtime/real-runtime.ts';
import type { ObjectStore } from '../../dataplane/store/object-store.ts';
import { openStore } from '../../dataplane/store/open.ts';
import { probeStore } from '../../dataplane/store/probe/probe.ts';
import type { ProbeReport } from '../../dataplane/store/probe/probe.ts';
import { startFaultProxy } from '../faults/fault-proxy.ts';
import { s3Errors } from '../faults/fault-rule.ts';
import type { FaultRule } from '../faults/fault-rule.ts';
import { skipUnless } from '../tools/real-part.ts';
import { startMoto, startS3Server, startVersitygw } from '../tools/s3-server.ts';
import type { S3Server } from '../tools/s3-server.ts';

const bucket = 'probed';
const skipVersitygw = await skipUnless('versitygw');

for (const kind of ['versitygw', 'minio'] as const) {
  test(
    `${kind} is accepted in 30 rounds, and its bucket is empty afterwards`,
    { skip: await skipUnless(kind) },
    async () => {
      await using server = await startS3Server(kind);
      await server.createBucket(bucket);
      const report = await probeStore({ endpoints: [opener(server)], runtime: realRuntime, rounds: 30 });
      assertAllPassed(report);
      assert.equal(report.cases.find(({ name }) => name === 'racing-if-match')?.rounds, 30);
      const store = await opener(server)();
      assert.deepEqual((await store.list('')).objects, []);
      await store.close();
    },
  );
}

test('the file store is accepted in 30 rounds, checksums included', async () => {
  const dir = await mkdtemp(path.join(os.tmpdir(), 'firn-probed-'));
  try {
    const open = (): Promise<ObjectStore> => openStore(pathToFileURL(dir).href, { runtime: realRuntime });
    assertAllPassed(await probeStore({ endpoints: [open], runtime: realRuntime, rounds: 30 }));
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
});

/**
 * moto looks at the condition, then writes, and Python runs one thread at a time: with small bodies the threads all but
 * never meet in between. From 5 MiB on it puts the body into a file there, and other threads run: of the 12 rounds of
 * racing-large about 5 have several winners, so that less than 1 probe in 100 finds nothing. Five in a row are not luck.
 */
test('firn probe refuses moto, with exit code 1', { skip: await skipUnless('moto') }, async () => {
  await using server = await startMoto();
  await server.createBucket(bucket);
  const probes = [];
  do probes.push(await firnProbe(server, urlOf(server)));
  while (probes.at(-1)?.code === 0 && probes.length < 5);
  const last = probes.at(-1);
  assert.equal(last?.code, 1, last?.out);
  assert.match(
    last.out,
    /\n(s3:\S+ \(http:\S+\)) is refused: case racing-\S+.* writers .* told they had won\. Firn would/,
  );
  assert.match(last.out, /\nwrong-checksum +warning /);
});

test(
  'firn probe accepts versitygw through two endpoints, with exit code 0',
  { skip: skipVersitygw },
  async () => {
    await using server = await startVersitygw();
    await server.createBucket(bucket);
    const second = await startFaultProxy({ target: server.endpoint });
    try {
      const options = ['--rounds', '3', '--endpoint', second.url, '--json'];
      const { code, out } = await firnProbe(server, urlOf(server), ...options);
      const report = JSON.parse(out) as ProbeReport;
      assert.equal(code, 0, report.sentence);
      assertAllPassed(report);
      assert.equal(report.endpoints.length, 2);
      assert.ok((second.counts().client['PUT 412'] ?? 0) > 0, 'races went through the second endpoint');
    } finally {
      await second.stop();
    }
  },
);

/** What a bad network and a busy store do, to about a third of all writes. */
const badNetwork: readonly FaultRule[] = [
  { name: '409', methods: ['PUT'], probability: 0.05, fault: s3Errors.conflict },
  { name: '503', probability: 0.05, fault: s3Errors.slowDown },
  { name: '500', methods: ['PUT'], probability: 0.04, fault: s3Errors.internalError },
  { name: '500 done', methods: ['PUT'], probability: 0.04, fault: s3Errors.internalErrorAfterEffect },
  { name: 'reset', probability: 0.04, fault: { kind: 'reset', effect: 'none' } },
  {
    name: 'lost',
    methods: ['PUT', 'DELETE'],
    probability: 0.04,
    fault: { kind: 'reset', effect: 'applied' },
  },
  {
    name: 'late',
    methods: ['PUT'],
    probability: 0.04,
    fault: { kind: 'late', delay: { minMs: 1, maxMs: 200 }, client: 'reset' },
  },
  {
    name: 'twice',
    methods: ['PUT'],
    probability: 0.04,
    fault: { kind: 'duplicate', delay: 0, answer: 'second' },
  },
  {
    name: 'cut',
    methods: ['GET'],
    probability: 0.04,
    fault: { kind: 'truncate', afterBytes: 50, ending: 'close' },
  },
];

test('versitygw behind a bad network is accepted', { skip: skipVersitygw }, async () => {
  await using server = await startVersitygw();
  await server.createBucket(bucket);
  const proxy = await startFaultProxy({ target: server.endpoint, rules: badNetwork, seed: 11 });
  try {
    const report = await probeStore({
      endpoints: [opener({ ...server, endpoint: proxy.url })],
      runtime: realRuntime,
      rounds: 10,
      largeBodyBytes: 200_000,
    });
    assertAllPassed(report);
    for (const [name, { hit }] of Object.entries(proxy.counts().rules))
      assert.ok(hit > 0, `${name} hit nothing`);
  } finally {
    await proxy.stop();
  }
});

test(
  'wrong credentials and missing buckets are not refusals: exit code 3',
  { skip: skipVersitygw },
  async () => {
    await using server = await startVersitygw();
    const missing = await firnProbe(server, urlOf(server));
    assert.equal(missing.code, 3, missing.out);
    assert.match(
      missing.out,
      /could not be probed: case write-read-delete: .* create the bucket "probed" first/,
    );
    await server.createBucket(bucket);
    const denied = await firnProbe({ ...server, secretAccessKey: 'wrong' }, urlOf(server));
    assert.equal(denied.code, 3, denied.out);
    assert.match(denied.out, /could not be probed: case write-read-delete: .* 403 SignatureDoesNotMatch/);
  },
);

function assertAllPassed(report: ProbeReport): void {
  assert.equal(report.verdict, 'accepted', report.sentence);
  for (const { name, verdict, detail } of report.cases) assert.equal(verdict, 'passed', `${name}: ${detail}`);
  assert.equal(report.leftovers, undefined);
}

function urlOf(server: S3Server): string {
  return `s3://${bucket}?endpoint=${server.endpoint}&region=${server.region}`;
}

function opener(
  server: Pick<S3Server, 'endpoint' | 'region' | 'accessKeyId' | 'secretAccessKey'>,
): () => Promise<ObjectStore> {
  const { endpoint, region, accessKeyId, secretAccessKey } = server;
  return () =>
    openStore(`s3://${bucket}?endpoint=${endpoint}&region=${region}`, {
      runtime: realRuntime,
      maxConnections: 32,
      s3: { credentials: { accessKeyId, secretAccessKey } },
    });
}

async function firnProbe(
  server: Pick<S3Server, 'accessKeyId' | 'secretAccessKey'>,
  ...args: readonly string[]
): Promise<{ readonly code: number | null; readonly out: string }> {
  const program = path.join(import.meta.dirname, '../../cli/firn.ts');
  const child = spawn(process.execPath, [program, 'probe', ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: {
      ...process.env,
      AWS_ACCESS_KEY_ID: server.accessKeyId,
      AWS_SECRET_ACCESS_KEY: server.secretAccessKey,
    },
  });
  let out = '';
  child.stdout.on('data', (text: Buffer) => (out += text.toString()));
  const [code] = (await once(child, 'close')) as [number | null];
  return { code, out };
}
