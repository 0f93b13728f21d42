import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import avsc from 'avsc';
import { Kafka, logLevel } from 'kafkajs';
import type { BrokerStatus } from '../../dataplane/broker/broker-status.ts';
import type { FirnProcess } from '../broker/firn-process.ts';

/** What a user of stock clients does with a topic that is a table. */

export const orderSchema = {
  type: 'record',
  name: 'Order',
  fields: [
    { name: 'id', type: 'long' },
    { name: 'customer', type: 'string' },
    { name: 'note', type: ['null', 'string'], default: null },
    { name: 'amount', type: 'double' },
  ],
};

const orderType = avsc.Type.forSchema(orderSchema as avsc.Schema);

export function orderOf(id: number) {
  return { id, customer: `customer ${id % 17}`, note: id % 5 === 0 ? `note ${id} ☃` : null, amount: id / 8 };
}

/** With the framing of Confluent's serializers. */
export function framedOrder(schemaId: number, id: number): Buffer {
  const frame = Buffer.alloc(5);
  frame.writeInt32BE(schemaId, 1);
  return Buffer.concat([frame, orderType.toBuffer(orderOf(id))]);
}

/** kafkajs, which goes on trying for some seconds while a broker is away. */
export function clientOf({ bootstrap }: Pick<FirnProcess, 'bootstrap'>): Kafka {
  return new Kafka({
    clientId: 'first-light',
    brokers: [bootstrap],
    logLevel: logLevel.NOTHING,
    retry: { initialRetryTime: 50, maxRetryTime: 300, retries: 20 },
  });
}

/** Registers a schema; its id, or what the registry says against it. */
export async function register(
  { registryUrl }: Pick<FirnProcess, 'registryUrl'>,
  subject: string,
  schema: unknown,
): Promise<{ readonly id: number } | { readonly error_code: number; readonly message: string }> {
  const answer = await fetch(`${registryUrl}/subjects/${subject}/versions`, {
    method: 'POST',
    headers: { 'content-type': 'application/vnd.schemaregistry.v1+json' },
    body: JSON.stringify({ schema: JSON.stringify(schema) }),
  });
  return (await answer.json()) as { id: number } | { error_code: number; message: string };
}

/** The id of the orders' schema under the subject of a topic. */
export async function registerOrders(firn: Pick<FirnProcess, 'registryUrl'>, topic: string): Promise<number> {
  const answer = await register(firn, `${topic}-value`, orderSchema);
  assert('id' in answer, JSON.stringify(answer));
  return answer.id;
}

export async function createTopic(
  firn: FirnProcess,
  topic: string,
  { partitions = 1, configs = {} }: { partitions?: number; configs?: Readonly<Record<string, string>> } = {},
): Promise<void> {
  const admin = clientOf(firn).admin();
  await admin.connect();
  try {
    const all = { 'table.topic.enable': 'true', 'table.topic.commit.interval.ms': '1000', ...configs };
    const configEntries = Object.entries(all).map(([name, value]) => ({ name, value }));
    await admin.createTopics({ topics: [{ topic, numPartitions: partitions, configEntries }] });
  } finally {
    await admin.disconnect();
  }
}

/** Produces records with these values, spread over the partitions or to one; resolves when all are acknowledged. */
export async function produce(
  firn: Pick<FirnProcess, 'bootstrap'>,
  topic: string,
  values: readonly (Buffer | null)[],
  partition?: number,
): Promise<void> {
  const producer = clientOf(firn).producer();
  await producer.connect();
  try {
    const messages = values.map((value) => ({ value, ...(partition === undefined ? {} : { partition }) }));
    await producer.send({ topic, acks: -1, messages });
  } finally {
    await producer.disconnect();
  }
}

type Table = BrokerStatus['tables'][number];

export async function tableStatus({ adminUrl }: FirnProcess, topic: string): Promise<Table | undefined> {
  const { tables } = (await (await fetch(`${adminUrl}/status`)).json()) as BrokerStatus;
  return tables.find((table) => table.topic === topic);
}

/** Waits until the status of a topic's table is as it should be. */
export async function untilTable(
  firn: FirnProcess,
  topic: string,
  what: string,
  isRight: (table: Table) => boolean,
): Promise<Table> {
  for (let attempt = 0; attempt < 1_200; attempt += 1) {
    const table = await tableStatus(firn, topic);
    if (table !== undefined && isRight(table)) return table;
    await sleep(100);
  }
  return assert.fail(`${what}: ${JSON.stringify(await tableStatus(firn, topic))}`);
}

/** Waits until the table has everything that the topic has. */
export function untilCaughtUp(firn: FirnProcess, topic: string): Promise<Table> {
  return untilTable(
    firn,
    topic,
    'records wait and do not become rows',
    ({ partitions }) => partitions.length > 0 && partitions.every(({ lagRecords }) => lagRecords === 0),
  );
}
