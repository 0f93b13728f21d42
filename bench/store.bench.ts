/**
 * The S3 store against the two clients people know: `curl --parallel` for throughput, `@aws-sdk/client-s3` for CPU per
 * small request; all over loopback against one versitygw.
 *
 * Fair to curl: as many transfers at a time, connections reused as well (checked), the same bytes, the same signature
 * (unsigned payload) and, with PUTs, the same CRC32C header, so that the server does the same work; curl's start, its
 * configuration included, is measured apart and taken off. Fair to us: curl writes what it gets to /dev/null from one
 * buffer, we hand out each object in memory of its own.
 */
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { text } from 'node:stream/consumers';
import { crc32c } from '@node-rs/crc32';
import { realRuntime } from '../dataplane/runtime/real-runtime.ts';
import type { ObjectStore } from '../dataplane/store/object-store.ts';
import { createS3Store } from '../dataplane/store/s3/s3-store.ts';
import { startVersitygw } from '../e2e/tools/s3-server.ts';
import { defineBench, quotient } from './harness.ts';
import type { Figures, RatioCase } from './harness.ts';

const bucket = 'bench';
const objectBytes = 4 * 1024 * 1024;
const smallBytes = 1024;
/** Transfers at a time, for every client. */
const concurrency = 8;
/** Keys in use. */
const objects = 64;
const mib = 1024 * 1024;

interface Shared {
  readonly [key: string]: string;
  readonly endpoint: string;
  readonly region: string;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  /** A file with the bytes of an object. */
  readonly file: string;
}

export const bench = defineBench<Shared>({
  name: 'store',
  summary: `S3 store over versitygw on loopback: ${objectBytes / mib} MiB objects against curl --parallel (${concurrency} at a time), small GETs against @aws-sdk/client-s3.`,

  async setup() {
    const folder = await mkdtemp(path.join(os.tmpdir(), 'firn-bench-store-'));
    const server = await startVersitygw();
    const { endpoint, region, accessKeyId, secretAccessKey } = server;
    const file = path.join(folder, 'object');
    const shared = { endpoint, region, accessKeyId, secretAccessKey, file };
    const stop = async (): Promise<void> => {
      await server.stop();
      await rm(folder, { recursive: true, force: true });
    };
    try {
      const bytes = randomBytes(objectBytes);
      await writeFile(file, bytes);
      await server.createBucket(bucket);
      const store = openStore(shared);
      await atATime(concurrency, objects, (i) => store.put(key(i), bytes));
      await store.put('small', bytes.subarray(0, smallBytes));
      await store.close();
    } catch (error) {
      await stop();
      throw error;
    }
    return { shared, stop };
  },

  cases: [
    {
      name: 'PUT 4 MiB',
      measure: async ({ shared, quick }) => {
        const bytes = await readFile(shared.file);
        return await againstCurl('PUT', shared, quick, (store, i) => store.put(key(i), bytes));
      },
    },
    {
      name: 'GET 4 MiB',
      measure: ({ shared, quick }) =>
        againstCurl('GET', shared, quick, async (store, i) => {
          const result = await store.get(key(i), { range: { start: 0, end: objectBytes } });
          if (result.kind !== 'found' || result.body.byteLength !== objectBytes)
            throw new Error(`${key(i)} came back ${result.kind} or cut`);
        }),
    },
    {
      name: 'small GET, Firn',
      measure: async ({ shared, quick }) => {
        const store = openStore(shared);
        const figures = await cpuPerRequest(quick, async () => {
          const result = await store.get('small');
          if (result.kind !== 'found' || result.body.byteLength !== smallBytes)
            throw new Error(`the small object came back ${result.kind} or cut`);
        });
        await store.close();
        return figures;
      },
    },
    {
      name: 'small GET, AWS SDK',
      measure: async ({ shared, quick }) => {
        const { GetObjectCommand, S3Client } = await import('@aws-sdk/client-s3');
        const { endpoint, region, accessKeyId, secretAccessKey } = shared;
        const credentials = { accessKeyId, secretAccessKey };
        const client = new S3Client({ endpoint, region, credentials, forcePathStyle: true });
        const figures = await cpuPerRequest(quick, async () => {
          const { Body } = await client.send(new GetObjectCommand({ Bucket: bucket, Key: 'small' }));
          const body = await Body?.transformToByteArray();
          if (body?.byteLength !== smallBytes) throw new Error('the small object came back cut');
        });
        client.destroy();
        return figures;
      },
    },
    {
      name: 'memory, Firn',
      maxRuns: 1,
      // V8 starts with the young generation that it would grow to: its growth is not ours.
      nodeOptions: ['--expose-gc', '--min-semi-space-size=16'],
      measure: ({ shared, quick }) => memoryGrowth(shared, quick),
    },
  ],

  ratios: [
    { name: 'putVsCurl', better: 'higher', target: 0.9, over: [vsCurl('PUT 4 MiB')] },
    { name: 'getVsCurl', better: 'higher', target: 0.9, over: [vsCurl('GET 4 MiB')] },
    {
      name: 'smallGetCpuVsSdk',
      better: 'lower',
      target: 0.5,
      over: [quotient('cpuUsPerRequest', 'small GET, Firn', 'small GET, AWS SDK')],
    },
  ],
});

function openStore(shared: Shared): ReturnType<typeof createS3Store> {
  const { endpoint, region, accessKeyId, secretAccessKey } = shared;
  const credentials = { accessKeyId, secretAccessKey };
  return createS3Store({ bucket, endpoint, region, credentials, maxConnections: 64, runtime: realRuntime });
}

function key(i: number): string {
  return `object-${i % objects}`;
}

function vsCurl(name: string): RatioCase {
  return { name, ratio: (run) => run(name, 'firnMibPerSecond') / run(name, 'curlMibPerSecond') };
}

/** Takes turns with curl, so that what disturbs the machine for some seconds disturbs both. */
async function againstCurl(
  method: 'GET' | 'PUT',
  shared: Shared,
  quick: boolean,
  transfer: (store: ObjectStore, i: number) => Promise<unknown>,
): Promise<Figures> {
  const turns = quick ? 2 : 5;
  const keys = Array.from({ length: quick ? 128 : 256 }, (_, i) => key(i));
  const store = openStore(shared);
  const run = (count: number): Promise<void> => atATime(concurrency, count, (i) => transfer(store, i));
  await run(keys.length);
  const curlStartSeconds = median(
    await inTurn(5, async () => (await runCurl('GET', shared, ['small'])).seconds),
  );
  let [firnSeconds, curlSeconds, cpuUs] = [0, 0, 0];
  for (let turn = 0; turn < turns; turn++) {
    const startMs = performance.now();
    const startCpu = process.cpuUsage();
    await run(keys.length);
    firnSeconds += (performance.now() - startMs) / 1000;
    const { user, system } = process.cpuUsage(startCpu);
    cpuUs += user + system;
    curlSeconds += (await runCurl(method, shared, keys)).seconds - curlStartSeconds;
  }
  await store.close();
  const mibMoved = (turns * keys.length * objectBytes) / mib;
  return {
    firnMibPerSecond: mibMoved / firnSeconds,
    curlMibPerSecond: mibMoved / curlSeconds,
    firnCpuUsPerRequest: cpuUs / (turns * keys.length),
  };
}

async function inTurn<T>(count: number, work: () => Promise<T>): Promise<T[]> {
  const results: T[] = [];
  for (let i = 0; i < count; i++) results.push(await work());
  return results;
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? NaN;
}

async function cpuPerRequest(quick: boolean, request: () => Promise<void>): Promise<Figures> {
  const count = quick ? 2_000 : 10_000;
  await atATime(concurrency, count / 4, request);
  const startMs = performance.now();
  const startCpu = process.cpuUsage();
  await atATime(concurrency, count, request);
  const { user, system } = process.cpuUsage(startCpu);
  const seconds = (performance.now() - startMs) / 1000;
  return { cpuUsPerRequest: (user + system) / count, requestsPerSecond: count / seconds };
}

/** How much more memory is in use after all requests than after a tenth of them. */
async function memoryGrowth(shared: Shared, quick: boolean): Promise<Figures> {
  const count = quick ? 20_000 : 100_000;
  const store = openStore(shared);
  const bytes = randomBytes(smallBytes);
  const request = async (i: number): Promise<void> => {
    if (i % 10 === 0) await store.put(`written-${i % 100}`, bytes);
    else await store.get('small');
  };
  await atATime(concurrency, count / 10, request);
  const before = settledMemory();
  await atATime(concurrency, count - count / 10, request);
  const after = settledMemory();
  await store.close();
  return {
    requests: count,
    rssGrowthMib: (after.rss - before.rss) / mib,
    heapGrowthMib: (after.heapUsed - before.heapUsed) / mib,
    bufferGrowthMib: (after.arrayBuffers - before.arrayBuffers) / mib,
    rssMib: after.rss / mib,
  };
}

function settledMemory(): NodeJS.MemoryUsage {
  globalThis.gc?.();
  globalThis.gc?.();
  return process.memoryUsage();
}

async function runCurl(
  method: 'GET' | 'PUT',
  shared: Shared,
  keys: readonly string[],
): Promise<{ readonly seconds: number }> {
  const { endpoint, region, accessKeyId, secretAccessKey, file } = shared;
  const crc = Buffer.alloc(4);
  crc.writeUInt32BE(crc32c(await readFile(file)));
  const common = [
    'silent',
    'show-error',
    'fail',
    'output = "/dev/null"',
    'write-out = "%{http_code} %{num_connects}\\n"',
    `user = "${accessKeyId}:${secretAccessKey}"`,
    `aws-sigv4 = "aws:amz:${region}:s3"`,
    'header = "x-amz-content-sha256: UNSIGNED-PAYLOAD"',
    ...(method === 'PUT'
      ? [
          `upload-file = "${file}"`,
          'header = "Expect:"',
          `header = "x-amz-checksum-crc32c: ${crc.toString('base64')}"`,
        ]
      : [`range = "0-${objectBytes - 1}"`]),
  ];
  const sections = keys.map((name) => [`url = "${endpoint}/${bucket}/${name}"`, ...common].join('\n'));
  const config = `${file}.curl-${process.pid}`;
  await writeFile(config, sections.join('\nnext\n'));
  const args = [
    '--parallel',
    '--parallel-immediate',
    '--parallel-max',
    String(concurrency),
    '--config',
    config,
  ];
  const startMs = performance.now();
  const child = spawn('curl', args, { stdio: ['ignore', 'pipe', 'inherit'] });
  const [output, [code]] = await Promise.all([
    text(child.stdout),
    once(child, 'exit') as Promise<[number | null]>,
  ]);
  const seconds = (performance.now() - startMs) / 1000;
  await rm(config);
  const answers = output
    .trim()
    .split('\n')
    .map((line) => line.split(' ').map(Number));
  const good = answers.filter(([status]) => status === 200 || status === 206).length;
  const connects = answers.reduce((sum, [, connections = 0]) => sum + connections, 0);
  if (code !== 0 || good !== keys.length || connects > concurrency)
    throw new Error(
      `curl ended with ${code}: ${good} of ${keys.length} answers good, ${connects} connections made`,
    );
  return { seconds };
}

/** Runs `work(0)` to `work(count - 1)`, so many at a time. */
async function atATime(width: number, count: number, work: (i: number) => Promise<unknown>): Promise<void> {
  let next = 0;
  const worker = async (): Promise<void> => {
    while (next < count) await work(next++);
  };
  await Promise.all(Array.from({ length: width }, worker));
}
