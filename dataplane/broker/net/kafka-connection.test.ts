import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { realRuntime } from '../../runtime/real-runtime.ts';
import type { ByteStream, ByteStreamEvents } from './byte-stream.ts';
import { KafkaConnection, defaultConnectionLimits } from './kafka-connection.ts';
import type { ConnectionLimits, ResponseFrame } from './kafka-connection.ts';
import { RequestMemory } from './request-memory.ts';

/** A peer in memory that takes nothing until it is told to. */
class FakeStream implements ByteStream {
  readonly remoteAddress = '192.0.2.1';
  readonly written: Uint8Array[] = [];
  unsentBytes = 0;
  isPaused = false;
  isDestroyed = false;
  takesAtOnce = true;
  #events: ByteStreamEvents | undefined;
  readonly #waiting: (() => void)[] = [];

  start(events: ByteStreamEvents): void {
    this.#events = events;
  }

  write(pieces: readonly Uint8Array[], sent?: () => void): void {
    for (const piece of pieces) {
      this.written.push(piece);
      if (!this.takesAtOnce) this.unsentBytes += piece.length;
    }
    if (sent === undefined) return;
    if (this.takesAtOnce) sent();
    else this.#waiting.push(sent);
  }

  pause(): void {
    this.isPaused = true;
  }

  resume(): void {
    this.isPaused = false;
  }

  destroy(): void {
    this.isDestroyed = true;
    for (const sent of this.#waiting.splice(0)) sent();
    this.#events?.closed(undefined);
  }

  arrive(chunk: Uint8Array): void {
    this.#events?.data(chunk);
  }

  take(): void {
    this.unsentBytes = 0;
    for (const sent of this.#waiting.splice(0)) sent();
    this.#events?.drained();
  }

  close(): void {
    for (const sent of this.#waiting.splice(0)) sent();
    this.#events?.closed(undefined);
  }

  /** What was sent, as text. */
  get text(): string {
    return Buffer.concat(this.written).toString();
  }
}

interface Asked {
  readonly text: string;
  readonly signal: AbortSignal;
  readonly answer: (response: string | undefined, sent?: () => void) => void;
  readonly fail: (error: Error) => void;
}

/** Requests are text here; those that begin with `F` may have large responses. */
function open(limits: Partial<ConnectionLimits> = {}, memory = new RequestMemory(1_000_000)) {
  const stream = new FakeStream();
  const asked: Asked[] = [];
  const closed: (Error | undefined)[] = [];
  const connection = new KafkaConnection({
    stream,
    info: { id: 1, remoteAddress: stream.remoteAddress, listener: 'PLAINTEXT' },
    processor: {
      isSerial: (frame) => frame[0] === 'F'.charCodeAt(0),
      process: (frame, _connection, signal) => {
        const { promise, resolve, reject } = Promise.withResolvers<ResponseFrame | undefined>();
        asked.push({
          text: Buffer.from(frame).toString(),
          signal,
          answer: (response, sent) => {
            resolve(response === undefined ? undefined : { pieces: [Buffer.from(response)], sent });
          },
          fail: reject,
        });
        return promise;
      },
    },
    limits: { ...defaultConnectionLimits, ...limits },
    runtime: realRuntime,
    memory,
    onClosed: (_connection, error) => {
      closed.push(error);
    },
  });
  connection.start();
  return { stream, asked, closed, connection, memory };
}

function request(text: string): Uint8Array {
  const frame = Buffer.alloc(4 + text.length);
  frame.writeInt32BE(text.length);
  frame.write(text, 4);
  return frame;
}

const settled = (): Promise<void> => new Promise((resolve) => realRuntime.after(0, resolve));
const texts = (asked: readonly Asked[]): string[] => asked.map(({ text }) => text);

describe('a connection', () => {
  it('works on requests side by side and answers in their order', async () => {
    const { stream, asked } = open();
    stream.arrive(Buffer.concat([request('a'), request('b'), request('c')]));
    assert.deepEqual(texts(asked), ['a', 'b', 'c']);
    asked[2]?.answer('C');
    asked[1]?.answer('B');
    await settled();
    assert.equal(stream.text, '');
    asked[0]?.answer('A');
    await settled();
    assert.equal(stream.text, 'ABC');
  });

  it('sends nothing for a request without response, and no later answer before it is done', async () => {
    const { stream, asked } = open();
    stream.arrive(Buffer.concat([request('a'), request('b')]));
    asked[1]?.answer('B');
    await settled();
    assert.equal(stream.text, '');
    asked[0]?.answer(undefined);
    await settled();
    assert.equal(stream.text, 'B');
  });

  it('begins a fetch when the answer of the one before it is out, other requests meanwhile', async () => {
    const { stream, asked } = open();
    stream.arrive(Buffer.concat([request('F1'), request('a'), request('F2'), request('b')]));
    assert.deepEqual(texts(asked), ['F1', 'a']);
    assert(stream.isPaused);
    asked[1]?.answer('A');
    asked[0]?.answer('one');
    await settled();
    assert.equal(stream.text, 'oneA');
    assert.deepEqual(texts(asked), ['F1', 'a', 'F2', 'b']);
  });

  it('does not read from a peer that has sent more than can be worked on', async () => {
    const { stream, asked } = open({ maxRequestsInFlight: 2 });
    stream.arrive(Buffer.concat([request('a'), request('b'), request('c')]));
    assert.deepEqual(texts(asked), ['a', 'b']);
    assert(stream.isPaused);
    asked[0]?.answer('A');
    await settled();
    assert.deepEqual(texts(asked), ['a', 'b', 'c']);
    asked[1]?.answer('B');
    await settled();
    assert(!stream.isPaused);
  });

  it('begins nothing for a peer that does not take its answers', async () => {
    const { stream, asked } = open({ maxUnsentResponseBytes: 3 });
    stream.takesAtOnce = false;
    stream.arrive(Buffer.concat([request('a')]));
    asked[0]?.answer('long answer');
    await settled();
    stream.arrive(request('b'));
    assert.deepEqual(texts(asked), ['a']);
    assert(stream.isPaused);
    stream.take();
    assert.deepEqual(texts(asked), ['a', 'b']);
    assert(!stream.isPaused);
  });

  it('counts finished answers that wait for an earlier one as not taken', async () => {
    const { stream, asked } = open({ maxUnsentResponseBytes: 3 });
    stream.arrive(Buffer.concat([request('a'), request('b')]));
    asked[1]?.answer('long answer');
    await settled();
    stream.arrive(request('c'));
    assert.deepEqual(texts(asked), ['a', 'b']);
    asked[0]?.answer('A');
    await settled();
    assert.deepEqual(texts(asked), ['a', 'b', 'c']);
  });

  it('says that an answer has been sent when the peer has taken it', async () => {
    const { stream, asked } = open();
    stream.takesAtOnce = false;
    const sent: string[] = [];
    stream.arrive(Buffer.concat([request('a'), request('b'), request('c')]));
    asked[1]?.answer('B', () => sent.push('B'));
    asked[2]?.answer('C');
    await settled();
    assert.equal(sent.length, 0, 'an earlier answer is missing');
    asked[0]?.answer('A', () => sent.push('A'));
    await settled();
    assert.equal(stream.text, 'ABC');
    assert.equal(sent.length, 0, 'the peer has not taken them');
    stream.take();
    assert.deepEqual(sent, ['A', 'B']);
    stream.close();
    assert.deepEqual(sent, ['A', 'B'], 'once');
  });

  it('says so of answers that never will be sent because the connection is gone', async () => {
    const { stream, asked } = open();
    stream.takesAtOnce = false;
    const sent: string[] = [];
    stream.arrive(Buffer.concat([request('a'), request('b'), request('c'), request('d')]));
    asked[0]?.answer('A', () => sent.push('taken by nobody'));
    asked[2]?.answer('C', () => sent.push('behind one that is missing'));
    await settled();
    assert.equal(sent.length, 0);
    stream.close();
    assert.deepEqual(sent, ['taken by nobody', 'behind one that is missing']);
    asked[1]?.answer('B', () => sent.push('too late'));
    asked[3]?.answer(undefined);
    await settled();
    assert.deepEqual(sent, ['taken by nobody', 'behind one that is missing', 'too late']);
  });

  it('is closed by a request that fails, by a size that cannot be, and by nothing else', async () => {
    const failing = open();
    failing.stream.arrive(request('a'));
    failing.asked[0]?.fail(new Error('no such API'));
    await settled();
    assert(failing.stream.isDestroyed);
    assert.deepEqual(
      failing.closed.map((error) => error?.message),
      ['no such API'],
    );
    const lying = open({ maxRequestBytes: 10 });
    lying.stream.arrive(request('x'.repeat(11)));
    assert(lying.stream.isDestroyed);
    assert.match(lying.closed[0]?.message ?? '', /11 bytes was announced/);
  });

  it('tells those who work on its requests that nobody waits any more', async () => {
    const { stream, asked, closed, memory } = open();
    stream.arrive(Buffer.concat([request('a'), request('b').subarray(0, 3)]));
    stream.close();
    assert(asked[0]?.signal.aborted);
    assert.deepEqual(closed, [undefined]);
    assert.equal(memory.usedBytes, 0);
    asked[0]?.answer('late');
    await settled();
    assert.equal(stream.text, '');
  });

  it('gives back all memory it counted, whatever was cut where', async () => {
    const { stream, asked, memory } = open();
    const sent = Buffer.concat([request('a'), request('F'), request('F'), request('bcd')]);
    for (const byte of sent) stream.arrive(Buffer.from([byte]));
    assert.equal(memory.usedBytes, sent.length);
    for (let at = 0; at < 4; at++) {
      asked[at]?.answer('x');
      await settled();
    }
    assert.equal(stream.text, 'xxxx');
    assert.equal(memory.usedBytes, 0);
  });
});

describe('the memory of all requests', () => {
  it('stops reading when it is full and goes on when there is room', async () => {
    const memory = new RequestMemory(20);
    const [one, two] = [open({}, memory), open({}, memory)];
    one.stream.arrive(request('x'.repeat(12)));
    two.stream.arrive(request('y'.repeat(12)));
    assert(two.stream.isPaused);
    one.asked[0]?.answer('done');
    await settled();
    assert(!two.stream.isPaused);
  });

  it('is not held by requests that never end', () => {
    const memory = new RequestMemory(100);
    const [slow, other] = [open({}, memory), open({}, memory)];
    slow.stream.arrive(request('x'.repeat(1_000)).subarray(0, 90));
    other.stream.arrive(request('y'.repeat(20)));
    assert(slow.stream.isDestroyed);
    assert.match(slow.closed[0]?.message ?? '', /too much memory/);
    assert(!other.stream.isDestroyed);
    assert(!other.stream.isPaused);
    assert.deepEqual(texts(other.asked), ['y'.repeat(20)]);
  });
});
