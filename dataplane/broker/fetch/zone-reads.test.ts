import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createTopics } from '../../protocol/api/create-topics.ts';
import { fetch } from '../../protocol/api/fetch.ts';
import type { FetchResponse } from '../../protocol/api/fetch.ts';
import { metadata } from '../../protocol/api/metadata.ts';
import { produce } from '../../protocol/api/produce.ts';
import { errorNameOf } from '../../protocol/error-code.ts';
import { buildBatch } from '../../protocol/record-batch-builder.ts';
import { VirtualRandom } from '../../runtime/virtual-random.ts';
import { VirtualTime } from '../../runtime/virtual-time.ts';
import { sleep } from '../../runtime/runtime.ts';
import { localLatencies } from '../../store/simulated/latency.ts';
import { SimulatedStore } from '../../store/simulated/simulated-store.ts';
import { BrokerNode } from '../sim/broker-node.ts';
import { SimulatedClient } from '../sim/simulated-client.ts';
import { SimulatedNetwork } from '../sim/simulated-network.ts';

type Answer = FetchResponse['responses'][number]['partitions'][number];

const topic = 'orders';
const zones = ['zone-0', 'zone-1', 'zone-2'];

/** Three brokers, 0 to 2, in zones of their own, with a topic of one partition. */
class ThreeZones {
  readonly time = new VirtualTime({ seed: 1 });
  readonly nodes: readonly BrokerNode[];
  readonly #network: SimulatedNetwork;
  leader = -1;
  leaderEpoch = -1;

  constructor() {
    const { time } = this;
    this.#network = new SimulatedNetwork(time.environment, new VirtualRandom(1, 'network'));
    const store = new SimulatedStore({ environment: time.environment, seed: 1, latencies: localLatencies });
    const world = { time, store, network: this.#network, attemptTimeoutMs: 400, options: { maxLingerMs: 5 } };
    const events = { exited: () => undefined, logged: () => undefined };
    this.nodes = zones.map((_, id) => new BrokerNode(world, id, events));
  }

  /** Each call is a client of its own unless one is given. */
  client(name = 'client'): SimulatedClient {
    return new SimulatedClient(name, {
      network: this.#network,
      world: this.time.environment,
      timeoutMs: 10_000,
      fail: (error) => {
        this.time.fail(error);
      },
    });
  }

  async begin(): Promise<void> {
    await this.sleep(2_000);
    const admin = this.client();
    const created = await admin.request('broker-0:9092', createTopics, 6, {
      topics: [{ name: topic, numPartitions: 1, replicationFactor: -1, assignments: [], configs: [] }],
      timeoutMs: 5_000,
    });
    assert.deepEqual([created.topics[0]?.errorCode, created.topics[0]?.replicationFactor], [0, 3]);
    await this.sleep(1_000);
    const { topics } = await admin.request('broker-0:9092', metadata, 9, { topics: [{ name: topic }] });
    const partition = topics[0]?.partitions[0] ?? assert.fail();
    assert.equal(new Set(partition.replicaNodes).size, 3);
    this.leader = partition.leaderId;
    this.leaderEpoch = partition.leaderEpoch;
  }

  async produce(value: string): Promise<void> {
    const timestampMs = this.time.environment.wallMs();
    const records = buildBatch({ records: [{ value, timestampMs }] });
    const { responses } = await this.client().request(`broker-${this.leader}:9092`, produce, 9, {
      transactionalId: null,
      acks: -1,
      timeoutMs: 5_000,
      topicData: [{ name: topic, partitionData: [{ index: 0, records }] }],
    });
    assert.equal(responses[0]?.partitionResponses[0]?.errorCode, 0);
  }

  async fetch(
    broker: number,
    asked: {
      readonly rackId?: string;
      readonly offset?: number;
      readonly version?: number;
      readonly epoch?: number;
      readonly waitMs?: number;
      readonly client?: SimulatedClient;
    } = {},
  ): Promise<Answer> {
    const { rackId = '', offset = 0, version = 12, epoch = -1, waitMs = 0 } = asked;
    const answer = await (asked.client ?? this.client()).request(
      `broker-${broker}:9092`,
      fetch,
      version,
      {
        maxWaitMs: waitMs,
        minBytes: 1,
        maxBytes: 1_000_000,
        topics: [
          {
            topic,
            partitions: [
              { partition: 0, currentLeaderEpoch: epoch, fetchOffset: offset, partitionMaxBytes: 100_000 },
            ],
          },
        ],
        ...(version >= 11 ? { rackId } : {}),
      },
      waitMs,
    );
    return answer.responses[0]?.partitions[0] ?? assert.fail();
  }

  sleep(ms: number): Promise<void> {
    return sleep(this.time.environment, ms);
  }
}

async function inThreeZones(work: (world: ThreeZones) => Promise<void>): Promise<void> {
  const world = new ThreeZones();
  await world.time.drive(async () => {
    await world.begin();
    await work(world);
  });
}

/** `NOT_LEADER_OR_FOLLOWER`; without an error where to read, or how many bytes there were. */
function outcome({ errorCode, preferredReadReplica, records }: Answer): string | number {
  if (errorCode !== 0) return errorNameOf(errorCode) ?? '';
  return preferredReadReplica >= 0 ? `go to ${preferredReadReplica}` : (records?.length ?? 0);
}

test('an owner sends consumers of other zones to the broker there, which serves what the owner does', async () => {
  await inThreeZones(async (world) => {
    await world.produce('one');
    const served = await world.fetch(world.leader);
    const bytes = served.records?.length ?? 0;
    assert(bytes > 0);
    for (const [broker, rackId] of zones.entries()) {
      const answer = await world.fetch(world.leader, { rackId });
      if (broker === world.leader) {
        assert.equal(outcome(answer), bytes);
        continue;
      }
      assert.equal(outcome(answer), `go to ${broker}`);
      assert.deepEqual([answer.highWatermark, answer.logStartOffset], [1, 0]);
      const there = await world.fetch(broker, { rackId });
      assert.deepEqual(there, served);
    }
  });
});

test('only those are sent away whose client knows of it, whose zone is known, and whose position is there', async () => {
  await inThreeZones(async (world) => {
    await world.produce('one');
    const { leader } = world;
    const other = (leader + 1) % 3;
    const rackId = `zone-${other}`;
    const said = world.client(`app,ws_az=${rackId}`);
    assert.equal(outcome(await world.fetch(leader, { client: said })), `go to ${other}`);
    assert.equal(outcome(await world.fetch(leader, { rackId, offset: 1 })), `go to ${other}`);
    assert.equal(outcome(await world.fetch(leader, { rackId, offset: 2 })), 'OFFSET_OUT_OF_RANGE');
    for (const served of [
      await world.fetch(leader, { client: said, version: 10 }),
      await world.fetch(leader, { rackId: 'nowhere' }),
      await world.fetch(leader),
    ])
      assert.equal(typeof outcome(served), 'number');
  });
});

test('one that comes back every time is served in the end', async () => {
  await inThreeZones(async (world) => {
    await world.produce('one');
    const other = (world.leader + 1) % 3;
    const client = world.client();
    const outcomes: (string | number)[] = [];
    for (let time = 0; time < 4; time++)
      outcomes.push(outcome(await world.fetch(world.leader, { rackId: `zone-${other}`, client })));
    const away = `go to ${other}`;
    assert.deepEqual(outcomes.slice(0, 3), [away, away, away]);
    assert.equal(typeof outcomes[3], 'number');
  });
});

test('who does not own a partition serves its own zone only, and by the rules of leader epochs', async () => {
  await inThreeZones(async (world) => {
    await world.produce('one');
    const { leader, leaderEpoch } = world;
    const other = (leader + 1) % 3;
    const rackId = `zone-${other}`;
    assert.equal(outcome(await world.fetch(other)), 'NOT_LEADER_OR_FOLLOWER');
    assert.equal(outcome(await world.fetch(other, { rackId: `zone-${leader}` })), 'NOT_LEADER_OR_FOLLOWER');
    assert.equal(
      outcome(await world.fetch(other, { client: world.client(`zone=${rackId}`), version: 10 })),
      'NOT_LEADER_OR_FOLLOWER',
    );
    assert.equal(typeof outcome(await world.fetch(other, { rackId, epoch: leaderEpoch })), 'number');
    assert.equal(
      outcome(await world.fetch(other, { rackId, epoch: leaderEpoch - 1 })),
      'FENCED_LEADER_EPOCH',
    );
    assert.equal(
      outcome(await world.fetch(other, { rackId, epoch: leaderEpoch + 1 })),
      'UNKNOWN_LEADER_EPOCH',
    );
  });
});

test('a consumer that waits where it was sent gets what comes; above the end there is nothing yet', async () => {
  await inThreeZones(async (world) => {
    await world.produce('one');
    const other = (world.leader + 1) % 3;
    const rackId = `zone-${other}`;
    assert.equal(outcome(await world.fetch(other, { rackId, offset: 1 })), 0);
    const waiting = world.fetch(other, { rackId, offset: 1, waitMs: 5_000 });
    await world.sleep(1_000);
    await world.produce('two');
    const came = await waiting;
    assert(Number(outcome(came)) > 0);
    assert.equal(came.highWatermark, 2);
    assert.equal(
      outcome(await world.fetch(other, { rackId, offset: 9, waitMs: 300 })),
      'OFFSET_NOT_AVAILABLE',
    );
    const early = world.fetch(other, { rackId, offset: 3, waitMs: 5_000 });
    await world.sleep(500);
    await world.produce('three');
    await world.produce('four');
    assert(Number(outcome(await early)) > 0);
  });
});
