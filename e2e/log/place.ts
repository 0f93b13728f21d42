import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { startFaultProxy } from '../faults/fault-proxy.ts';
import { s3Errors } from '../faults/fault-rule.ts';
import type { FaultRule } from '../faults/fault-rule.ts';
import { skipUnless } from '../tools/real-part.ts';
import { startVersitygw } from '../tools/s3-server.ts';

/** Where the brokers of a test keep their log. */
export interface Place {
  readonly url: string;
  /** For the broker processes. */
  readonly env: Readonly<Record<string, string>>;
  /** How often each fault has struck. */
  readonly faults: () => Readonly<Record<string, number>>;
  /** From now on everything works: for the last look at the log. */
  readonly calm: () => void;
  readonly close: () => Promise<void>;
}

export interface PlaceKind {
  readonly name: string;
  readonly skip: string | false;
  readonly open: (seed: number) => Promise<Place>;
}

/** Lost answers, refusals, broken connections, late and repeated writes, and time that passes. */
const faultRules: readonly FaultRule[] = [
  {
    name: 'latency',
    fault: { kind: 'latency', before: 'request', delay: { p50Ms: 4, p99Ms: 60 } },
    probability: 0.5,
  },
  { name: 'answer lost', methods: ['PUT'], probability: 0.03, fault: { kind: 'reset', effect: 'applied' } },
  { name: 'reset', probability: 0.02, fault: { kind: 'reset', effect: 'none' } },
  { name: '503', probability: 0.03, fault: s3Errors.slowDown },
  { name: '500', methods: ['PUT'], probability: 0.02, fault: s3Errors.internalErrorAfterEffect },
  {
    name: 'silence',
    methods: ['PUT'],
    probability: 0.004,
    fault: { kind: 'black-hole', effect: 'applied' },
  },
  {
    name: 'late',
    methods: ['PUT'],
    probability: 0.02,
    fault: { kind: 'late', delay: { minMs: 5, maxMs: 3_000 }, client: 'reset' },
  },
  {
    name: 'twice',
    methods: ['PUT'],
    probability: 0.02,
    fault: { kind: 'duplicate', delay: { minMs: 0, maxMs: 200 }, answer: 'second' },
  },
];

/** A directory for the file store; `close` removes it. */
export async function openDirectory(): Promise<Place> {
  const directory = await mkdtemp(path.join(os.tmpdir(), 'firn-log-'));
  return {
    url: pathToFileURL(directory).href,
    env: {},
    faults: () => ({}),
    calm: () => undefined,
    close: () => rm(directory, { recursive: true }),
  };
}

async function openFaultyServer(seed: number): Promise<Place> {
  const server = await startVersitygw();
  try {
    await server.createBucket('firn-log');
    const proxy = await startFaultProxy({ target: server.endpoint, rules: faultRules, seed });
    return {
      url: `s3://firn-log/e2e?endpoint=${encodeURIComponent(proxy.url)}&region=${server.region}`,
      env: { AWS_ACCESS_KEY_ID: server.accessKeyId, AWS_SECRET_ACCESS_KEY: server.secretAccessKey },
      faults: () =>
        Object.fromEntries(Object.entries(proxy.counts().rules).map(([name, { hit }]) => [name, hit])),
      calm: () => {
        proxy.setRules([]);
      },
      close: async () => {
        await proxy.stop();
        await server.stop();
      },
    };
  } catch (error) {
    await server.stop();
    throw error;
  }
}

/** Installs versitygw when that is needed and possible. */
export async function placeKinds(): Promise<readonly PlaceKind[]> {
  return [
    { name: 'the file store', skip: false, open: openDirectory },
    {
      name: 'versitygw behind a fault proxy',
      skip: await skipUnless('versitygw'),
      open: openFaultyServer,
    },
  ];
}
