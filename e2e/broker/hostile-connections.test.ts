/** Peers that break the protocol, or are in no hurry: each costs itself the connection, and nobody else anything. */
import assert from 'node:assert/strict';
import { connect } from 'node:net';
import type { Socket } from 'node:net';
import { afterEach, describe, it } from 'node:test';
import { metadata } from '../../dataplane/protocol/api/metadata.ts';
import { encodeRequestFrame } from '../../dataplane/protocol/headers.ts';
import { BrokerFixture } from './broker-fixture.ts';

let fixture: BrokerFixture;
const sockets: Socket[] = [];

async function open(): Promise<Socket> {
  const socket = connect({ host: '127.0.0.1', port: fixture.port });
  sockets.push(socket);
  socket.on('error', () => undefined);
  await new Promise((resolve) => socket.once('connect', resolve));
  return socket;
}

async function closes(socket: Socket): Promise<void> {
  if (socket.destroyed) return;
  socket.resume();
  await new Promise((resolve) => socket.once('close', resolve));
}

/** A well-behaved client is still answered. */
async function stillServes(): Promise<void> {
  const connection = await fixture.connect();
  const { brokers } = await connection.request(metadata, { topics: [] });
  assert.equal(brokers.length, 1);
}

function framed(payload: Buffer): Buffer {
  const size = Buffer.alloc(4);
  size.writeInt32BE(payload.length);
  return Buffer.concat([size, payload]);
}

afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy();
  await fixture.stop();
});

describe('hostile peers', () => {
  it('who announce sizes that cannot be', async () => {
    fixture = await BrokerFixture.start();
    for (const size of [-1, -0x8000_0000, 0x7fff_ffff, 100 * 1024 * 1024 + 1]) {
      const socket = await open();
      const prefix = Buffer.alloc(4);
      prefix.writeInt32BE(size);
      socket.write(prefix);
      await closes(socket);
    }
    await stillServes();
  });

  it('who send what is no request: noise, unknown APIs and versions, cut bodies, counts beyond the bytes', async () => {
    fixture = await BrokerFixture.start();
    const cases = [
      Buffer.from('GET / HTTP/1.1\r\n\r\n'),
      framed(Buffer.alloc(0)),
      framed(Buffer.alloc(7)),
      framed(Buffer.from('7fff0000000000010000', 'hex')),
      framed(Buffer.from('000300ff000000010000', 'hex')),
      // Metadata, version 4: an array of 2^31 - 1 topics.
      framed(Buffer.from('0003000400000001ffff7fffffff', 'hex')),
      framed(Buffer.from('0003000400000001ffffffff', 'hex').subarray(0, 10)),
      // Produce, version 9, nothing behind the header.
      framed(Buffer.from('0000000900000001ffff00', 'hex')),
    ];
    for (const bytes of cases) {
      const socket = await open();
      socket.write(bytes);
      await closes(socket);
    }
    await stillServes();
  });

  it('who announce much and send little: others are served, and memory follows what has arrived', async () => {
    fixture = await BrokerFixture.start();
    const prefix = Buffer.alloc(4);
    prefix.writeInt32BE(90 * 1024 * 1024);
    for (let at = 0; at < 50; at++) (await open()).write(Buffer.concat([prefix, Buffer.alloc(100)]));
    await stillServes();
    const { connections } = fixture.broker;
    assert(connections.requestMemoryBytes < 100_000, `${connections.requestMemoryBytes} bytes`);
  });

  it('who never read: their requests wait, others are served', async () => {
    fixture = await BrokerFixture.start();
    await fixture.createTopic('many', 2_000);
    const socket = await open();
    socket.pause();
    const request = Buffer.concat(
      encodeRequestFrame(metadata, 9, { correlationId: 1, clientId: 'deaf' }, { topics: null }),
    );
    // Gigabytes of answers, were they all made.
    for (let at = 0; at < 20_000; at++) socket.write(request);
    await stillServes();
    assert(process.memoryUsage().external < 1_000_000_000);
    await stillServes();
  });

  it('who are idle for too long, or too many from one address', async () => {
    fixture = await BrokerFixture.start({
      options: { connections: { maxIdleMs: 300, maxConnectionsPerAddress: 3 } },
    });
    const idle = await open();
    await closes(idle);
    const kept = [await open(), await open(), await open()];
    const refused = await open();
    await closes(refused);
    for (const socket of kept) await closes(socket);
    await stillServes();
  });
});
