import assert from 'node:assert/strict';
import { test } from 'node:test';
import { sleep } from '../../runtime/runtime.ts';
import type { SimulatedProcess } from '../../runtime/simulated-process.ts';
import { VirtualRandom } from '../../runtime/virtual-random.ts';
import { VirtualTime } from '../../runtime/virtual-time.ts';
import type { ByteStream } from '../net/byte-stream.ts';
import { DialError } from '../net/dialer.ts';
import { SimulatedNetwork } from './simulated-network.ts';

/** A stream, and what has come out of it. */
class Talk {
  readonly stream: ByteStream;
  heard = '';
  isClosed = false;
  drained = 0;

  constructor(stream: ByteStream) {
    this.stream = stream;
    stream.start({
      data: (chunk) => {
        this.heard += Buffer.from(chunk).toString();
      },
      room: () => undefined,
      received: () => undefined,
      drained: () => {
        this.drained += 1;
      },
      closed: () => {
        assert(!this.isClosed, 'closed twice');
        this.isClosed = true;
      },
    });
  }

  say(text: string): void {
    this.stream.write([Buffer.from(text)]);
  }
}

/** Brokers `a` and `b`, the second of which listens. */
class Pair {
  readonly time: VirtualTime;
  readonly network: SimulatedNetwork;
  readonly a: SimulatedProcess;
  b: SimulatedProcess;
  readonly accepted: Talk[] = [];

  constructor(seed: number) {
    this.time = new VirtualTime({ seed });
    this.network = new SimulatedNetwork(this.time.environment, new VirtualRandom(seed, 'network'));
    this.a = this.time.process('a');
    this.b = this.startB();
  }

  startB(): SimulatedProcess {
    this.b = this.time.process('b');
    this.network.listen(this.b, 'INTERNAL', 'b:9093').accept((stream) => {
      this.accepted.push(new Talk(stream));
    });
    return this.b;
  }

  pass(ms: number): Promise<void> {
    return sleep(this.time.environment, ms);
  }

  async dial(withinMs = 1_000): Promise<Talk> {
    const patience = new AbortController();
    const cancel = this.a.runtime.after(withinMs, () => {
      patience.abort(new Error(`no answer in ${withinMs} ms`));
    });
    try {
      return new Talk(await this.network.dialer(this.a).dial('b:9093', patience.signal));
    } finally {
      cancel();
    }
  }

  async connect(): Promise<{ readonly dialed: Talk; readonly accepted: Talk }> {
    const dialed = await this.dial();
    await this.pass(10);
    const accepted = this.accepted.at(-1);
    assert(accepted);
    return { dialed, accepted };
  }
}

const seeds = Array.from({ length: 20 }, (_, index) => index + 1);

async function withPair(check: (pair: Pair) => Promise<void>): Promise<void> {
  for (const seed of seeds) {
    const pair = new Pair(seed);
    await pair.time.drive(() => check(pair));
  }
}

const failsWith = (reason: DialError['reason']) => (error: unknown) =>
  error instanceof DialError && error.reason === reason;

test('what one broker says the other one hears, in order and once, both ways', async () => {
  await withPair(async (pair) => {
    const { dialed, accepted } = await pair.connect();
    for (let at = 0; at < 10; at += 1) {
      dialed.say(`to${at} `);
      accepted.say(`from${at} `);
    }
    await pair.pass(100);
    assert.equal(accepted.heard, 'to0 to1 to2 to3 to4 to5 to6 to7 to8 to9 ');
    assert.equal(dialed.heard, 'from0 from1 from2 from3 from4 from5 from6 from7 from8 from9 ');
  });
});

test('nobody listens where a process was killed: refused, until another one has started there', async () => {
  await withPair(async (pair) => {
    const { dialed } = await pair.connect();
    pair.b.kill();
    await pair.pass(10);
    assert(dialed.isClosed);
    await assert.rejects(pair.dial(), failsWith('refused'));
    pair.startB();
    const { dialed: again, accepted } = await pair.connect();
    again.say('hello');
    await pair.pass(10);
    assert.equal(accepted.heard, 'hello');
  });
});

test('a process that stands still is connected to, and answers when it goes on', async () => {
  await withPair(async (pair) => {
    pair.b.pause();
    const dialed = await pair.dial();
    dialed.say('are you there?');
    await pair.pass(60_000);
    assert.equal(pair.accepted.length, 0);
    assert(!dialed.isClosed);
    pair.b.resume();
    await pair.pass(10);
    assert.equal(pair.accepted[0]?.heard, 'are you there?');
  });
});

test('whoever knocks through a cut link, in either direction, gets no answer', async () => {
  for (const [from, to] of [
    ['a', 'b'],
    ['b', 'a'],
  ] as const) {
    // prettier-ignore
    await withPair(async (pair) => {
      pair.network.links.cut(from, to, 60_000);
      const beganMs = pair.time.nowMs;
      await assert.rejects(pair.dial(5_000), failsWith('unreachable'));
      assert.equal(pair.time.nowMs - beganMs, 5_000);
      pair.b.kill();
      await assert.rejects(pair.dial(5_000), failsWith('unreachable'));
      pair.startB();
      await pair.dial(600_000);
      assert(pair.time.nowMs >= 60_000);
    });
  }
});

test('through a link that is cut one way the other way goes on; what vanished comes when it is back', async () => {
  await withPair(async (pair) => {
    const { dialed, accepted } = await pair.connect();
    pair.network.links.cut('a', 'b', 300_000);
    dialed.say('one ');
    accepted.say('un ');
    await pair.pass(1_000);
    dialed.say('two');
    accepted.say('deux');
    await pair.pass(298_000);
    assert.equal(accepted.heard, '');
    assert.equal(dialed.heard, 'un deux');
    assert(!dialed.isClosed && !accepted.isClosed);
    await pair.pass(130_000);
    assert.equal(accepted.heard, 'one two');
  });
});

test('an end that was closed beyond a cut link is noticed later, at the latest by who says something', async () => {
  let silent = 0;
  await withPair(async (pair) => {
    const { dialed, accepted } = await pair.connect();
    pair.network.links.cut('b', 'a', 60_000);
    accepted.stream.destroy();
    await pair.pass(10);
    assert(accepted.isClosed);
    dialed.say('still there?');
    await pair.pass(59_000);
    assert(!dialed.isClosed);
    await pair.pass(70_000);
    if (!dialed.isClosed) silent += 1;
    dialed.say('hello?');
    await pair.pass(10);
    assert(dialed.isClosed);
    assert.equal(accepted.heard, '');
  });
  assert(silent > 0 && silent < seeds.length, `${silent} of ${seeds.length} were not told`);
});

test('a slow link is slow, and still in order', async () => {
  await withPair(async (pair) => {
    const { dialed, accepted } = await pair.connect();
    pair.network.links.slow('a', 'b', 5_000);
    dialed.say('one ');
    pair.network.links.slow('a', 'b', 0);
    dialed.say('two');
    await pair.pass(4_900);
    assert.equal(accepted.heard, '');
    await pair.pass(200);
    assert.equal(accepted.heard, 'one two');
  });
});

test('what the other side does not take counts as unsent, and is drained when it does', async () => {
  await withPair(async (pair) => {
    const { dialed, accepted } = await pair.connect();
    accepted.stream.pause();
    const text = 'x'.repeat(100_000);
    dialed.say(text);
    assert.equal(dialed.stream.unsentBytes, 0);
    dialed.say(text);
    dialed.say(text);
    assert(dialed.stream.unsentBytes > 0);
    await pair.pass(1_000);
    assert(dialed.stream.unsentBytes > 0);
    assert.equal(dialed.drained, 0);
    accepted.stream.resume();
    await pair.pass(1_000);
    assert.equal(dialed.stream.unsentBytes, 0);
    assert.equal(accepted.heard.length, 300_000);
    assert.equal(dialed.drained, 1);
  });
});

test('a connection that is reset is closed at both ends, and nobody hears more of it', async () => {
  await withPair(async (pair) => {
    const { dialed, accepted } = await pair.connect();
    pair.network.breakAll(pair.a, pair.b);
    await pair.pass(10);
    assert(dialed.isClosed && accepted.isClosed);
    dialed.say('hello?');
    await pair.pass(10);
    assert.equal(accepted.heard, '');
  });
});

test('a listener that was closed refuses, also who was connected a moment before', async () => {
  for (const seed of seeds) {
    const pair = new Pair(seed);
    await pair.time.drive(async () => {
      const acceptor = pair.network.listen(pair.b, 'INTERNAL', 'b:9093');
      const early = await pair.dial();
      early.say('hello');
      await pair.pass(10);
      await acceptor.close();
      await pair.pass(10);
      assert(early.isClosed);
      await assert.rejects(pair.dial(), failsWith('refused'));
    });
  }
});

test('a dialer that is killed leaves nothing open, also what was being opened', async () => {
  await withPair(async (pair) => {
    pair.network.links.slow('a', 'b', 1_000);
    pair.a.pause(5_000);
    await pair.dial(30_000);
    await pair.pass(2_000);
    assert.equal(pair.accepted.length, 1);
    assert(!pair.accepted[0]?.isClosed);
    pair.dial(30_000).catch(() => undefined);
    await pair.pass(500);
    pair.a.kill();
    await pair.pass(10_000);
    assert.equal(pair.accepted.length, 2);
    assert(pair.accepted.every(({ isClosed }) => isClosed));
  });
});
