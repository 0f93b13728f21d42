import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { ClusterMetadata, TopicMetadata } from '../../dataplane/client/kafka-client.ts';
import { clusterLines } from './cluster-lines.ts';
import type { ClusterSeen } from './cluster-seen.ts';
import { clusterStatus } from './cluster-status.ts';
import type { ClusterStatus } from './cluster-status.ts';

const zones: Readonly<Record<number, string>> = { 0: 'a', 1: 'a', 1000: 'b', 2000: 'c' };
const none: ReadonlySet<number> = new Set();

function brokers(...ids: readonly number[]): ClusterMetadata['brokers'] {
  return ids.map((id) => ({ id, host: '127.0.0.1', port: 9000 + id, rack: zones[id] ?? null }));
}

/** A topic whose partitions have these leaders. */
function topic(name: string, ...leaders: readonly (number | undefined)[]): TopicMetadata {
  const partitions = leaders.map((leader, partition) => ({
    partition,
    leader,
    leaderEpoch: 1,
    replicas: [0],
  }));
  return { name, topicId: name, isInternal: name.startsWith('__'), partitions };
}

function seen(given: Partial<ClusterSeen> & { readonly topics: readonly TopicMetadata[] }): ClusterSeen {
  const { topics, ...rest } = given;
  return {
    metadata: { clusterId: 'c', brokers: brokers(0, 1000, 2000), topics },
    dead: [],
    placements: new Map(),
    moving: [],
    answers: new Map([0, 1000, 2000].map((id) => [id, { cordoned: false, groups: 1 }])),
    ...rest,
  };
}

const table = (homeZone?: string): { isTable: true; homeZone: string | undefined } => ({
  isTable: true,
  homeZone,
});

describe('the status of a cluster', () => {
  test('counts what each broker and each zone leads, and the roles that follow from it', () => {
    const status = clusterStatus(
      seen({
        topics: [topic('__x', 0), topic('orders', 0, 1000, 1000), topic('plain', 2000)],
        placements: new Map([['orders', table()]]),
      }),
      none,
    );
    assert.deepEqual(
      status.brokers.map(({ id, state, partitionsLed, tableWorkers, tableCoordinators }) => [
        id,
        state,
        partitionsLed,
        tableWorkers,
        tableCoordinators,
      ]),
      [
        [0, 'alive', 2, 1, 1],
        [1000, 'alive', 2, 2, 0],
        [2000, 'alive', 1, 0, 0],
      ],
    );
    assert.deepEqual(status.zones, [
      { zone: 'a', brokers: 1, partitionsLed: 2 },
      { zone: 'b', brokers: 1, partitionsLed: 2 },
      { zone: 'c', brokers: 1, partitionsLed: 1 },
    ]);
    const { topics, internalTopics, partitions, groups } = status;
    assert.deepEqual([topics, internalTopics, partitions, groups], [2, 1, 5, 3]);
  });

  test('tells brokers that are gone, do not answer, drain or are cordoned from those that serve', () => {
    const status = clusterStatus(
      seen({
        metadata: { clusterId: 'c', brokers: brokers(0, 1, 1000), topics: [topic('t', 0)] },
        topics: [],
        dead: brokers(2000),
        answers: new Map([
          [0, { cordoned: true, groups: 0 }],
          [1, { cordoned: true, groups: 0 }],
        ]),
      }),
      new Set([1]),
    );
    assert.deepEqual(
      status.brokers.map(({ id, state, groups }) => [id, state, groups]),
      [
        [0, 'cordoned', 0],
        [1, 'draining', 0],
        [1000, 'unreachable', null],
        [2000, 'dead', null],
      ],
    );
    assert.deepEqual(
      status.zones.map(({ zone, brokers: count }) => [zone, count]),
      [
        ['a', 2],
        ['b', 1],
        ['c', 0],
      ],
    );
    assert.match(clusterLines(status), /\n\nbroker 0 is cordoned: .*\nbroker 1000 does not answer;.*\n$/);
  });

  test('partitions outside the home zone of their topic are abroad, and only those', () => {
    const status = clusterStatus(
      seen({
        topics: [topic('home', 1000, 0, undefined), topic('anywhere', 0, 2000)],
        placements: new Map([
          ['home', table('b')],
          ['anywhere', table()],
        ]),
      }),
      none,
    );
    assert.deepEqual(status.strays, [{ topic: 'home', partition: 1, broker: 0, zone: 'a', homeZone: 'b' }]);
    assert.deepEqual(status.leaderless, [{ topic: 'home', partition: 2 }]);
    assert.match(
      clusterLines(status),
      /\n\nhome-1 is abroad: broker 0 in zone a leads it, its home is zone b\nnobody leads home-2\n$/,
    );
  });

  test('moves are from who leads now to who will', () => {
    const status = clusterStatus(
      seen({
        topics: [topic('t', 0, undefined)],
        moving: [
          { topic: 't', partition: 0, to: 1000 },
          { topic: 't', partition: 1, to: 2000 },
        ],
      }),
      none,
    );
    assert.deepEqual(status.moving, [
      { topic: 't', partition: 0, from: 0, to: 1000 },
      { topic: 't', partition: 1, from: null, to: 2000 },
    ]);
  });
});

describe('the status for people', () => {
  const healthy = (over: Partial<ClusterStatus> = {}): ClusterStatus => ({
    ...clusterStatus(seen({ topics: [topic('t', 0)] }), none),
    ...over,
  });

  test('has columns for tables only where there are some, and ends after the tables when all is well', () => {
    const text = clusterLines(healthy());
    assert.match(text, /\nBROKER {2}STATE {2}ZONE {2}ADDRESS +PARTITIONS LED {2}GROUPS\n/);
    assert.match(text, /\n +1000 {2}alive {2}b +127\.0\.0\.1:10000 +0 +1\n/);
    assert.match(text, /\nc +1 +0\n$/);
    const withTables = clusterStatus(
      seen({ topics: [topic('t', 0)], placements: new Map([['t', table()]]) }),
      none,
    );
    assert.match(clusterLines(withTables), /GROUPS {2}TABLE WORKERS {2}TABLE COORDINATORS\n/);
  });

  test('lists the first of many and says how many more there are', () => {
    const leaderless = Array.from({ length: 25 }, (_, partition) => ({ topic: 't', partition }));
    const text = clusterLines(healthy({ leaderless }));
    assert.equal(text.match(/nobody leads/g)?.length, 20);
    assert.match(text, /nobody leads t-19\n… and 5 more partitions without a leader \(--json lists all\)\n$/);
  });
});
