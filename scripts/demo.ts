/**
 * `make demo`: a broker over a folder, a stock client (kafkajs), a `kill -9`, and nothing lost. Ends by itself and leaves
 * the folder to look into.
 */
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { rmSync } from 'node:fs';
import path from 'node:path';
import { CompressionTypes, Kafka, logLevel } from 'kafkajs';

const firn = path.join(import.meta.dirname, '../cli/firn.ts');
const folder = 'firn-data/demo';
const topic = 'orders';
const records = 2_000;

function say(text: string): void {
  process.stdout.write(`${text}\n`);
}

interface RunningBroker {
  readonly process: ChildProcess;
  readonly port: number;
}

async function startBroker(port: number): Promise<RunningBroker> {
  const args = [firn, 'up', `file:${folder}`, '--port', String(port), '--admin-port', '0', '--api-port', '0'];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  process.once('exit', () => child.kill('SIGKILL'));
  let text = '';
  for await (const chunk of child.stdout) {
    text += String(chunk);
    const found = /bootstrap\s+\S+:(\d+)/.exec(text)?.[1];
    if (found !== undefined) return { process: child, port: Number(found) };
  }
  throw new Error(`firn up did not start: ${text}`);
}

function clientOf({ port }: RunningBroker): Kafka {
  return new Kafka({ clientId: 'demo', brokers: [`127.0.0.1:${port}`], logLevel: logLevel.NOTHING });
}

async function produce(kafka: Kafka): Promise<number> {
  const producer = kafka.producer({ idempotent: true });
  await producer.connect();
  const beganMs = performance.now();
  for (let first = 0; first < records; first += 100) {
    const messages = Array.from({ length: 100 }, (_, at) => ({
      key: `customer-${(first + at) % 50}`,
      value: JSON.stringify({ order: first + at, amount: ((first + at) * 7) % 100 }),
    }));
    await producer.send({ topic, messages, compression: CompressionTypes.GZIP });
  }
  await producer.disconnect();
  return performance.now() - beganMs;
}

/** Reads until so many different orders have come; returns how many records that took. */
async function consume(kafka: Kafka, groupId: string): Promise<number> {
  const consumer = kafka.consumer({ groupId });
  await consumer.connect();
  await consumer.subscribe({ topic, fromBeginning: true });
  const orders = new Set<number>();
  let read = 0;
  const { promise, resolve } = Promise.withResolvers<void>();
  await consumer.run({
    eachMessage: ({ message }) => {
      read += 1;
      orders.add((JSON.parse(String(message.value)) as { order: number }).order);
      if (orders.size === records) resolve();
      return Promise.resolve();
    },
  });
  await promise;
  await consumer.disconnect();
  return read;
}

rmSync(folder, { recursive: true, force: true });
say(`a broker over the folder ${folder}:`);
let broker = await startBroker(0);
say(`  firn up file:${folder}  →  127.0.0.1:${broker.port}`);
const admin = clientOf(broker).admin();
await admin.connect();
await admin.createTopics({ topics: [{ topic, numPartitions: 3 }] });
await admin.disconnect();
const tookMs = await produce(clientOf(broker));
say(`kafkajs produced ${records} orders, all acknowledged (${tookMs.toFixed(0)} ms)`);
say(`kafkajs consumed ${await consume(clientOf(broker), 'before')} records in a group`);
broker.process.kill('SIGKILL');
await once(broker.process, 'exit');
say('kill -9 of the broker');
broker = await startBroker(broker.port);
say(`a new broker over the same folder`);
const again = await consume(clientOf(broker), 'after');
say(`kafkajs consumed ${again} records in a new group`);
say(
  again === records ? `✔ acknowledged = read: ${records}` : `✘ ${records} were acknowledged, ${again} read`,
);
broker.process.kill('SIGINT');
await once(broker.process, 'exit');
say(`
next:
  npx firn log verify file:${folder}     what the folder holds, and whether it fits
  npx firn up file:${folder}             Kafka on 127.0.0.1:9092, over the same records
  npx firn status                        in another terminal; "npx firn --help" lists the rest`);
process.exit(again === records ? 0 : 1);
