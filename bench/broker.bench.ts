/**
 * The broker beside Apache Kafka 4.3.1: the same client program against both, the data of both on tmpfs, so that what counts
 * is what the brokers do. CPU is that of the broker's process with all its threads; it is the steadier figure on a machine
 * that does other things too. Figures and what was done about them: `bench/README.md`.
 */
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import path from 'node:path';
import type { CompressionCodec } from '../dataplane/protocol/compression/codec.ts';
import { startKafkaServer } from '../e2e/tools/kafka-server.ts';
import { fileAcknowledgements } from './broker/file-ack.ts';
import { memoryFolder } from './broker/memory-folder.ts';
import { startFirnBroker } from './broker/peer.ts';
import type { Sides } from './broker/rounds.ts';
import { startAndIdle } from './broker/start.ts';
import { compareConsume, compareProduce, compareSmall } from './broker/throughput.ts';
import { defineBench } from './harness.ts';
import type { Figures, MeasureContext, RatioCase } from './harness.ts';

const mib = 1024 * 1024;

interface Shared extends Sides {
  readonly [key: string]: Sides['firn'];
}

const produceNone = 'produce 1 KiB';
const produceLz4 = 'produce 1 KiB, lz4';
const consumeNone = 'consume';
const consumeLz4 = 'consume, lz4';
const small = 'produce 100 B, linger 0';
const fileAck = 'acks over fsync';
const timeoutMs = 1_200_000;

function produceRounds(
  compression: CompressionCodec,
  { shared, quick }: MeasureContext<Shared>,
): Promise<Figures> {
  return compareProduce(shared, { compression, roundBytes: quick ? 256e6 : 2e9, rounds: 3 });
}

function consumeRounds(
  compression: CompressionCodec,
  { shared, quick }: MeasureContext<Shared>,
): Promise<Figures> {
  return compareConsume(shared, { compression, roundBytes: quick ? 1e9 : 4e9, rounds: 3 });
}

function over(figure: string, none: string, lz4: string): readonly RatioCase[] {
  return [
    { name: none, ratio: (run) => run(none, figure) },
    { name: lz4, fullOnly: true, ratio: (run) => run(lz4, figure) },
  ];
}

export const bench = defineBench<Shared>({
  name: 'broker',
  summary: `Firn beside Apache Kafka 4.3.1, 64 partitions, 4 producers, data under ${memoryFolder()}.`,
  runs: { full: 1, quick: 1 },

  async setup({ quick }) {
    const folder = await mkdtemp(path.join(memoryFolder(), 'firn-bench-broker-'));
    const remove = (): Promise<void> => rm(folder, { recursive: true, force: true });
    try {
      await mkdir(path.join(folder, 'kafka'));
      const firn = await startFirnBroker({
        folder: path.join(folder, 'firn'),
        logFile: path.join(folder, 'firn.log'),
        // Every partition, a group of its own, is flushed in each round: by default it is when it has 64 MiB, after 4 GB.
        log: { flushGroupBytes: (quick ? 3 : 16) * mib, housekeepingIntervalMs: 250 },
      });
      const kafka = await startKafkaServer({ folder: path.join(folder, 'kafka') });
      const stop = async (): Promise<void> => {
        await Promise.all([firn.process.kill(), kafka.process.kill()]);
        await remove();
      };
      return {
        shared: {
          firn: firn.peer,
          kafka: { host: kafka.host, port: kafka.port, pid: kafka.process.pid },
        },
        stop,
      };
    } catch (error) {
      await remove();
      throw error;
    }
  },

  cases: [
    { name: produceNone, timeoutMs, measure: (context) => produceRounds('none', context) },
    { name: produceLz4, timeoutMs, fullOnly: true, measure: (context) => produceRounds('lz4', context) },
    { name: consumeNone, timeoutMs, measure: (context) => consumeRounds('none', context) },
    { name: consumeLz4, timeoutMs, fullOnly: true, measure: (context) => consumeRounds('lz4', context) },
    {
      name: small,
      measure: ({ shared, quick }) => compareSmall(shared, { requests: quick ? 40_000 : 300_000, rounds: 3 }),
      timeoutMs,
    },
    { name: fileAck, measure: ({ quick }) => fileAcknowledgements({ seconds: quick ? 8 : 60 }) },
    { name: 'start and idle', measure: () => startAndIdle() },
  ],

  ratios: [
    {
      name: 'produceVsKafka',
      better: 'higher',
      target: 1,
      over: over('speedVsKafka', produceNone, produceLz4),
    },
    {
      name: 'produceCpuVsKafka',
      better: 'lower',
      target: 1,
      over: over('cpuVsKafka', produceNone, produceLz4),
    },
    {
      name: 'consumeVsKafka',
      better: 'higher',
      target: 1,
      over: over('speedVsKafka', consumeNone, consumeLz4),
    },
    {
      name: 'consumeCpuVsKafka',
      better: 'lower',
      target: 1,
      over: over('cpuVsKafka', consumeNone, consumeLz4),
    },
    {
      name: 'smallVsKafka',
      better: 'higher',
      target: 0.8,
      over: [{ name: small, ratio: (run) => run(small, 'speedVsKafka') }],
    },
    {
      name: 'smallCpuVsKafka',
      better: 'lower',
      target: 1.25,
      over: [{ name: small, ratio: (run) => run(small, 'cpuVsKafka') }],
    },
    {
      name: 'fileAckP99VsFsync',
      better: 'lower',
      target: 2,
      over: [{ name: fileAck, ratio: (run) => run(fileAck, 'ackVsRaw') }],
    },
    {
      name: 'idleRssMb',
      better: 'lower',
      target: 600,
      over: [{ name: 'start and idle', ratio: (run) => run('start and idle', 'idleRssMb') }],
    },
    {
      name: 'startEmptySeconds',
      better: 'lower',
      target: 1,
      over: [{ name: 'start and idle', ratio: (run) => run('start and idle', 'startEmptyMs') / 1000 }],
    },
    {
      name: 'start10kPartitionsSeconds',
      better: 'lower',
      target: 3,
      over: [
        { name: 'start and idle', ratio: (run) => run('start and idle', 'start10kPartitionsMs') / 1000 },
      ],
    },
  ],
});
