import assert from 'node:assert/strict';
import { test } from 'node:test';
import { findCoordinator } from '../../protocol/api/find-coordinator.ts';
import { offsetCommit } from '../../protocol/api/offset-commit.ts';
import { offsetFetch } from '../../protocol/api/offset-fetch.ts';
import { createTopic } from '../../cluster/topic-changes.ts';
import { setBrokerState } from '../../cluster/broker-changes.ts';
import { BrokerLog } from '../../log/broker-log.ts';
import { VirtualTime } from '../../runtime/virtual-time.ts';
import type { SimulatedProcess } from '../../runtime/simulated-process.ts';
import { localLatencies } from '../../store/simulated/latency.ts';
import { SimulatedStore } from '../../store/simulated/simulated-store.ts';
import { createInternalTopic } from '../internal-topic.ts';
import { BrokerLogCoordinatorLog } from './broker-log-coordinator-log.ts';
import { ClusterCoordinatorDirectory, topicsViewOf } from './cluster-coordinator-directory.ts';
import { GroupCoordinator } from './group-coordinator.ts';
import { offsetsTopic } from './coordinator-log.ts';
import { callApi } from './group-fixture.ts';
import { groupHandlers } from './handlers.ts';
import { toBatch } from './snapshot.ts';

interface Node {
  readonly process: SimulatedProcess;
  readonly log: BrokerLog;
  readonly coordinator: GroupCoordinator;
  readonly handlers: ReturnType<typeof groupHandlers>;
}

function startNode(time: VirtualTime, store: SimulatedStore, id: number): Node {
  const process = time.process(`broker-${id}`);
  const log = new BrokerLog({
    store: store.connect(process, { attemptTimeoutMs: 200 }),
    runtime: process.runtime,
    identity: {
      id,
      zone: 'a',
      address: `b${id}:1`,
      listeners: { PLAINTEXT: `b${id}:9092` },
      podUid: 'pod',
      version: 'test',
    },
    options: { hedgeShare: 0, housekeepingIntervalMs: 1_000 },
    pollMs: 200,
    onProblem: () => undefined,
    onReplaced: () => undefined,
  });
  const coordinator = new GroupCoordinator({
    log: new BrokerLogCoordinatorLog(log),
    runtime: process.runtime,
    onProblem: () => undefined,
  });
  log.cluster.subscribe((state) => {
    coordinator.topicsChanged(topicsViewOf(state));
  });
  coordinator.start();
  const handlers = groupHandlers({
    coordinator,
    directory: new ClusterCoordinatorDirectory({
      cluster: log.cluster,
      runtime: process.runtime,
      partitions: 3,
    }),
    onProblem: () => undefined,
  });
  return { process, log, coordinator, handlers };
}

async function coordinatorOf(asked: Node, nodes: readonly Node[]): Promise<Node | undefined> {
  const answer = await callApi(findCoordinator, asked.handlers.findCoordinator, {
    keyType: 0,
    coordinatorKeys: ['group'],
  });
  return nodes[(answer.coordinators[0]?.nodeId ?? 0) - 1];
}

async function commit(node: Node, offset: number): Promise<number | undefined> {
  const answer = await callApi(
    offsetCommit,
    node.handlers.offsetCommit,
    {
      groupId: 'group',
      memberId: '',
      topics: [
        { name: 't', partitions: [{ partitionIndex: 0, committedOffset: offset, committedMetadata: 'm' }] },
      ],
    },
    { version: 9 },
  );
  return answer.topics[0]?.partitions[0]?.errorCode;
}

async function fetched(node: Node): Promise<number | string> {
  const answer = await callApi(
    offsetFetch,
    node.handlers.offsetFetch,
    { groups: [{ groupId: 'group', topics: [{ name: 't', partitionIndexes: [0] }] }] },
    { version: 9 },
  );
  const [group] = answer.groups;
  if (group?.errorCode !== 0) return `error ${group?.errorCode}`;
  return group.topics[0]?.partitions[0]?.committedOffset ?? 'none';
}

test('over the log on an object store: the topic is created, offsets outlive crash and hand-over of the coordinator', async () => {
  const time = new VirtualTime({ seed: 7 });
  const store = new SimulatedStore({ environment: time.environment, latencies: localLatencies });
  const nodes = [startNode(time, store, 1), startNode(time, store, 2)];
  const [one] = nodes;
  assert(one);
  const until = async <T>(what: () => Promise<T>, isIt: (value: T) => boolean): Promise<T> => {
    for (let i = 0; i < 500; i++) {
      const value = await what();
      if (isIt(value)) return value;
      await new Promise<void>((resolve) => time.environment.after(50, resolve));
    }
    throw new Error('it never came to that');
  };
  await time.drive(async () => {
    for (const { log } of nodes) await log.start();
    await one.log.cluster.change((state) =>
      createTopic(state, { name: 't', topicId: 'a'.repeat(32), partitions: 1, internal: false, configs: {} }),
    );
    const first = await until(
      () => coordinatorOf(one, nodes),
      (node) => node !== undefined,
    );
    assert(first);
    await until(
      () => commit(first, 1),
      (code) => code === 0,
    );
    assert.equal(await fetched(first), 1);
    assert.equal(await commit(first, 2), 0);

    // A crash that the other one notices.
    first.process.kill();
    const second = nodes.find((node) => node !== first);
    assert(second);
    const { sid } = first.log;
    assert(sid);
    const id = nodes.indexOf(first) + 1;
    await second.log.cluster.change((state) => setBrokerState(state, { id, sid, to: 'dead' }));
    assert.equal(
      await until(
        () => fetched(second),
        (value) => typeof value === 'number',
      ),
      2,
    );
    assert.equal(await commit(second, 3), 0);

    // And a hand-over to a new one.
    const third = startNode(time, store, 3);
    await third.log.start();
    const drained = second.log.drain();
    assert.equal(
      await until(
        () => fetched(third),
        (value) => typeof value === 'number',
      ),
      3,
    );
    await drained;
    third.coordinator.stop();
    second.coordinator.stop();
    await third.log.stop();
  });
});

test('the state of one group may be larger than what clients may send in one batch', async () => {
  const time = new VirtualTime({ seed: 7 });
  const store = new SimulatedStore({ environment: time.environment, latencies: localLatencies });
  const node = startNode(time, store, 1);
  await time.drive(async () => {
    await node.log.start();
    await createInternalTopic(node.log.cluster, node.process.runtime.random, {
      name: offsetsTopic,
      partitions: 1,
      configs: {},
    });
    const log = new BrokerLogCoordinatorLog(node.log);
    const { promise, resolve } = Promise.withResolvers<number>();
    const cancel = log.subscribe({ serving: resolve, lost: () => undefined });
    const partition = await promise;
    const key = Buffer.from('key');
    await log.append(partition, toBatch([{ key, value: Buffer.alloc(3_000_000) }], 0));
    await assert.rejects(log.append(partition, toBatch([{ key, value: Buffer.alloc(70_000_000) }], 0)), {
      name: 'LogError',
      code: 'MESSAGE_TOO_LARGE',
    });
    cancel();
    node.coordinator.stop();
    await node.log.stop();
  });
});
