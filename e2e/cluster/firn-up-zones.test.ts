import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import type { AddressInfo, Server } from 'node:net';
import path from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { Kafka, logLevel } from 'kafkajs';
import type { Producer } from 'kafkajs';
import { startFirn, testFolder } from '../broker/firn-process.ts';
import type { FirnProcess } from '../broker/firn-process.ts';

const run = promisify(execFile);

/** `firn up --zones 3` over a folder. */
async function startZones(folder: string, ...more: readonly string[]): Promise<FirnProcess> {
  return await startFirn(`file:${folder}/data`, {
    logFile: path.join(folder, 'firn.log'),
    args: ['--zones', '3', ...more],
  });
}

/** The processes of its brokers, by id, as it tells of them when all are ready. */
async function pidsOf(firn: FirnProcess): Promise<Map<number, number>> {
  const lines = (await firn.output()).matchAll(/^ +(\d+) {2}\S+ .* (\d+)$/gm);
  return new Map(Array.from(lines, ([, id, pid]) => [Number(id), Number(pid)]));
}

/** Stopped ones are alive; those that have ended and are not waited for yet are not. */
async function lives(pid: number): Promise<boolean> {
  const state = await run('ps', ['-o', 'stat=', '-p', String(pid)]).catch(() => undefined);
  return state !== undefined && !state.stdout.startsWith('Z');
}

async function noneLives(pids: Iterable<number>): Promise<boolean> {
  for (const pid of pids) if (await lives(pid)) return false;
  return true;
}

async function until(what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
  for (let tries = 0; !(await holds()); tries++) {
    assert.ok(tries < 2_400, `not within two minutes: ${what}`);
    await sleep(50);
  }
}

async function says(firn: FirnProcess, pattern: RegExp): Promise<void> {
  await until(`it says ${pattern}`, async () => pattern.test(await firn.output()));
}

function clientOf(...brokers: readonly string[]): Kafka {
  return new Kafka({
    clientId: 'zones',
    brokers: [...brokers],
    logLevel: logLevel.NOTHING,
    retry: { initialRetryTime: 100, maxRetryTime: 500, retries: 100 },
  });
}

describe('firn up --zones 3', () => {
  let folder: Awaited<ReturnType<typeof testFolder>>;
  beforeEach(async () => {
    folder = await testFolder();
  });
  afterEach(() => folder.remove());

  it('goes on when one of its brokers is killed: nothing acknowledged is lost, and it is started again', async () => {
    const firn = await startZones(folder.path);
    const addresses = firn.bootstrap.split(',');
    const pids = await pidsOf(firn);
    assert.deepEqual([...pids.keys()], [0, 1_000, 2_000]);
    const kafka = clientOf(...addresses);
    const admin = kafka.admin();
    await admin.connect();
    await admin.createTopics({ topics: [{ topic: 'orders', numPartitions: 3, replicationFactor: 3 }] });
    const { brokers } = await admin.describeCluster();
    assert.deepEqual(
      brokers
        .map(({ nodeId, host, port }) => [nodeId, `${host}:${port}`])
        .toSorted(([a], [b]) => Number(a) - Number(b)),
      [0, 1_000, 2_000].map((id, at) => [id, addresses[at]]),
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
    process.kill(pids.get(1_000) ?? assert.fail('there is no broker 1000'), 'SIGKILL');
    // One to each partition in turn: those of the victim wait for their next owner.
    await produce(30);
    await says(firn, /^broker 1000 \(zone zone-b\) is ready again, pid \d+$/m);
    // What the others notice has the name of their zone in front.
    await says(firn, /^zone-[ac]: \{.*"level":"warn","message":".*1000/m);
    assert.match(
      await firn.output(),
      /^firn up: the process of broker 1000 \(zone zone-b\) was killed: it is started again$/m,
    );
    await produce(30);
    // By any of them to begin with, the new one too.
    await Promise.all(
      addresses.map(async (address, at) => {
        const values = await readAll(clientOf(address), `reader-${at}`, acknowledged.length);
        assert.deepEqual(values.toSorted(), acknowledged.toSorted());
      }),
    );
    await producer.disconnect();
    await admin.disconnect();

    const again = /is ready again, pid (\d+)/.exec(await firn.output())?.[1];
    process.kill(firn.process.pid, 'SIGINT');
    assert.equal(await firn.process.exited, 0);
    assert.ok(await noneLives([...pids.values(), Number(again)]));
  });

  it('leaves no broker behind when it is killed itself', async () => {
    const firn = await startZones(folder.path);
    const pids = [...(await pidsOf(firn)).values()];
    assert.equal(pids.length, 3);
    process.kill(firn.process.pid, 'SIGKILL');
    await until('its brokers have ended', () => noneLives(pids));
  });

  it('a second Ctrl-C ends all at once', async () => {
    const firn = await startZones(folder.path);
    const pids = await pidsOf(firn);
    const stopped = pids.get(2_000) ?? assert.fail('there is no broker 2000');
    process.kill(stopped, 'SIGSTOP');
    process.kill(firn.process.pid, 'SIGINT');
    await says(firn, /^handing over …/m);
    pids.delete(2_000);
    await until('those that can have handed over', () => noneLives(pids.values()));
    assert.equal(firn.process.hasExited, false);
    process.kill(firn.process.pid, 'SIGINT');
    assert.notEqual(await firn.process.exited, 0);
    // It finds out as soon as it runs.
    process.kill(stopped, 'SIGCONT');
    await until('the last one has ended', () => noneLives([stopped]));
  });

  it('one that does not end in its time is killed, exit code 1', async () => {
    const firn = await startZones(folder.path, '--drain-timeout', '0ms');
    const pids = await pidsOf(firn);
    process.kill(pids.get(1_000) ?? assert.fail('there is no broker 1000'), 'SIGSTOP');
    process.kill(firn.process.pid, 'SIGTERM');
    assert.equal(await firn.process.exited, 1);
    assert.match(
      await firn.output(),
      /^firn up: the process of zone zone-b has not ended within 10 s and is killed/m,
    );
    assert.ok(await noneLives(pids.values()));
  });

  it('does not fight for a broker that another process has taken; the others go on', async () => {
    const firn = await startZones(folder.path);
    const other = await startFirn(`file:${folder.path}/data`, {
      logFile: path.join(folder.path, 'other.log'),
      args: ['--zone', 'zone-b'],
    });
    assert.match(await other.output(), /^broker 1000 is ready$/m);
    await says(
      firn,
      /^firn up: broker 1000 \(zone zone-b\) is not started again: another process has its place$/m,
    );
    const admin = clientOf(...firn.bootstrap.split(',')).admin();
    await admin.connect();
    const { brokers } = await admin.describeCluster();
    assert.deepEqual(
      brokers.find(({ nodeId }) => nodeId === 1_000),
      { nodeId: 1_000, host: other.host, port: other.port },
    );
    await admin.disconnect();
    process.kill(firn.process.pid, 'SIGINT');
    assert.equal(await firn.process.exited, 1, 'it could not go on with all of them');
    await other.process.stop();
  });

  it('starts what a manifest says: brokers over zones, with ids of their zones, again under the same ids', async () => {
    const file = path.join(folder.path, 'broker.yaml');
    await writeFile(
      file,
      'apiVersion: firn.dev/v1beta1\nkind: Broker\nmetadata: {name: main}\n' +
        'spec:\n  replicas: 4\n  zones: [x, y, z]\n  storage: {file: {path: data}}\n' +
        '  listeners: [{name: internal, port: 0}]\n  internal: {secretFile: secret}\n',
    );
    await writeFile(path.join(folder.path, 'secret'), randomBytes(32).toString('base64'));
    const start = (): Promise<FirnProcess> =>
      startFirn('', {
        logFile: path.join(folder.path, 'firn.log'),
        program: path.join(import.meta.dirname, '../../cli/firn.ts'),
        args: ['up', '-f', file, '--admin-port', '0', '--api-port', '0'],
      });
    for (let times = 0; times < 2; times++) {
      const firn = await start();
      assert.deepEqual([...(await pidsOf(firn)).keys()], [0, 1_000, 2_000, 1]);
      process.kill(firn.process.pid, 'SIGINT');
      assert.equal(await firn.process.exited, 0);
    }
  });

  it('what is wrong with the store is said once; what only one of them cannot do ends the others', async () => {
    const data = path.join(folder.path, 'data');
    await mkdir(data);
    await writeFile(path.join(data, 'thesis.tex'), 'chapter one');
    await assert.rejects(startZones(folder.path), ({ message }: Error) => {
      assert.match(message, /^firn up ended with 1: zone-a: firn up: .*that Firn did not put there.*\n$/);
      return true;
    });
    await rm(data, { recursive: true });
    const taken = await freePort(3);
    const server = await listening(taken + 1);
    await assert.rejects(startZones(folder.path, '--port', String(taken)), ({ message }: Error) => {
      assert.match(
        message,
        /^firn up ended with 1: zone-b: firn up: .*port \d+ of 127\.0\.0\.1 is taken.*\nfirn up: not all brokers could be started; the others are ended\n$/,
      );
      return true;
    });
    server?.close();
  });
});

/** The first of so many ports in a row that nobody listens on now. */
async function freePort(count: number): Promise<number> {
  for (;;) {
    const first = await listening(0);
    assert(first !== undefined);
    const { port } = first.address() as AddressInfo;
    const others = [];
    for (let at = 1; at < count; at++) others.push(await listening(port + at));
    for (const server of [first, ...others]) server?.close();
    if (!others.includes(undefined)) return port;
  }
}

/** `undefined`: the port is taken. */
async function listening(port: number): Promise<Server | undefined> {
  const server = createServer().listen(port, '127.0.0.1');
  return await once(server, 'listening').then(
    () => server,
    () => undefined,
  );
}

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

async function readAll(kafka: Kafka, groupId: string, count: number): Promise<string[]> {
  const consumer = kafka.consumer({ groupId });
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
