/**
 * `make demo`: a broker over a folder, a stock client (kafkajs), a topic that is a table, a `kill -9`; then an engine that
 * is not ours (icebird) reads the table through the catalog. Ends by itself and leaves the folder to look into.
 */
import { rmSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { BrokerStatus } from '../dataplane/broker/broker-status.ts';
import { firnUp } from './demo/firn-up.ts';
import type { Ports } from './demo/firn-up.ts';
import { askIcebird, askPyiceberg } from './demo/foreign-engines.ts';
import { OrderProducer, topic } from './demo/orders.ts';

const folder = 'firn-data/demo';
const killAfterMs = 5_000;
const produceForMs = 12_000;
/** For the last rows: a machine with other work on it takes its time. */
const patienceMs = 60_000;

// kafkajs computes a time-out that Node.js 24 warns of.
process.removeAllListeners('warning');

function say(text: string): void {
  process.stdout.write(`${text}\n`);
}

type Table = BrokerStatus['tables'][number];

async function tableOf({ admin }: Ports): Promise<Table | undefined> {
  const answer = await fetch(`http://127.0.0.1:${admin}/status`).catch(() => undefined);
  return answer === undefined ? undefined : ((await answer.json()) as BrokerStatus).tables[0];
}

/** What the catalog says of the table: engines see the same. */
async function snapshotTotals(catalog: string): Promise<{ rows: string; files: string }> {
  const answer = await fetch(`${catalog}/v1/namespaces/default/tables/${topic}`).catch(() => undefined);
  if (answer?.ok !== true) return { rows: '-', files: '-' };
  const { metadata } = (await answer.json()) as {
    metadata: {
      'current-snapshot-id'?: number;
      snapshots?: { 'snapshot-id': number; summary: Record<string, string> }[];
    };
  };
  const current = metadata.snapshots?.find(
    (snapshot) => snapshot['snapshot-id'] === metadata['current-snapshot-id'],
  );
  return {
    rows: current?.summary['total-records'] ?? '-',
    files: current?.summary['total-data-files'] ?? '-',
  };
}

async function line(beganMs: number, acknowledged: number): Promise<string> {
  const table = await tableOf(ports);
  const { rows, files } = await snapshotTotals(catalog);
  const ages = (table?.partitions ?? []).map(({ freshnessMs }) => freshnessMs ?? 0);
  const freshness = table?.coordinator === undefined ? '-' : `${(Math.max(0, ...ages) / 1000).toFixed(1)} s`;
  const seconds = ((performance.now() - beganMs) / 1000).toFixed(0);
  return `${seconds.padStart(3)} s ${String(acknowledged).padStart(13)} ${rows.padStart(9)} ${freshness.padStart(10)} ${files.padStart(6)}`;
}

rmSync(folder, { recursive: true, force: true });
say(`a broker over the folder ${folder}:`);
let broker = await firnUp(folder);
const { ports } = broker;
const registry = `http://127.0.0.1:${ports.api}/registry`;
const catalog = `http://127.0.0.1:${ports.api}/catalog`;
say(`  firn up file:${folder}    Kafka 127.0.0.1:${ports.kafka}, registry ${registry}, catalog ${catalog}`);
const producer = new OrderProducer(ports.kafka);
await producer.begin(registry);
say(`kafkajs creates topic ${topic} with table.topic.enable=true, and produces orders:\n`);
say('  time  acknowledged      rows  freshness  files');

const beganMs = performance.now();
const elapsedMs = (): number => performance.now() - beganMs;
const producing = (async () => {
  while (elapsedMs() < produceForMs) {
    await producer.produce();
    await sleep(20);
  }
})();
let killed = false;
while (elapsedMs() < produceForMs) {
  await sleep(1_000);
  say(await line(beganMs, producer.acknowledged));
  if (killed || elapsedMs() < killAfterMs) continue;
  killed = true;
  await broker.kill('SIGKILL');
  say('      kill -9 of the broker; a new one over the same folder');
  broker = await firnUp(folder, ports);
}
await producing;
await producer.end();
const { acknowledged, cents } = producer;
let table = await tableOf(ports);
const isCaughtUp = (): boolean =>
  table !== undefined &&
  table.partitions.length > 0 &&
  table.partitions.every(({ lagRecords }) => lagRecords === 0);
while (!isCaughtUp() && elapsedMs() < produceForMs + patienceMs) {
  await sleep(500);
  table = await tableOf(ports);
}
say(await line(beganMs, acknowledged));

say(`\nicebird, a reader that is not ours, reads default.${topic} through the catalog:\n`);
const answer = await askIcebird(catalog, 'default', topic);
say('  select country, count(*), sum(amount) from default.orders group by country');
let total = 0;
for (const [country, { orders, amount }] of [...answer.byCountry].toSorted(([a], [b]) => (a < b ? -1 : 1))) {
  say(`    ${country}  ${String(orders).padStart(7)}  ${amount.toFixed(2).padStart(14)}`);
  total += amount;
}
const python = await askPyiceberg(catalog, `default.${topic}`);
if (python !== undefined) say(`  pyiceberg counts ${python} rows`);
const isRight =
  answer.rows === acknowledged &&
  Math.round(total * 100) === cents &&
  (python === undefined || python === acknowledged);
say(
  isRight
    ? `\n✔ acknowledged = rows: ${acknowledged}, amounts too`
    : `\n✘ ${acknowledged} orders of ${(cents / 100).toFixed(2)} were acknowledged, the table has ${answer.rows} of ${total.toFixed(2)}`,
);
await broker.kill('SIGINT');
const files = path.join(folder, 'tables');
say(`
next:
  npx firn up file:${folder}                Kafka on 127.0.0.1:9092, registry and catalog on 127.0.0.1:8081
  npx firn status                                in another terminal: brokers, topics, tables; "npx firn --help" lists the rest
  find ${files} -name '*.parquet'   the rows; any Parquet reader opens them
  npx firn log verify file:${folder}        what the log holds, and whether it fits
docs/tables.md says how DuckDB, pyiceberg and Spark attach to the catalog`);
process.exit(isRight ? 0 : 1);
