import assert from 'node:assert/strict';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { Kafka, logLevel } from 'kafkajs';
import type { Producer } from 'kafkajs';
import { startFirn, testFolder } from '../broker/firn-process.ts';
import type { FirnProcess } from '../broker/firn-process.ts';

/** `firn up --zones 3` over a folder, and its brokers as it tells of them. */
async function startZones(folder: string): Promise<FirnProcess> {
  return await startFirn(`file:${folder}/data`, {
    logFile: path.join(folder, 'firn.log'),
    args: ['--zones', '3'],
  });
}

async function pidsOf(firn: FirnProcess): Promise<Map<number, number>> {
  const lines = (await firn.output()).matchAll(/broker +(\d+) .*pid (\d+)/g);
  return new Map(Array.from(lines, ([, id, pid]) => [Number(id), Number(pid)]));
}

function lives(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

async function until(what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
  for (let tries = 0; !(await holds()); tries++) {
    assert.ok(tries < 1_200, `not within a minute: ${what}`);
    await sleep(50);
  }
}

function clientOf(firn: FirnProcess): Kafka {
  return new Kafka({
    clientId: 'zones',
    brokers: firn.bootstrap.split(','),
    logLevel: logLevel.NOTHING,
    retry: { initialRetryTime: 100, maxRetryTime: 500, retries: 100 },
  });
}

describe('firn up --zones 3', () => {
  let folder: Awaited<ReturnType<typeof testFolder>>;
  before(async () => {
    folder = await testFolder();
  });
  after(() => folder.remove());

  it('goes on when one of its brokers is killed: nothing acknowledged is lost, and it is started again', async () => {
    const firn = await startZones(folder.path);
    const pids = await pidsOf(firn);
    assert.deepEqual([...pids.keys()], [0, 1_000, 2_000]);
    const kafka = clientOf(firn);
    const admin = kafka.admin();
    await admin.connect();
    await admin.createTopics({ topics: [{ topic: 'orders', numPartitions: 3, replicationFactor: 3 }] });
    const { brokers } = await admin.describeCluster();
    assert.deepEqual(
      brokers.map(({ nodeId }) => nodeId).toSorted((a, b) => a - b),
      [0, 1_000, 2_000],
    );
    const leaders = async (): Promise<number[]> => {
      const { topics } = await admin.fetchTopicMetadata({ topics: ['orders'] });
      return (topics[0]?.partitions ?? [])
        .toSorted((a, b) => a.partitionId - b.partitionId)
        .map(({ leader }) => leader);
    };
    await until('every zone leads a partition', async () => new Set(await leaders()).size === 3);
    const producer = kafka.producer({ idempotent: true, maxInFlightRequests: 1 });
    await producer.connect();
    const acknowledged: string[] = [];
    const produce = async (count: number): Promise<void> => {
      for (let at = 0; at < count; at++) acknowledged.push(await produceOne(producer, acknowledged.length));
    };
    await produce(30);
    const victim = pids.get(1_000) ?? assert.fail('there is no broker 1000');
    process.kill(victim, 'SIGKILL');
    // One to each partition in turn: those of the victim wait for their next owner.
    await produce(30);
    await until('it is started again', async () => /broker 1000 .*is ready again/.test(await firn.output()));
    await produce(30);
    assert.deepEqual((await readAll(kafka, acknowledged.length)).toSorted(), acknowledged.toSorted());
    await producer.disconnect();
    await admin.disconnect();

    const now = [...(await pidsOf(firn)).values()];
    const again = /is ready again, pid (\d+)/.exec(await firn.output())?.[1];
    process.kill(firn.process.pid, 'SIGINT');
    assert.equal(await firn.process.exited, 0);
    for (const pid of [...now, Number(again)]) assert.equal(lives(pid), false);
  });

  it('leaves no broker behind when it is killed itself', async () => {
    const firn = await startZones(folder.path);
    const pids = [...(await pidsOf(firn)).values()];
    assert.equal(pids.length, 3);
    process.kill(firn.process.pid, 'SIGKILL');
    await until('its brokers have ended', () => !pids.some(lives));
  });
});

/** kafkajs drops what moves while others of the same `send` are answered: one partition at a time. */
async function produceOne(producer: Producer, number: number): Promise<string> {
  const value = String(number).padStart(6, '0');
  const [answer] = await producer.send({
    topic: 'orders',
    acks: -1,
    messages: [{ partition: number % 3, value }],
  });
  assert.equal(answer?.errorCode, 0);
  return value;
}

async function readAll(kafka: Kafka, count: number): Promise<string[]> {
  const consumer = kafka.consumer({ groupId: 'reader' });
  await consumer.connect();
  await consumer.subscribe({ topics: ['orders'], fromBeginning: true });
  const values: string[] = [];
  await consumer.run({
    eachMessage: ({ message }) => {
      values.push(String(message.value));
      return Promise.resolve();
    },
  });
  await until('all is read', () => values.length >= count);
  await consumer.disconnect();
  return values;
}
