import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { SimulatedProcess } from '../runtime/simulated-process.ts';
import { VirtualTime } from '../runtime/virtual-time.ts';
import { SimulatedStore } from '../store/simulated/simulated-store.ts';
import { registerBroker } from './broker-changes.ts';
import { setClusterConfigs } from './cluster-config-changes.ts';
import { ClusterClient } from './cluster-client.ts';
import { decodeClusterState } from './cluster-codec.ts';
import { hexId, registrationOf } from './cluster-fixture.ts';
import { clusterKey } from './cluster-state.ts';
import type { ClusterState } from './cluster-state.ts';
import type { Link } from './decide-suspicion.ts';
import { SuspicionWatch } from './suspicion-watch.ts';

const sid = (id: number): string => hexId('5', id);
const heartbeatMs = 500;
const storelessMs = 2_500;

interface Peer {
  readonly id: number;
  readonly process: SimulatedProcess;
  readonly client: ClusterClient;
  readonly watch: SuspicionWatch;
  readonly heardAtMs: Map<number, number>;
  /** When another one has last read the store, as it says. */
  readonly storeReadAtMs: Map<number, number>;
  readonly refusedTwice: Set<number>;
}

/** Brokers with heartbeats between each other and a network that can be cut, over a store of S3's speed. */
class Brokers {
  readonly time: VirtualTime;
  readonly server: SimulatedStore;
  readonly peers = new Map<number, Peer>();
  readonly #cut = new Set<string>();
  /** When a session was first seen dead in the object itself. */
  readonly deadAtMs = new Map<string, number>();
  accusations = 0;
  refutations = 0;

  constructor(seed: number) {
    this.time = new VirtualTime({ seed });
    this.server = new SimulatedStore({ environment: this.time.environment });
    this.server.onApply(({ key, result }) => {
      if (key !== clusterKey || result !== 'written') return;
      for (const { sid: one, state } of this.state().brokers.values()) {
        if (state === 'dead' && !this.deadAtMs.has(one)) this.deadAtMs.set(one, this.time.nowMs);
      }
    });
  }

  state(): ClusterState {
    return decodeClusterState(this.server.peek(clusterKey)?.bytes ?? Buffer.alloc(0), clusterKey);
  }

  async start(ids: readonly number[]): Promise<void> {
    for (const id of ids) {
      const process = this.time.process(`broker-${id}`);
      const { runtime } = process;
      const client = new ClusterClient({ store: this.server.connect(process), runtime, sid: sid(id) });
      const heardAtMs = new Map<number, number>();
      const storeReadAtMs = new Map<number, number>();
      const refusedTwice = new Set<number>();
      const links = (): Map<number, Link> => this.#linksOf(runtime.monotonicMs(), this.peer(id));
      const onAction = ({ kind }: { readonly kind: string }): void => {
        if (kind === 'accuse') this.accusations += 1;
        if (kind === 'refute') this.refutations += 1;
      };
      const watch = new SuspicionWatch({ client, runtime, id, links, onAction });
      const joined = await client.change((state) => registerBroker(state, registrationOf(id, 'a', sid(id))));
      assert.equal(joined.kind, 'applied');
      this.peers.set(id, { id, process, client, watch, heardAtMs, storeReadAtMs, refusedTwice });
      for (const service of [client, watch]) {
        service.run().catch((error: unknown) => {
          this.time.fail(error);
        });
      }
    }
    for (const peer of this.peers.values()) this.#beat(peer);
  }

  cut(a: number, b: number): void {
    this.#cut.add(`${a}-${b}`).add(`${b}-${a}`);
  }

  heal(): void {
    this.#cut.clear();
  }

  cutFromStore(id: number, mode: 'black-hole' | 'unreachable' | undefined): void {
    this.server.setEndpoint(`broker-${id}`, mode);
  }

  peer(id: number): Peer {
    const peer = this.peers.get(id);
    assert(peer);
    return peer;
  }

  /** The process alone dies: its machine refuses connections from here on. */
  crash(id: number): void {
    this.peer(id).process.kill();
    for (const other of this.peers.values()) {
      if (other.id === id || this.#cut.has(`${other.id}-${id}`)) continue;
      other.process.runtime.after(200, () => other.refusedTwice.add(id));
    }
  }

  pass(durationMs: number): Promise<void> {
    return new Promise((resolve) => {
      this.time.environment.after(durationMs, resolve);
    });
  }

  /** Milliseconds until the session is dead in the object; fails after a minute. */
  async untilDead(id: number): Promise<number> {
    const fromMs = this.time.nowMs;
    while (!this.deadAtMs.has(sid(id))) {
      assert(this.time.nowMs - fromMs < 60_000, `broker ${id} is not declared dead`);
      await this.pass(10);
    }
    return (this.deadAtMs.get(sid(id)) ?? 0) - fromMs;
  }

  async stop(): Promise<void> {
    for (const { process, client, watch } of this.peers.values()) {
      if (process.state !== 'running') process.kill();
      else await Promise.all([watch.stop(), client.stop()]);
    }
  }

  /** A request and its answer over the link, every half a second; none while either side is stopped. */
  #beat(peer: Peer): void {
    const { process, heardAtMs, storeReadAtMs } = peer;
    for (const other of this.peers.values()) {
      if (other.id === peer.id || this.#cut.has(`${peer.id}-${other.id}`)) continue;
      if (!heardAtMs.has(other.id)) heardAtMs.set(other.id, process.runtime.monotonicMs());
      this.time.environment.after(1, () => {
        if (other.process.state !== 'running') return;
        const storeAgeMs = other.process.runtime.monotonicMs() - (other.client.readAtMs ?? 0);
        process.receive(() => {
          heardAtMs.set(other.id, process.runtime.monotonicMs());
          storeReadAtMs.set(other.id, process.runtime.monotonicMs() - storeAgeMs);
        });
      });
    }
    process.runtime.after(heartbeatMs, () => {
      this.#beat(peer);
    });
  }

  #linksOf(nowMs: number, { heardAtMs, storeReadAtMs, refusedTwice }: Peer): Map<number, Link> {
    return new Map(
      Array.from(heardAtMs, ([id, sinceMs]): [number, Link] => {
        if (refusedTwice.has(id)) return [id, { state: 'refused-twice' }];
        if (nowMs - sinceMs > 2 * heartbeatMs) return [id, { state: 'down', sinceMs }];
        const readMs = storeReadAtMs.get(id) ?? nowMs;
        return [id, nowMs - readMs > storelessMs ? { state: 'storeless', sinceMs: readMs } : { state: 'up' }];
      }),
    );
  }
}

async function withBrokers(seed: number, check: (brokers: Brokers) => Promise<void>): Promise<void> {
  const brokers = new Brokers(seed);
  await brokers.time.drive(async () => {
    await brokers.start([1, 2, 3]);
    await brokers.pass(5_000);
    await check(brokers);
    await brokers.stop();
  });
}

const seeds = Array.from({ length: 10 }, (_, index) => index + 1);

test('a process that was killed is dead within a second', async () => {
  for (const seed of seeds) {
    await withBrokers(seed, async (brokers) => {
      brokers.crash(2);
      const afterMs = await brokers.untilDead(2);
      assert(afterMs < 1_000, `seed ${seed}: ${afterMs} ms`);
    });
  }
});

test('a process that is stopped, or whose machine is gone, is dead within seven seconds', async () => {
  for (const seed of seeds) {
    await withBrokers(seed, async (brokers) => {
      brokers.peer(2).process.pause();
      const afterMs = await brokers.untilDead(2);
      assert(afterMs < 7_000, `seed ${seed}: ${afterMs} ms`);
    });
  }
});

test('with nobody to confirm it takes five seconds of accusation', async () => {
  for (const seed of seeds) {
    await withBrokers(seed, async (brokers) => {
      brokers.crash(3);
      await brokers.untilDead(3);
      brokers.peer(2).process.pause();
      const afterMs = await brokers.untilDead(2);
      assert(afterMs > 5_000 && afterMs < 8_000, `seed ${seed}: ${afterMs} ms`);
    });
  }
});

test('whoever reaches the store lives, whatever the links between the brokers do', async () => {
  for (const seed of seeds) {
    await withBrokers(seed, async (brokers) => {
      for (let round = 0; round < 60; round += 1) {
        if (brokers.time.random.chance(0.3)) brokers.heal();
        for (const [a, b] of [[1, 2], [1, 3], [2, 3]] as const) if (brokers.time.random.chance(0.5)) brokers.cut(a, b); // prettier-ignore
        await brokers.pass(10_000);
      }
      assert.deepEqual([...brokers.deadAtMs], []);
      assert(
        brokers.refutations >= 10,
        `${brokers.accusations} accusations, ${brokers.refutations} refutations`,
      );
      // Nobody is accused all the time: 10, 20, 40, 60, 60 … seconds of peace after each refutation.
      assert(brokers.accusations < 120, `${brokers.accusations} accusations`);
    });
  }
});

test('brokers that change the state all the time leave an accused one its chance to refute', async () => {
  for (const seed of seeds) {
    await withBrokers(seed, async (brokers) => {
      const untilMs = brokers.time.nowMs + 30_000;
      const busy = [1, 2].map(async (id) => {
        const { client } = brokers.peer(id);
        let made = 0;
        for (; brokers.time.nowMs < untilMs; made += 1) {
          const set = { [`by-${id}`]: `${made}` };
          const outcome = await client.change((state) => setClusterConfigs(state, { set, remove: [] }));
          assert.equal(outcome.kind, 'applied');
        }
        return made;
      });
      brokers.cut(1, 3);
      brokers.cut(2, 3);
      const made = await Promise.all(busy);
      assert.deepEqual([...brokers.deadAtMs], [], `seed ${seed}`);
      assert(brokers.refutations > 0);
      assert(
        made.every((count) => count > 60),
        `${made.join(', ')} changes`,
      );
    });
  }
});

test('a broker cut off from the store alone is dead within ten seconds: others can serve what it cannot', async () => {
  for (const seed of seeds) {
    for (const mode of ['black-hole', 'unreachable'] as const) {
      await withBrokers(seed, async (brokers) => {
        brokers.cutFromStore(2, mode);
        const afterMs = await brokers.untilDead(2);
        assert(afterMs > 4_000 && afterMs < 10_000, `seed ${seed}: ${afterMs} ms`);
        assert(!brokers.deadAtMs.has(sid(1)) && !brokers.deadAtMs.has(sid(3)));
      });
    }
  }
});

test('an outage of the store for a while kills nobody, and nobody for whom it ends a little later than for others', async () => {
  for (const seed of seeds) {
    await withBrokers(seed, async (brokers) => {
      for (const id of [1, 2, 3]) brokers.cutFromStore(id, seed % 2 === 0 ? 'black-hole' : 'unreachable');
      await brokers.pass(brokers.time.random.between(2_000, 60_000));
      for (const id of [1, 2, 3]) {
        brokers.cutFromStore(id, undefined);
        await brokers.pass(brokers.time.random.between(0, 2_000));
      }
      await brokers.pass(60_000);
      assert.deepEqual([...brokers.deadAtMs], [], `seed ${seed}`);
    });
  }
});

test('a broker cut off from the store and from the others is dead', async () => {
  for (const mode of ['black-hole', 'unreachable'] as const) {
    await withBrokers(1, async (brokers) => {
      brokers.cutFromStore(2, mode);
      brokers.cut(1, 2);
      brokers.cut(2, 3);
      assert((await brokers.untilDead(2)) < 8_000);
      assert(!brokers.deadAtMs.has(sid(1)) && !brokers.deadAtMs.has(sid(3)));
    });
  }
});

test('an outage of the store kills nobody, though all links are down meanwhile', async () => {
  for (const seed of seeds) {
    await withBrokers(seed, async (brokers) => {
      for (const [a, b] of [[1, 2], [1, 3], [2, 3]] as const) brokers.cut(a, b); // prettier-ignore
      for (const id of [1, 2, 3]) brokers.cutFromStore(id, 'black-hole');
      await brokers.pass(60_000);
      for (const id of [1, 2, 3]) brokers.cutFromStore(id, undefined);
      await brokers.pass(60_000);
      assert.deepEqual([...brokers.deadAtMs], []);
      assert(brokers.accusations > 0);
    });
  }
});

test('a broker that was stopped for a while and is not dead yet refutes when it goes on', async () => {
  await withBrokers(1, async (brokers) => {
    brokers.cut(2, 3);
    brokers.crash(3);
    await brokers.untilDead(3);
    brokers.peer(2).process.pause(4_000);
    await brokers.pass(60_000);
    assert(!brokers.deadAtMs.has(sid(2)));
    assert(!brokers.deadAtMs.has(sid(1)));
  });
});
