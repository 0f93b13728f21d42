import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { clusterOf, hexId } from '../../cluster/cluster-fixture.ts';
import type { ClusterState } from '../../cluster/cluster-state.ts';
import type { Link } from '../../cluster/decide-suspicion.ts';
import { Fields } from '../../cluster/json-fields.ts';
import { inBackground } from '../../runtime/in-background.ts';
import { sleep } from '../../runtime/runtime.ts';
import type { Runtime } from '../../runtime/runtime.ts';
import type { SimulatedProcess } from '../../runtime/simulated-process.ts';
import { VirtualTime } from '../../runtime/virtual-time.ts';
import { PeerError } from './peer-error.ts';
import type { PeerMethod } from './peer-method.ts';
import { PeerNetwork } from './peer-network-fixture.ts';
import { PeerServer } from './peer-server.ts';
import { Peers } from './peers.ts';

const addressOf = (id: number): string => `10.0.0.${id}:9093`;

/** Says how long it is to wait before it answers; what it answers with is as long as it is told. */
const echo: PeerMethod<{ readonly waitMs: number; readonly length: number }, string> = {
  name: 'echo',
  request: {
    encode: (request) => request,
    decode: (json) => ({
      waitMs: new Fields(json).integer('waitMs', 0),
      length: new Fields(json).integer('length', 0),
    }),
  },
  response: {
    encode: (text) => ({ text }),
    decode: (json) => new Fields(json).text('text', /^x*$/),
  },
};

class Member {
  readonly process: SimulatedProcess;
  readonly runtime: Runtime;
  readonly server: PeerServer;
  readonly peers: Peers;
  readonly refused: string[] = [];
  readonly problems: string[] = [];
  readonly outcomes: string[] = [];
  readonly callers: { readonly id: number; readonly sid: string }[] = [];
  /** Of handlers whose caller has gone away. */
  abandoned = 0;
  /** `undefined`: it does not say. */
  storeReadMs: number | undefined;
  state: ClusterState;
  sid: string | undefined;

  constructor(world: World, id: number, sid: string) {
    this.process = world.time.process(`broker-${id}`);
    this.runtime = this.process.runtime;
    this.state = world.state;
    this.sid = sid;
    const self = () =>
      this.sid === undefined ? undefined : { clusterId: 'test-cluster', id, sid: this.sid };
    this.server = new PeerServer({
      runtime: this.runtime,
      self,
      storeAgeMs: () =>
        this.storeReadMs === undefined ? undefined : this.runtime.monotonicMs() - this.storeReadMs,
      onAnswered: () => undefined,
      onRefused: (_from, why) => this.refused.push(why),
    });
    this.server.serve(echo, async ({ waitMs, length }, caller, signal) => {
      this.callers.push(caller);
      if (length === 13) throw new Error('thirteen');
      await sleep(this.runtime, waitMs, signal).catch((error: unknown) => {
        this.abandoned += 1;
        throw error;
      });
      return 'x'.repeat(length);
    });
    this.server.accept(world.network.listen(this.process, addressOf(id)));
    this.peers = new Peers({
      runtime: this.runtime,
      dialer: world.network.dialer(this.process),
      self,
      cluster: () => this.state,
      onRequest: (_method, outcome) => this.outcomes.push(outcome),
      onProblem: (what, error) =>
        this.problems.push(`${what}: ${error instanceof Error ? error.message : ''}`),
    });
    inBackground(this.peers.run());
  }

  link(id: number): Link | undefined {
    return this.peers.links().get(id);
  }
}

class World {
  readonly time: VirtualTime;
  readonly network: PeerNetwork;
  state: ClusterState = clusterOf('a', 'a', 'a');

  constructor(seed = 1) {
    this.time = new VirtualTime({ seed });
    this.network = new PeerNetwork(this.time);
  }

  start(id: number, sid = hexId('5', id)): Member {
    return new Member(this, id, sid);
  }

  async run(forMs: number): Promise<void> {
    await this.time.run({ untilMs: this.time.nowMs + forMs });
  }

  /** How long it takes until that holds, looked at every few milliseconds. */
  async until(holds: () => boolean, withinMs: number): Promise<number> {
    const startMs = this.time.nowMs;
    while (!holds()) {
      if (this.time.nowMs - startMs > withinMs) assert.fail(`not within ${withinMs} ms: ${String(holds)}`);
      await this.run(5);
    }
    return this.time.nowMs - startMs;
  }
}

async function pair(seed?: number): Promise<{ world: World; one: Member; two: Member }> {
  const world = new World(seed);
  const [one, two] = [world.start(1), world.start(2)];
  await world.until(() => one.link(2)?.state === 'up' && two.link(1)?.state === 'up', 1_000);
  return { world, one, two };
}

describe('the connection to another broker', () => {
  it('comes up at once, and stays up while nobody asks anything', async () => {
    for (let seed = 1; seed <= 20; seed++) {
      const { world, one, two } = await pair(seed);
      for (let i = 0; i < 40; i++) {
        await world.run(500);
        assert.equal(one.link(2)?.state, 'up');
        assert.equal(two.link(1)?.state, 'up');
      }
      assert.equal(world.network.dials.get(addressOf(2)), 1);
      assert.equal(one.server.connectionCount, 1);
    }
  });

  it('is down since the last bytes when the other process is stopped, and up again when it goes on', async () => {
    const { world, one, two } = await pair();
    await world.run(3_000);
    const stoppedMs = one.runtime.monotonicMs();
    two.process.pause();
    assert.ok((await world.until(() => one.link(2)?.state === 'down', 2_000)) <= 1_150);
    await world.run(10_000);
    const link = one.link(2);
    assert.ok(link?.state === 'down');
    assert.ok(link.sinceMs <= stoppedMs + 5 && link.sinceMs >= stoppedMs - 510);
    two.process.resume();
    await world.until(() => one.link(2)?.state === 'up', 2_000);
  });

  it('is not judged by what this process could not hear while it stood still', async () => {
    const { world, one, two } = await pair();
    for (const pauseMs of [800, 3_000, 30_000]) {
      one.process.pause(pauseMs);
      await world.run(pauseMs - 1);
      // The first thing that happens then.
      await world.time.run({ until: () => one.process.state === 'running' });
      const link = one.link(2);
      const silentMs = link?.state === 'down' ? one.runtime.monotonicMs() - link.sinceMs : 0;
      assert.ok(silentMs < 1_500, `${silentMs} ms of silence after a standstill of ${pauseMs}`);
      await world.until(() => one.link(2)?.state === 'up', 2_000);
      await world.until(() => two.link(1)?.state === 'up', 2_000);
    }
  });

  it('says that there is no such process when its address refuses twice', async () => {
    const { world, one, two } = await pair();
    await world.run(2_000);
    two.process.kill();
    const took = await world.until(() => one.link(2)?.state === 'refused-twice', 2_000);
    assert.ok(took >= 200 && took <= 260, `after ${took} ms`);
    await world.run(10_000);
    assert.equal(one.link(2)?.state, 'refused-twice');
    const dials = world.network.dials.get(addressOf(2)) ?? 0;
    await world.run(10_000);
    const rate = ((world.network.dials.get(addressOf(2)) ?? 0) - dials) / 10;
    assert.ok(rate >= 2 && rate <= 5, `${rate} attempts a second`);
    assert.equal(one.problems.filter((what) => /broker 2 .*no process listens/.test(what)).length, 1);
  });

  it('does not say so when it was refused once, or when anything else came in between', async () => {
    const { world, one, two } = await pair();
    await world.run(2_000);
    two.process.kill();
    await world.until(() => one.problems.some((what) => what.includes('broker 2 ')), 1_000);
    await world.run(100);
    // Somebody listens there again: whoever it is, an address that answers is no proof that nobody is there.
    const impostor = world.time.process('impostor');
    world.network.listen(impostor, addressOf(2)).accept(() => undefined);
    for (let i = 0; i < 100; i++) {
      await world.run(100);
      assert.equal(one.link(2)?.state, 'down');
    }
    impostor.kill();
    const dials = world.network.dials.get(addressOf(2)) ?? 0;
    assert.ok((await world.until(() => one.link(2)?.state === 'refused-twice', 3_000)) >= 200);
    assert.ok(
      (world.network.dials.get(addressOf(2)) ?? 0) >= dials + 2,
      'what was refused before does not count',
    );
  });

  it('is silent, whatever an impostor at that address says', async () => {
    for (const impostorIs of [
      'another session',
      'another broker',
      'a parrot',
      'starting',
      'a tease',
    ] as const) {
      const { world, one, two } = await pair();
      await world.run(2_000);
      const lastMs = one.runtime.monotonicMs();
      two.process.kill();
      await world.run(20);
      if (impostorIs === 'another session') world.start(2, hexId('6', 2));
      else if (impostorIs === 'starting') world.start(2).sid = undefined;
      else if (impostorIs === 'another broker') {
        const other = world.start(3);
        other.server.accept(world.network.listen(other.process, addressOf(2)));
      } else {
        const process = world.time.process('impostor');
        world.network.listen(process, addressOf(2)).accept((stream) => {
          stream.start({
            data: (chunk) => {
              stream.write([impostorIs === 'a parrot' ? chunk : Buffer.from([0])]);
            },
            room: () => undefined,
            received: () => undefined,
            drained: () => undefined,
            closed: () => undefined,
          });
        });
      }
      for (let i = 0; i < 60; i++) {
        await world.run(100);
        const link = one.link(2);
        assert.ok(link?.state === 'down', impostorIs);
        // What was on its way then still counts.
        assert.ok(link.sinceMs <= lastMs + 5, `${impostorIs}: silent since ${link.sinceMs}, not ${lastMs}`);
      }
      const wanted = {
        'another session': /there is session 60+2 of broker 2, not 50+2/,
        'another broker': /broker 1 looks for broker 2, but this is broker 3/,
        'a parrot': /there is broker 1, not broker 2/,
        starting: /has no session yet/,
        'a tease': /did not answer as a broker within 1000 ms/,
      }[impostorIs];
      assert.ok(
        one.problems.some((problem) => wanted.test(problem)),
        `${impostorIs}: ${one.problems.join('; ')}`,
      );
      assert.ok(one.problems.length <= 4, 'each problem is told once');
    }
  });

  it('comes back soon after a network that swallowed everything', async () => {
    for (const cutMs of [700, 3_000, 60_000]) {
      const { world, one, two } = await pair();
      await world.run(2_000);
      const stoppedMs = one.runtime.monotonicMs();
      world.network.cutOff(addressOf(2));
      await world.run(cutMs);
      const link = one.link(2);
      if (cutMs > 2_000) {
        assert.ok(link?.state === 'down');
        assert.ok(link.sinceMs <= stoppedMs + 5);
        // The other direction has a connection of its own.
        assert.equal(two.link(1)?.state, 'up');
      }
      world.network.heal(addressOf(2));
      await world.until(() => one.link(2)?.state === 'up', 2_000);
      await world.run(2_000);
      assert.equal(one.link(2)?.state, 'up');
      await world.run(20_000);
      assert.equal(two.server.connectionCount, 1, 'what was left of the old connections is gone');
    }
  });

  it('tells since when the other one has not read the store', async () => {
    const { world, one, two } = await pair();
    const skewMs = one.runtime.monotonicMs() - two.runtime.monotonicMs();
    two.storeReadMs = two.runtime.monotonicMs();
    await world.run(2_000);
    assert.equal(one.link(2)?.state, 'up');
    await world.run(2_000);
    const link = one.link(2);
    assert.ok(link?.state === 'storeless');
    assert.ok(Math.abs(link.sinceMs - (two.storeReadMs + skewMs)) < 5);
    assert.deepEqual(one.peers.reachable, [2]);
    two.storeReadMs = two.runtime.monotonicMs();
    await world.run(1_000);
    assert.equal(one.link(2)?.state, 'up');
    // Silence is the stronger evidence.
    two.process.pause();
    await world.run(5_000);
    assert.equal(one.link(2)?.state, 'down');
    assert.deepEqual(one.peers.reachable, []);
  });

  it('is opened again at once when it breaks, however often', async () => {
    const { world, one } = await pair();
    for (let i = 0; i < 8; i++) {
      await world.run(1_500);
      world.network.reset(addressOf(2));
      await world.until(() => one.link(2)?.state === 'down', 10);
      assert.ok((await world.until(() => one.link(2)?.state === 'up', 100)) <= 35);
    }
  });

  it('is not tried in a busy loop when it is closed as soon as it is open', async () => {
    const world = new World();
    const one = world.start(1);
    const process = world.time.process('closing');
    world.network.listen(process, addressOf(2)).accept((stream) => {
      stream.start({
        data: () => stream.destroy(),
        room: () => undefined,
        received: () => undefined,
        drained: () => undefined,
        closed: () => undefined,
      });
    });
    await world.run(20_000);
    const dials = world.network.dials.get(addressOf(2)) ?? 0;
    assert.ok(dials >= 40 && dials <= 100, `${dials} attempts in 20 s`);
    assert.equal(one.link(2)?.state, 'down');
  });

  it('follows meta/cluster: none to the dead, a new one to a new session or address', async () => {
    const { world, one, two } = await pair();
    const brokers = new Map(world.state.brokers);
    const entry = brokers.get(2);
    assert.ok(entry !== undefined);
    one.state = { ...world.state, brokers: new Map(brokers).set(2, { ...entry, state: 'dead' }) };
    one.peers.follow();
    assert.deepEqual([...one.peers.links().keys()], [3]);
    await world.until(() => two.server.connectionCount === 0, 1_000);
    const again = { ...entry, sid: hexId('7', 2) };
    one.state = { ...world.state, brokers: new Map(brokers).set(2, again) };
    two.sid = again.sid;
    one.peers.follow();
    await world.until(() => one.link(2)?.state === 'up', 1_000);
    one.peers.follow();
    assert.equal(one.link(2)?.state, 'up');
  });

  it('is introduced anew when this broker has another session, and is taken for silent no sooner for it', async () => {
    const { world, one, two } = await pair();
    await world.run(3_000);
    one.sid = undefined;
    await world.run(2_000);
    assert.equal(one.link(2)?.state, 'up');
    one.sid = hexId('6', 1);
    for (let i = 0; i < 20; i++) {
      await world.run(25);
      const link = one.link(2);
      if (link?.state === 'down') assert.ok(one.runtime.monotonicMs() - link.sinceMs < 700);
    }
    const asked = one.peers.request(2, echo, { waitMs: 0, length: 1 }, { timeoutMs: 1_000 });
    await world.run(100);
    assert.equal(await asked, 'x');
    assert.deepEqual(two.callers.at(-1), { id: 1, sid: hexId('6', 1) });
    await world.run(20_000);
    assert.equal(two.server.connectionCount, 1);
    // Nor any later.
    const silentMs = one.runtime.monotonicMs();
    two.process.pause();
    await world.run(5_000);
    one.sid = hexId('7', 1);
    await world.run(1_000);
    const link = one.link(2);
    assert.ok(link?.state === 'down' && link.sinceMs <= silentMs + 5);
  });

  it('ends with the broker: nothing is left that ticks', async () => {
    const { world, one, two } = await pair();
    const stopped = Promise.all([one.peers.stop(), two.peers.stop()]);
    one.server.close();
    two.server.close();
    await world.time.run({ maxSteps: 10_000 });
    await stopped;
    assert.equal(world.time.pendingEvents, 0);
  });
});

describe('a question to another broker', () => {
  const ask = (one: Member, waitMs: number, length: number, timeoutMs = 1_000, signal?: AbortSignal) =>
    one.peers.request(2, echo, { waitMs, length }, { timeoutMs, signal });
  const outcome = (work: Promise<unknown>): Promise<unknown> => work.catch((error: unknown) => error);
  const settled = (world: World, work: Promise<unknown>): Promise<unknown> =>
    world.time.drive(() => outcome(work));

  it('is answered, whatever else is asked meanwhile, and in any order', async () => {
    const { world, one } = await pair();
    const order: number[] = [];
    const answers = [300, 100, 200, 0].map(async (waitMs, length) => {
      const text = await ask(one, waitMs, length);
      assert.equal(text.length, length);
      order.push(waitMs);
    });
    await world.run(1_000);
    await Promise.all(answers);
    assert.deepEqual(order, [0, 100, 200, 300]);
  });

  it('ends without an answer in one way only: each has its name, and none is left behind', async () => {
    const { world, one, two } = await pair();
    const reason = (error: unknown): string =>
      error instanceof PeerError ? `${error.reason}: ${error.message}` : String(error);

    assert.match(
      reason(await settled(world, ask(one, 5_000, 1))),
      /^timeout: .*did not answer echo within 1000 ms/,
    );
    await world.run(10);
    assert.equal(two.abandoned, 1);

    const stop = new AbortController();
    const abandoned = outcome(ask(one, 5_000, 1, 10_000, stop.signal));
    await world.run(50);
    stop.abort(new Error('enough'));
    assert.match(reason(await abandoned), /enough/);
    await world.run(10);
    assert.equal(two.abandoned, 2);

    assert.match(reason(await settled(world, ask(one, 0, 13))), /^failed: broker 2: thirteen/);
    assert.match(reason(await settled(world, ask(one, 0, 9 * 2 ** 20))), /^failed: .*at most 8388608/);
    const huge = { ...echo, request: { ...echo.request, encode: () => 'x'.repeat(9 * 2 ** 20) } };
    const tooMuch = one.peers.request(2, huge, { waitMs: 0, length: 0 }, { timeoutMs: 1_000 });
    assert.match(reason(await settled(world, tooMuch)), /^failed: .*cannot be asked/);
    const unknown = { ...echo, name: 'later' };
    const newer = one.peers.request(2, unknown, { waitMs: 0, length: 0 }, { timeoutMs: 1_000 });
    assert.match(reason(await settled(world, newer)), /^failed: .*there is no method later/);
    const wrong = {
      ...echo,
      response: { ...echo.response, decode: (json: unknown) => new Fields(json).text('t', /./) },
    };
    const misread = one.peers.request(2, wrong, { waitMs: 0, length: 1 }, { timeoutMs: 1_000 });
    assert.match(reason(await settled(world, misread)), /^failed: the answer of broker 2 to echo is wrong/);

    const handled = two.callers.length;
    const gone = outcome(ask(one, 5_000, 1, 10_000));
    await world.run(50);
    world.network.reset(addressOf(2));
    await world.run(50);
    assert.match(reason(await gone), /^lost: /);
    assert.equal(two.callers.length, handled + 1);
    assert.equal(two.abandoned, 3, 'who has gone is not worked for');
    await world.until(() => one.link(2)?.state === 'up', 1_000);

    const lost = outcome(ask(one, 5_000, 1, 10_000));
    await world.run(50);
    two.process.kill();
    await world.run(50);
    assert.match(reason(await lost), /^lost: /);
    assert.match(reason(await settled(world, ask(one, 0, 1))), /^unreachable: .*no connection/);
    const nobody = one.peers.request(9, echo, { waitMs: 0, length: 1 }, { timeoutMs: 1_000 });
    assert.match(reason(await settled(world, nobody)), /^unreachable: .*never there/);
    assert.deepEqual(one.outcomes, [
      'timeout',
      'abandoned',
      ...Array<string>(5).fill('failed'),
      'lost',
      'lost',
      'unreachable',
      'unreachable',
    ]);
  });

  it('is refused when too many are being worked on', async () => {
    const { world, one } = await pair();
    const asked = Array.from({ length: 1_100 }, () => outcome(ask(one, 500, 1, 5_000)));
    const answers = await world.time.drive(() => Promise.all(asked));
    assert.equal(answers.filter((answer) => answer === 'x').length, 1_024);
    const refusal = answers.find((answer) => answer !== 'x');
    assert.match(String(refusal), /1024 requests of this broker are being worked on/);
    assert.equal(await settled(world, ask(one, 0, 1)), 'x');
  });
});
