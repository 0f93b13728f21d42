import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import { describe, it } from 'node:test';
import type { Acceptor } from './acceptor.ts';
import type { ByteStream } from './byte-stream.ts';
import { listenTcp } from './tcp-acceptor.ts';

/** What a stream has brought, in memory of its own and in memory that it was given in turn. */
class Arrivals {
  readonly chunks: Buffer[] = [];
  readonly stream: ByteStream;
  readonly closed: Promise<Error | undefined>;
  sizeBytes = 0;
  received = 0;
  /** Of the memory that is given; 0: none is. */
  roomBytes = 0;
  #room = Buffer.alloc(0);
  #onArrival: () => void = () => undefined;

  constructor(stream: ByteStream) {
    this.stream = stream;
    const { promise, resolve } = Promise.withResolvers<Error | undefined>();
    this.closed = promise;
    stream.start({
      data: (chunk) => {
        this.#add(Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength));
      },
      room: () => {
        if (this.roomBytes === 0) return undefined;
        this.#room = Buffer.alloc(this.roomBytes);
        return this.#room;
      },
      received: (count) => {
        this.received += count;
        this.#add(this.#room.subarray(0, count));
      },
      drained: () => undefined,
      closed: resolve,
    });
  }

  async until(sizeBytes: number): Promise<void> {
    while (this.sizeBytes < sizeBytes) {
      await new Promise<void>((resolve) => {
        this.#onArrival = resolve;
      });
    }
  }

  get bytes(): Buffer {
    return Buffer.concat(this.chunks);
  }

  #add(chunk: Buffer): void {
    this.chunks.push(chunk);
    this.sizeBytes += chunk.length;
    this.#onArrival();
  }
}

async function withAcceptor(
  work: (acceptor: Acceptor & { readonly port: number }, next: () => Promise<Arrivals>) => Promise<void>,
): Promise<void> {
  const acceptor = await listenTcp({ name: 'PLAINTEXT', host: '127.0.0.1', port: 0 });
  const arrived: Arrivals[] = [];
  let onStream: () => void = () => undefined;
  acceptor.accept((stream) => {
    arrived.push(new Arrivals(stream));
    onStream();
  });
  const next = async (): Promise<Arrivals> => {
    for (;;) {
      const arrivals = arrived.shift();
      if (arrivals !== undefined) return arrivals;
      await new Promise<void>((resolve) => {
        onStream = resolve;
      });
    }
  };
  try {
    await work(acceptor, next);
  } finally {
    await acceptor.close();
  }
}

/** Bytes that differ from place to place and from seed to seed. */
function pattern(sizeBytes: number, seed: number): Buffer {
  const bytes = Buffer.alloc(sizeBytes);
  for (let at = 0; at + 4 <= sizeBytes; at += 4) bytes.writeUInt32LE((at + seed * 7_654_321) >>> 0, at);
  return bytes;
}

describe('a TCP stream', () => {
  it('keeps apart what connections send at the same time, wherever it arrives', async () => {
    await withAcceptor(async (acceptor, next) => {
      const sent = [1, 2, 3].map((seed) => pattern(3_000_000, seed));
      const clients = [];
      const streams: Arrivals[] = [];
      for (const [at, bytes] of sent.entries()) {
        const client = connect({ host: '127.0.0.1', port: acceptor.port });
        clients.push(client);
        client.write(bytes.subarray(0, 10));
        const arrivals = await next();
        // The first has no room to give, the others have, for reads of different lengths.
        arrivals.roomBytes = at * 100_000;
        streams.push(arrivals);
      }
      for (const [at, client] of clients.entries()) client.write(sent[at]?.subarray(10) ?? '');
      await Promise.all(streams.map((arrivals) => arrivals.until(3_000_000)));
      streams.forEach(({ bytes }, at) => assert.ok(sent[at]?.equals(bytes)));
      assert.equal(streams[0]?.received, 0);
      assert.ok((streams[2]?.received ?? 0) > 2_000_000, 'large reads went to the memory that was given');
      for (const client of clients) client.destroy();
    });
  });

  it('answers, and says when the peer has ended', async () => {
    await withAcceptor(async (acceptor, next) => {
      const client = connect({ host: '127.0.0.1', port: acceptor.port });
      client.write('hello');
      const arrivals = await next();
      await arrivals.until(5);
      const answer = once(client, 'data');
      arrivals.stream.write([Buffer.from('good '), Buffer.from('bye')]);
      assert.equal(String((await answer)[0]), 'good bye');
      client.end();
      assert.equal(await arrivals.closed, undefined);
      assert.equal(arrivals.stream.remoteAddress, '127.0.0.1');
    });
  });

  it('says when the connection was reset', async () => {
    await withAcceptor(async (acceptor, next) => {
      const client = connect({ host: '127.0.0.1', port: acceptor.port });
      client.write('hello');
      const arrivals = await next();
      await arrivals.until(5);
      client.resetAndDestroy();
      assert.equal(((await arrivals.closed) as NodeJS.ErrnoException).code, 'ECONNRESET');
    });
  });

  it('does not read while it is paused', async () => {
    await withAcceptor(async (acceptor, next) => {
      const client = connect({ host: '127.0.0.1', port: acceptor.port });
      client.write('a');
      const arrivals = await next();
      await arrivals.until(1);
      arrivals.stream.pause();
      // More than the buffers of the two sockets take: it is not sent before it is read.
      const sent = pattern(64 * 1024 * 1024, 5);
      const written = new Promise((resolve) => client.write(sent, resolve));
      await new Promise((resolve) => setTimeout(resolve, 50));
      const early = arrivals.sizeBytes;
      assert.ok(early <= 1 + 65_536, `${early} bytes were read`);
      arrivals.stream.resume();
      await Promise.all([written, arrivals.until(1 + sent.length)]);
      assert.ok(arrivals.bytes.subarray(1).equals(sent));
      client.destroy();
      await arrivals.closed;
    });
  });

  it('says that pieces are sent not before the last byte of them has left, and a slow reader gets them whole', async () => {
    await withAcceptor(async (acceptor, next) => {
      const client = connect({ host: '127.0.0.1', port: acceptor.port });
      client.pause();
      client.write('a');
      const arrivals = await next();
      await arrivals.until(1);
      const pieces = Array.from({ length: 64 }, (_, seed) => pattern(1024 * 1024, seed));
      const expected = Buffer.concat(pieces);
      let sent = 0;
      // Each by itself, in the same turn and in turns of their own; what is sent is written over at once.
      for (const [at, piece] of pieces.entries()) {
        arrivals.stream.write([piece.subarray(0, 1_000), piece.subarray(1_000)], () => {
          sent += 1;
          piece.fill(0xee);
        });
        if (at % 3 === 0) await new Promise((resolve) => setImmediate(resolve));
      }
      await new Promise((resolve) => setTimeout(resolve, 50));
      assert.ok(sent < pieces.length, 'the buffers of two sockets take all of it');
      const received: Buffer[] = [];
      let receivedBytes = 0;
      client.on('data', (chunk: Buffer) => {
        received.push(chunk);
        receivedBytes += chunk.length;
      });
      client.resume();
      while (receivedBytes < expected.length || sent < pieces.length)
        await new Promise((resolve) => setTimeout(resolve, 1));
      assert.ok(Buffer.concat(received).equals(expected));
      assert.equal(sent, pieces.length);
      client.destroy();
      await arrivals.closed;
    });
  });

  it('says so once of pieces that never will be sent: the peer is gone, or the stream was closed', async () => {
    for (const end of ['reset', 'destroyed', 'destroyed at once'] as const) {
      await withAcceptor(async (acceptor, next) => {
        const client = connect({ host: '127.0.0.1', port: acceptor.port });
        client.pause();
        client.on('error', () => undefined);
        client.write('a');
        const arrivals = await next();
        await arrivals.until(1);
        const sent: number[] = [];
        for (let at = 0; at < 4; at++)
          arrivals.stream.write([pattern(16 * 1024 * 1024, at), Buffer.from('end')], () => sent.push(at));
        if (end === 'destroyed at once') arrivals.stream.destroy();
        await new Promise((resolve) => setTimeout(resolve, 20));
        if (end !== 'destroyed at once') assert.ok(sent.length < 4);
        if (end === 'reset') client.resetAndDestroy();
        else arrivals.stream.destroy();
        await arrivals.closed;
        while (sent.length < 4) await new Promise((resolve) => setTimeout(resolve, 1));
        arrivals.stream.write([Buffer.from('late')], () => sent.push(4));
        assert.deepEqual(sent, [0, 1, 2, 3, 4]);
        client.destroy();
      });
    }
  });
});
