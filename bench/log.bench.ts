/**
 * The log: appends and catch-up reads over a real S3 server against raw requests by the same client; acknowledgement
 * latency, requests, cost, memory and takeover over a simulated S3 in virtual time, where the machine's speed does not
 * count (what the code itself takes is in the CPU figures).
 */
import { startVersitygw } from '../e2e/tools/s3-server.ts';
import { defineBench } from './harness.ts';
import { appendAgainstRawPut } from './log/append.ts';
import { mib } from './log/broker.ts';
import { catchUpAgainstRawGet } from './log/catch-up.ts';
import { bucket } from './log/s3.ts';
import type { S3Shared } from './log/s3.ts';
import { idleBroker, steadyLoad } from './log/steady.ts';
import { takeover } from './log/takeover.ts';

const s3Load = 'ack over S3';
/** The linger has adapted; every group is flushed once while it counts, as happens every 54 s. */
const briefly = { seconds: 54, warmUpSeconds: 20 } as const;
/** Sees the collector's work done before it measures memory. */
const nodeOptions = ['--expose-gc'];

export const bench = defineBench<S3Shared>({
  name: 'log',
  summary:
    'The log over versitygw on loopback against raw PUTs and ranged GETs of the same client; over a simulated S3 (PUT p50 30 ms, p99 120 ms) in virtual time.',
  runs: { full: 3, quick: 1 },

  async setup() {
    const server = await startVersitygw();
    const { endpoint, region, accessKeyId, secretAccessKey } = server;
    const stop = (): Promise<void> => server.stop();
    try {
      await server.createBucket(bucket);
    } catch (error) {
      await stop();
      throw error;
    }
    return { shared: { endpoint, region, accessKeyId, secretAccessKey }, stop };
  },

  cases: [
    { name: 'append', measure: appendAgainstRawPut },
    { name: 'catch-up', measure: catchUpAgainstRawGet },
    {
      name: s3Load,
      maxRuns: 1,
      nodeOptions,
      measure: ({ quick }) =>
        steadyLoad({
          bytesPerSecond: 10 * mib,
          ...(quick ? briefly : { seconds: 1_800, warmUpSeconds: 60 }),
        }),
    },
    {
      name: '100 ms linger',
      maxRuns: 1,
      nodeOptions,
      measure: ({ quick }) =>
        steadyLoad({
          bytesPerSecond: 10_000_000,
          ...(quick ? briefly : { seconds: 600, warmUpSeconds: 60 }),
          options: { minLingerMs: 100, maxLingerMs: 100 },
        }),
    },
    {
      name: '250 ms linger',
      maxRuns: 1,
      nodeOptions,
      measure: ({ quick }) =>
        steadyLoad({
          bytesPerSecond: 10_000_000,
          ...(quick ? briefly : { seconds: 600, warmUpSeconds: 60 }),
          options: { minLingerMs: 250, maxLingerMs: 250 },
        }),
    },
    { name: 'idle', maxRuns: 1, measure: ({ quick }) => idleBroker(quick ? 120 : 3_600) },
    {
      name: 'takeover, one topic',
      maxRuns: 1,
      measure: ({ quick }) =>
        takeover({
          topics: 1,
          partitionsPerTopic: 10_000,
          unflushedBytes: 384 * mib,
          batchBytes: quick ? 16_384 : 4_096,
          askedFor: 100,
        }),
    },
    {
      name: 'takeover, many topics',
      maxRuns: 1,
      measure: ({ quick }) =>
        takeover({
          topics: 10_000,
          partitionsPerTopic: 1,
          unflushedBytes: (quick ? 160 : 384) * mib,
          batchBytes: 16_384,
          askedFor: 100,
        }),
    },
  ],

  ratios: [
    {
      name: 'appendVsRawPut',
      better: 'higher',
      target: 0.8,
      over: [
        {
          name: 'append',
          ratio: (run) => run('append', 'logMibPerSecond') / run('append', 'rawMibPerSecond'),
        },
      ],
    },
    {
      name: 'ackP50VsRaw',
      better: 'lower',
      target: 1.3,
      over: [{ name: s3Load, ratio: (run) => run(s3Load, 'ackP50Ms') / (run(s3Load, 'rawP50Ms') + 50) }],
    },
    {
      name: 'ackP99VsRaw',
      better: 'lower',
      target: 1.3,
      over: [{ name: s3Load, ratio: (run) => run(s3Load, 'ackP99Ms') / (run(s3Load, 'rawP99Ms') + 100) }],
    },
    {
      name: 'catchUpVsRawGet',
      better: 'higher',
      target: 0.8,
      over: [
        {
          name: 'catch-up',
          ratio: (run) => run('catch-up', 'logMibPerSecond') / run('catch-up', 'rawMibPerSecond'),
        },
      ],
    },
  ],
});
