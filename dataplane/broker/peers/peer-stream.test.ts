import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { VirtualTime } from '../../runtime/virtual-time.ts';
import type { ByteStream, ByteStreamEvents } from '../net/byte-stream.ts';
import { encodePeerFrame, maxHelloBytes, maxPeerFrameBytes } from './peer-frame.ts';
import type { PeerFrame, PeerFrameKind } from './peer-frame.ts';
import { nothing } from './peer-method.ts';
import { PeerServer } from './peer-server.ts';
import { PeerStream } from './peer-stream.ts';

/** The end of a connection whose other end is the test. */
class Wire implements ByteStream {
  readonly remoteAddress = '10.1.2.3';
  unsentBytes = 0;
  readonly written: Uint8Array[] = [];
  isDestroyed = false;
  #events: ByteStreamEvents | undefined;

  start(events: ByteStreamEvents): void {
    this.#events = events;
  }

  /** As a socket does: into memory that it is given, if it is given some. */
  bring(bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length && !this.isDestroyed;) {
      const room = this.#events?.room();
      if (room === undefined) {
        this.#events?.data(bytes.subarray(at));
        return;
      }
      const part = bytes.subarray(at, at + room.length);
      room.set(part);
      at += part.length;
      this.#events?.received(part.length);
    }
  }

  write(pieces: readonly Uint8Array[]): void {
    this.written.push(...pieces);
  }

  pause(): void {
    assert.fail('brokers do not pause each other');
  }

  resume(): void {
    assert.fail('brokers do not pause each other');
  }

  destroy(): void {
    this.isDestroyed = true;
    this.#events?.closed(undefined);
  }
}

function bytesOf(frame: PeerFrame): Buffer {
  return Buffer.concat(encodePeerFrame(frame));
}

/** A frame as it would be, whatever is in it. */
function framed(payload: Uint8Array, size = payload.length): Buffer {
  const prefix = Buffer.alloc(4);
  prefix.writeUInt32BE(size);
  return Buffer.concat([prefix, payload]);
}

interface Arrivals {
  readonly wire: Wire;
  readonly stream: PeerStream;
  readonly frames: PeerFrame[];
  readonly errors: (Error | undefined)[];
}

function arrivals(isAccepted = true): Arrivals {
  const wire = new Wire();
  const frames: PeerFrame[] = [];
  const errors: (Error | undefined)[] = [];
  const stream = new PeerStream(wire, {
    heard: () => undefined,
    frame: (frame) => frames.push(frame),
    closed: (error) => errors.push(error),
  });
  stream.start();
  if (isAccepted) stream.accepted();
  return { wire, stream, frames, errors };
}

const anyFrame: fc.Arbitrary<PeerFrame> = fc.record({
  kind: fc.constantFrom<PeerFrameKind>('hello', 'request', 'response', 'failure', 'ping', 'pong', 'cancel'),
  id: fc.integer({ min: 0, max: 2 ** 32 - 1 }),
  body: fc.option(fc.jsonValue({ maxDepth: 3 }), { nil: undefined }),
});

/** JSON has no -0. */
function asJson(value: unknown): unknown {
  return value === undefined ? undefined : JSON.parse(JSON.stringify(value));
}

const sid = '5'.repeat(32);

function server(): {
  readonly server: PeerServer;
  readonly take: (wire: Wire) => void;
  readonly refused: string[];
  readonly time: VirtualTime;
} {
  const time = new VirtualTime({ seed: 1 });
  const refused: string[] = [];
  const made = new PeerServer({
    runtime: time.environment,
    self: () => ({ clusterId: 'c', id: 2, sid }),
    storeAgeMs: () => 12.7,
    onAnswered: () => undefined,
    onRefused: (_from, why) => refused.push(why),
  });
  let take: (stream: ByteStream) => void = () => undefined;
  made.accept({
    name: 'internal',
    advertised: '',
    accept: (onConnection) => {
      take = onConnection;
    },
    close: () => Promise.resolve(),
  });
  return { server: made, take: (wire) => take(wire), refused, time };
}

const hello = { versions: { min: 1, max: 1 }, clusterId: 'c', id: 1, sid, to: 2 };

function written(wire: Wire): PeerFrame[] {
  const { wire: reader, frames } = arrivals();
  reader.bring(Buffer.concat(wire.written));
  return frames;
}

describe('frames between brokers', () => {
  it('arrive as they were sent, however they are cut', () => {
    fc.assert(
      fc.property(fc.array(anyFrame, { maxLength: 8 }), fc.array(fc.nat(400)), (sent, cuts) => {
        const { wire, frames, errors } = arrivals();
        const bytes = Buffer.concat(sent.map(bytesOf));
        let at = 0;
        for (const cut of [...cuts, bytes.length]) {
          wire.bring(bytes.subarray(at, at + cut));
          at = Math.min(bytes.length, at + cut);
        }
        assert.deepEqual(
          frames,
          sent.map((frame) => ({ ...frame, body: asJson(frame.body) })),
        );
        assert.deepEqual(errors, []);
      }),
    );
  });

  it('may be large, and not too large', () => {
    const { wire, frames } = arrivals();
    const body = 'x'.repeat(maxPeerFrameBytes - 7);
    wire.bring(bytesOf({ kind: 'response', id: 1, body }));
    assert.equal(frames[0]?.body, body);
    assert.throws(() => encodePeerFrame({ kind: 'response', id: 1, body: `${body}x` }), /at most 8388608/);
  });

  it('that are none close the connection, and cost what has arrived and no more', () => {
    for (const [bytes, why] of [
      [framed(Buffer.alloc(0)), /does not speak the protocol/],
      [framed(Buffer.from([0, 0, 0, 0])), /does not speak the protocol/],
      [framed(Buffer.from([200, 0, 0, 0, 0])), /does not speak the protocol/],
      [framed(Buffer.from([1, 0, 0, 0, 0, 0x7b])), /is no JSON/],
      [framed(Buffer.concat([Buffer.from([1, 0, 0, 0, 0]), Buffer.alloc(1_000_000, '[')])), /is no JSON/],
      [framed(Buffer.alloc(0), maxPeerFrameBytes + 1), /allowed are 0 to 8388608/],
      [framed(Buffer.alloc(0), 0xffff_ffff), /allowed are 0 to 8388608/],
      [Buffer.from('GET / HTTP/1.1\r\n\r\n'), /allowed are 0 to 8388608/],
    ] as const) {
      const { wire, frames, errors } = arrivals();
      wire.bring(bytes);
      assert.deepEqual(frames, []);
      assert.equal(errors.length, 1);
      assert.match(String(errors[0]), why);
      assert.ok(wire.isDestroyed);
    }
  });

  it('are small until the other side is known', () => {
    const { wire, errors } = arrivals(false);
    wire.bring(framed(Buffer.alloc(0), maxHelloBytes + 1));
    assert.match(String(errors[0]), /allowed are 0 to 4096/);
    const early = arrivals(false);
    early.wire.bring(Buffer.from([0, 0]));
    assert.throws(() => early.stream.accepted(), /before its hello was answered/);
  });

  it('are not sent to somebody who does not read', () => {
    const { wire, stream, errors } = arrivals();
    wire.unsentBytes = 5 * maxPeerFrameBytes + 1;
    stream.send({ kind: 'ping', id: 0, body: undefined });
    assert.match(String(errors[0]), /has not read/);
    stream.send({ kind: 'ping', id: 0, body: undefined });
    assert.deepEqual(wire.written, []);
  });
});

describe('the internal listener', () => {
  it('answers a hello, pings, and says what it does not know', () => {
    const { take } = server();
    const wire = new Wire();
    take(wire);
    wire.bring(bytesOf({ kind: 'hello', id: 7, body: hello }));
    wire.bring(bytesOf({ kind: 'ping', id: 8, body: undefined }));
    wire.bring(bytesOf({ kind: 'request', id: 9, body: { method: 'x'.repeat(500) } }));
    const [greeting, pong, failure] = written(wire);
    assert.deepEqual(greeting, { kind: 'hello', id: 7, body: { ...hello, id: 2, to: 1 } });
    assert.deepEqual(pong, { kind: 'pong', id: 8, body: { storeAgeMs: 13 } });
    assert.equal(failure?.kind, 'failure');
    assert.ok(JSON.stringify(failure.body).length < 200);
  });

  it('says why it does not accept a hello, and takes nothing more from there', () => {
    for (const [problem, why] of [
      [{ clusterId: 'other' }, /different stores/],
      [{ to: 3 }, /looks for broker 3, but this is broker 2/],
      [{ versions: { min: 2, max: 3 } }, /speaks versions 2 to 3 .* upgrade by one release at a time/],
    ] as const) {
      const { take, refused } = server();
      const wire = new Wire();
      take(wire);
      wire.bring(bytesOf({ kind: 'hello', id: 0, body: { ...hello, ...problem } }));
      wire.bring(bytesOf({ kind: 'hello', id: 0, body: hello }));
      wire.bring(bytesOf({ kind: 'request', id: 1, body: { method: 'm' } }));
      const frames = written(wire);
      assert.equal(frames.length, 1);
      assert.match(JSON.stringify(frames[0]), why);
      assert.match(refused[0] ?? '', why);
      assert.equal(refused.length, 1);
      assert.ok(!wire.isDestroyed);
    }
  });

  it('closes who does not introduce itself, in time or at all', async () => {
    for (const [bytes, why] of [
      [Buffer.alloc(0), /has not introduced itself in time/],
      [Buffer.from([0, 0, 1, 0]), /has not introduced itself in time/],
      [bytesOf({ kind: 'ping', id: 0, body: undefined }), /a ping came before the hello/],
      [bytesOf({ kind: 'request', id: 0, body: { method: 'm' } }), /a request came before the hello/],
      [
        bytesOf({ kind: 'hello', id: 0, body: { ...hello, sid: 'x' } }),
        /the hello of another broker is wrong: sid/,
      ],
      [bytesOf({ kind: 'hello', id: 0, body: 'x'.repeat(10_000) }), /allowed are 0 to 4096/],
      [
        Buffer.concat([
          bytesOf({ kind: 'hello', id: 0, body: hello }),
          bytesOf({ kind: 'ping', id: 0, body: undefined }),
        ]),
        /went on before its hello was answered/,
      ],
    ] as const) {
      const { server: made, take, refused, time } = server();
      const wire = new Wire();
      take(wire);
      wire.bring(bytes);
      await time.run({ untilMs: 6_000 });
      assert.ok(wire.isDestroyed);
      assert.match(refused[0] ?? '', why);
      assert.equal(made.connectionCount, 0);
    }
  });

  it('gives up the oldest of many who have not introduced themselves, never a broker', () => {
    const { server: made, take } = server();
    const broker = new Wire();
    take(broker);
    broker.bring(bytesOf({ kind: 'hello', id: 0, body: hello }));
    const strangers = Array.from({ length: 200 }, () => new Wire());
    for (const wire of strangers) take(wire);
    assert.equal(made.connectionCount, 65);
    assert.equal(strangers.filter(({ isDestroyed }) => isDestroyed).length, 136);
    assert.ok(!strangers.at(-1)?.isDestroyed);
    broker.bring(bytesOf({ kind: 'ping', id: 0, body: undefined }));
    assert.equal(written(broker).length, 2);
  });

  it('closes a broker that has said nothing for long', async () => {
    const { server: made, take, time, refused } = server();
    const wire = new Wire();
    take(wire);
    wire.bring(bytesOf({ kind: 'hello', id: 0, body: hello }));
    await time.run({ untilMs: 14_000 });
    wire.bring(bytesOf({ kind: 'ping', id: 0, body: undefined }));
    await time.run({ untilMs: 28_000 });
    assert.equal(made.connectionCount, 1);
    await time.run({ untilMs: 30_000 });
    assert.equal(made.connectionCount, 0);
    assert.deepEqual(refused, []);
  });

  it('answers no more than is read', async () => {
    const { server: made, take } = server();
    made.serve({ name: 'm', request: nothing, response: nothing }, () => Promise.resolve(undefined));
    const wire = new Wire();
    take(wire);
    wire.bring(bytesOf({ kind: 'hello', id: 0, body: hello }));
    const ask = async (id: number, unsentBytes: number): Promise<PeerFrame | undefined> => {
      wire.unsentBytes = unsentBytes;
      wire.bring(bytesOf({ kind: 'request', id, body: { method: 'm' } }));
      await new Promise((resolve) => setImmediate(resolve));
      return written(wire).at(-1);
    };
    assert.equal((await ask(1, 3 * maxPeerFrameBytes))?.kind, 'response');
    const refused = await ask(2, 3 * maxPeerFrameBytes + 1);
    assert.equal(refused?.kind, 'failure');
    assert.match(JSON.stringify(refused.body), /have not been read: ask for less at a time/);
    assert.equal((await ask(3, 0))?.kind, 'response');
  });

  it('survives whatever is sent to it, before the hello and after', () => {
    const nearly = fc.oneof(
      fc.uint8Array({ maxLength: 300 }),
      fc.uint8Array({ maxLength: 60 }).map((payload) => framed(payload)),
      anyFrame.map(bytesOf),
      fc
        .tuple(fc.integer({ min: 0, max: 7 }), fc.jsonValue())
        .map(([kind, body]) =>
          framed(Buffer.concat([Buffer.from([kind, 0, 0, 0, 1]), Buffer.from(JSON.stringify(body))])),
        ),
      fc
        .record({ method: fc.constantFrom('m', '', '__proto__'), request: fc.jsonValue() })
        .map((body) => bytesOf({ kind: 'request', id: 1, body })),
    );
    fc.assert(
      fc.property(fc.boolean(), fc.array(nearly, { maxLength: 6 }), (isBroker, sent) => {
        const { server: made, take } = server();
        const wire = new Wire();
        take(wire);
        if (isBroker) wire.bring(bytesOf({ kind: 'hello', id: 0, body: hello }));
        for (const bytes of sent) wire.bring(bytes);
        assert.equal(made.connectionCount, wire.isDestroyed ? 0 : 1);
        made.close();
        assert.equal(made.connectionCount, 0);
      }),
      { numRuns: 500 },
    );
  });
});
