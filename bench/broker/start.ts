import { mkdtemp, rm } from 'node:fs/promises';
import { connect } from 'node:net';
import type { Socket } from 'node:net';
import path from 'node:path';
import { produce } from '../../dataplane/protocol/api/produce.ts';
import { buildBatch } from '../../dataplane/protocol/record-batch-builder.ts';
import type { Figures } from '../harness.ts';
import { connectTo, createTopic, rssBytes, startFirnBroker } from './peer.ts';
import type { Peer } from './peer.ts';
import { memoryFolder } from './memory-folder.ts';

const partitions = 10_000;
const idleConnections = 5_000;

/**
 * From the start of the process to the first acknowledged record: of an empty store (the topic is created in this time), and
 * of one with 10,000 partitions; then the memory of the process with 5,000 connections that do nothing.
 */
export async function startAndIdle(): Promise<Figures> {
  const folder = await mkdtemp(path.join(memoryFolder(), 'firn-bench-start-'));
  const sockets: Socket[] = [];
  try {
    const options = { folder: path.join(folder, 'store'), logFile: path.join(folder, 'firn.log') };
    let beganMs = performance.now();
    let firn = await startFirnBroker(options);
    await createTopic(firn.peer, 'first', 1);
    await produceOne(firn.peer, 'first', 0);
    const emptyMs = performance.now() - beganMs;
    beganMs = performance.now();
    await createTopic(firn.peer, 'many', partitions);
    const createMs = performance.now() - beganMs;
    await firn.process.stop(60_000);

    beganMs = performance.now();
    firn = await startFirnBroker(options);
    await produceOne(firn.peer, 'many', partitions - 1);
    const manyMs = performance.now() - beganMs;

    for (let opened = 0; opened < idleConnections; opened += 100) {
      sockets.push(...(await Promise.all(Array.from({ length: 100 }, () => openIdle(firn.peer)))));
    }
    await new Promise((resolve) => setTimeout(resolve, 5_000));
    const rss = await rssBytes(firn.peer);
    const open = sockets.filter((socket) => !socket.destroyed).length;
    await firn.process.kill();
    return {
      startEmptyMs: emptyMs,
      create10kPartitionsMs: createMs,
      start10kPartitionsMs: manyMs,
      idleConnections: open,
      idleRssMb: rss / 1e6,
    };
  } finally {
    for (const socket of sockets) socket.destroy();
    await rm(folder, { recursive: true, force: true });
  }
}

/** Tries until a record is acknowledged. */
async function produceOne(peer: Peer, topic: string, index: number): Promise<void> {
  const records = buildBatch({ records: [{ value: Buffer.from('first'), timestampMs: Date.now() }] });
  const connection = await connectTo(peer);
  for (;;) {
    const { responses } = await connection.request(
      produce,
      {
        transactionalId: null,
        acks: -1,
        timeoutMs: 30_000,
        topicData: [{ name: topic, partitionData: [{ index, records }] }],
      },
      { version: 9 },
    );
    if (responses[0]?.partitionResponses[0]?.errorCode === 0) break;
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  connection.close();
}

/** A connection that has said hello, as clients do before they fall silent. */
async function openIdle({ host, port }: Peer): Promise<Socket> {
  const socket = connect({ host, port });
  await new Promise((resolve, reject) => {
    socket.once('error', reject);
    // ApiVersions, version 0, of a client named x.
    socket.write(Buffer.from('0000000b0012000000000001000178', 'hex'));
    socket.once('data', resolve);
  });
  return socket;
}
