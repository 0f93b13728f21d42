import assert from 'node:assert/strict';
import { test } from 'node:test';
import { sleep } from '../runtime/runtime.ts';
import { inBackground } from '../runtime/in-background.ts';
import { VirtualTime } from '../runtime/virtual-time.ts';
import { localLatencies } from '../store/simulated/latency.ts';
import { SimulatedStore } from '../store/simulated/simulated-store.ts';
import { setBrokerConfigs } from './broker-config-changes.ts';
import { registerBroker, setBrokerState } from './broker-changes.ts';
import type { Change } from './change-batch.ts';
import { setClusterConfigs } from './cluster-config-changes.ts';
import { ClusterClient } from './cluster-client.ts';
import { hexId, homeZone, made, registrationOf, topicOf } from './cluster-fixture.ts';
import type { ClusterState } from './cluster-state.ts';
import type { GroupLoads } from './group-loads.ts';
import { noLoads } from './group-loads.ts';
import { handingOver } from './ownership.ts';
import { groupsOf } from './partition-groups.ts';
import { PlacementWork } from './placement-work.ts';
import type { PlacementPlan } from './plan-placement.ts';
import { clearFrom } from './reassign.ts';
import { createTopic } from './topic-changes.ts';

interface Node {
  readonly id: number;
  readonly client: ClusterClient;
  readonly work: PlacementWork;
  readonly plans: PlacementPlan[];
  /** What its log does: whoever a group goes to serves it after this time. `undefined`: it never does. */
  servesAfterMs: number | undefined;
}

class World {
  readonly time = new VirtualTime({ seed: 1 });
  readonly server = new SimulatedStore({ environment: this.time.environment, latencies: localLatencies });
  readonly problems: unknown[] = [];
  readonly nodes: Node[] = [];
  loads: () => Promise<GroupLoads> = () => Promise.resolve(noLoads);
  /** The most hand-overs that were under way at a time. */
  mostUnderWay = 0;
  #incarnations = 0;

  async join(id: number, zone: string): Promise<Node> {
    const process = this.time.process(`broker-${id}-${(this.#incarnations += 1)}`);
    const { runtime } = process;
    const sid = hexId('5', 100 * id + this.#incarnations);
    const client = new ClusterClient({ store: this.server.connect(process), runtime, sid });
    inBackground(client.run());
    await client.change((state) => registerBroker(state, registrationOf(id, zone, sid)), { newSession: sid });
    const plans: PlacementPlan[] = [];
    const work = new PlacementWork({
      client,
      runtime,
      id,
      loads: () => this.loads(),
      onPlan: (plan) => plans.push(plan),
      onProblem: (_what, error) => this.problems.push(error),
    });
    const node: Node = { id, client, work, plans, servesAfterMs: 50 };
    this.nodes.push(node);
    client.subscribe((state) => {
      this.#watch(state);
      inBackground(this.#serve(node, state));
    });
    inBackground(work.run());
    return node;
  }

  async #serve({ id, client, servesAfterMs }: Node, state: ClusterState): Promise<void> {
    const groups = [...state.assignments]
      .filter(([, assignment]) => assignment.broker === id && handingOver(state, assignment) !== undefined)
      .map(([group, { generation }]) => ({ group, generation }));
    if (groups.length === 0 || servesAfterMs === undefined) return;
    await sleep(this.time.environment, servesAfterMs);
    await client
      .change((now) => clearFrom(now, { broker: { id, sid: client.sid }, groups }))
      .catch(() => undefined);
  }

  #watch(state: ClusterState): void {
    const underWay = [...state.assignments.values()].filter(({ from }) => from !== undefined).length;
    this.mostUnderWay = Math.max(this.mostUnderWay, underWay);
  }

  async change({ client }: Node, change: Change): Promise<ClusterState> {
    const outcome = await client.change(change);
    return made(outcome.kind === 'refused' ? outcome.refused : outcome.state);
  }

  /** As a process that is killed and found dead. */
  async die(node: Node, by: Node): Promise<void> {
    await node.work.stop();
    await node.client.stop();
    await this.change(by, (state) =>
      setBrokerState(state, { id: node.id, sid: node.client.sid, to: 'dead' }),
    );
  }

  async wait(seconds: number): Promise<void> {
    await sleep(this.time.environment, seconds * 1_000);
  }

  async stop(): Promise<void> {
    for (const { work, client } of this.nodes) {
      await work.stop();
      await client.stop();
    }
  }
}

async function inWorld(play: (world: World) => Promise<void>): Promise<void> {
  const world = new World();
  await world.time.drive(async () => {
    await play(world);
    await world.stop();
  });
  assert.deepEqual(world.problems, []);
}

function groupsAt({ client }: Node, topic: string): number[] {
  const state = client.current ?? assert.fail();
  return groupsOf(state.topics.get(topic) ?? assert.fail()).map(
    ({ id }) => state.assignments.get(id)?.broker ?? -1,
  );
}

function countAt(node: Node, id: number): number {
  return [...(node.client.current?.assignments.values() ?? [])].filter(({ broker }) => broker === id).length;
}

function reasons({ plans }: Node): Set<string> {
  return new Set(plans.flatMap(({ moves }) => moves.map(({ reason }) => reason)));
}

const inZone = (zone: string) => ({ ...homeZone, 'table.placement.zone': zone });

test('a topic returns home when its zone has had a broker for 30 seconds, a few groups at a time', async () => {
  await inWorld(async (world) => {
    const [one, two] = [await world.join(1, 'a'), await world.join(2, 'b')];
    await world.change(one, (state) =>
      createTopic(state, topicOf('table', 1, { partitions: 30, configs: inZone('b') })),
    );
    await world.die(two, one);
    await world.wait(60);
    assert.deepEqual(new Set(groupsAt(one, 'table')), new Set([1]));
    await world.join(3, 'b');
    await world.wait(28);
    assert.deepEqual(new Set(groupsAt(one, 'table')), new Set([1]));
    await world.wait(40);
    assert.deepEqual(new Set(groupsAt(one, 'table')), new Set([3]));
    assert.deepEqual(reasons(one), new Set(['home']));
    assert(world.mostUnderWay <= 10, `${world.mostUnderWay} at a time`);
  });
});

test('a cordoned broker is emptied, also the one that does it', async () => {
  await inWorld(async (world) => {
    const [one, two] = [await world.join(1, 'a'), await world.join(2, 'a')];
    await world.change(two, (state) => createTopic(state, topicOf('orders', 1, { partitions: 40 })));
    assert.equal(countAt(two, 1), 20);
    await world.change(two, (state) =>
      setBrokerConfigs(state, { id: 1, set: { 'firn.placement.cordoned': 'true' }, remove: [] }),
    );
    await world.wait(30);
    assert.equal(countAt(two, 1), 0);
    assert.deepEqual(reasons(one), new Set(['cordoned']));
    await world.change(two, (state) =>
      setBrokerConfigs(state, { id: 1, set: {}, remove: ['firn.placement.cordoned'] }),
    );
    await world.wait(90);
    assert(countAt(two, 1) >= 18, `${countAt(two, 1)} of 40`);
  });
});

test('a broker that joins gets its share, once it has stayed', async () => {
  await inWorld(async (world) => {
    const one = await world.join(1, 'a');
    await world.change(one, (state) => createTopic(state, topicOf('orders', 1, { partitions: 40 })));
    await world.join(2, 'b');
    await world.wait(28);
    assert.equal(countAt(one, 2), 0);
    await world.wait(60);
    assert(countAt(one, 2) >= 18 && countAt(one, 2) <= 22, `${countAt(one, 2)} of 40`);
    assert.equal(world.nodes[1]?.plans.length, 0, 'only one of them does it');
  });
});

test('hand-overs that never end hold up nothing for ever, and their groups are left alone', async () => {
  await inWorld(async (world) => {
    const one = await world.join(1, 'a');
    await world.change(one, (state) => createTopic(state, topicOf('orders', 1, { partitions: 60 })));
    const two = await world.join(2, 'a');
    two.servesAfterMs = undefined;
    await world.wait(60);
    assert.equal(world.mostUnderWay, 10);
    const first = [...(one.client.current?.assignments ?? [])].filter(([, { broker }]) => broker === 2);
    assert.equal(first.length, 10);
    await world.wait(90);
    assert(world.mostUnderWay > 10);
    for (const [group, assignment] of first)
      assert.equal(one.client.current?.assignments.get(group), assignment);
  });
});

test('where the operator places, brokers bring nothing home for five minutes, and even nothing out', async () => {
  await inWorld(async (world) => {
    const [one, two] = [await world.join(1, 'a'), await world.join(2, 'b')];
    await world.change(one, (state) =>
      createTopic(state, topicOf('table', 1, { partitions: 4, configs: inZone('b') })),
    );
    await world.change(one, (state) => createTopic(state, topicOf('spread', 2, { partitions: 8 })));
    await world.change(one, (state) =>
      setClusterConfigs(state, { set: { 'firn.placement.by': 'operator' }, remove: [] }),
    );
    await world.die(two, one);
    await world.wait(10);
    await world.join(3, 'b');
    await world.wait(280);
    assert.equal(countAt(one, 1), 12);
    await world.wait(60);
    assert.deepEqual(new Set(groupsAt(one, 'table')), new Set([3]));
    assert.deepEqual(new Set(groupsAt(one, 'spread')), new Set([1]));
  });
});

test('a zone without a broker is lost after the time that the cluster says', async () => {
  await inWorld(async (world) => {
    const [one, two] = [await world.join(1, 'a'), await world.join(2, 'b')];
    await world.change(one, (state) => createTopic(state, topicOf('table', 1, { configs: inZone('b') })));
    await world.change(one, (state) =>
      setClusterConfigs(state, { set: { 'firn.zone.lost.after.ms': '120000' }, remove: [] }),
    );
    await world.die(two, one);
    const home = (): string | undefined => one.client.current?.topics.get('table')?.homeZone;
    await world.wait(110);
    assert.equal(home(), 'b');
    await world.wait(30);
    assert.equal(home(), 'a');
    await world.join(3, 'b');
    await world.wait(60);
    assert.deepEqual(groupsAt(one, 'table'), [1]);
  });
});

test('two that act at once, each by what it knew, move nothing that the other has moved, nor too much', async () => {
  await inWorld(async (world) => {
    const one = await world.join(1, 'a');
    await world.change(one, (state) => createTopic(state, topicOf('orders', 1, { partitions: 60 })));
    const two = await world.join(2, 'a');
    await world.wait(20);
    // Another process believes that it is broker 1, and acts as it does.
    const { runtime } = world.time.process('double');
    const double = new PlacementWork({
      client: one.client,
      runtime,
      id: 1,
      loads: () => world.loads(),
      intervalMs: 400,
      onPlan: (plan) => one.plans.push(plan),
      onProblem: (_what, error) => world.problems.push(error),
    });
    inBackground(double.run());
    await world.wait(120);
    await double.stop();
    assert(world.mostUnderWay <= 10, `${world.mostUnderWay} at a time`);
    const moved = one.plans.flatMap(({ moves }) => moves.map(({ group }) => group));
    assert.equal(new Set(moved).size, moved.length);
    assert(countAt(two, 2) >= 27 && countAt(two, 2) <= 33, `${countAt(two, 2)} of 60`);
  });
});

test('while the loads cannot be learnt the rules are kept, and nothing is evened out', async () => {
  const world = new World();
  await world.time.drive(async () => {
    world.loads = () => Promise.reject(new Error('nobody answers'));
    const [one, two] = [await world.join(1, 'a'), await world.join(2, 'b')];
    await world.change(one, (state) => createTopic(state, topicOf('orders', 1, { partitions: 10 })));
    await world.change(one, (state) =>
      setBrokerConfigs(state, { id: 2, set: { 'firn.placement.cordoned': 'true' }, remove: [] }),
    );
    await world.wait(60);
    assert.equal(countAt(one, 2), 0);
    await world.change(one, (state) =>
      setBrokerConfigs(state, { id: 2, set: {}, remove: ['firn.placement.cordoned'] }),
    );
    await world.wait(90);
    assert.equal(countAt(two, 2), 0);
    assert(world.problems.length > 0);
    await world.stop();
  });
});
