import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { countPartitions, hasPartition } from '../topic-partitions.ts';
import type { TopicPartitions } from '../topic-partitions.ts';
import type { AssignmentSpec, Assignor, MemberSpec } from './assignor.ts';
import { assignRange } from './range-assignor.ts';
import { assignUniform } from './uniform-assignor.ts';

interface Topic {
  readonly partitions: number;
  readonly racks?: readonly string[];
}

function specOf(
  topics: Readonly<Record<string, Topic>>,
  members: Readonly<Record<string, Partial<MemberSpec> & { readonly topics: readonly string[] }>>,
): AssignmentSpec {
  return {
    members: new Map(
      Object.entries(members).map(([memberId, { topics: names, ...member }]) => [
        memberId,
        {
          instanceId: null,
          rackId: null,
          subscribedTopicIds: new Set(names),
          assigned: new Map(),
          ...member,
        },
      ]),
    ),
    partitionsOf: (topicId) => topics[topicId]?.partitions ?? 0,
    racksOf: (topicId, partition) => {
      const racks = topics[topicId]?.racks ?? [];
      const rack = racks[partition % Math.max(racks.length, 1)];
      return rack === undefined ? [] : [rack];
    },
  };
}

function shown(assignment: ReadonlyMap<string, TopicPartitions>): Record<string, string> {
  return Object.fromEntries(
    Array.from(assignment, ([memberId, topics]) => [
      memberId,
      Array.from(topics, ([topicId, partitions]) => `${topicId}:${[...partitions].join(',')}`)
        .sort()
        .join(' '),
    ]),
  );
}

/** Each partition of each subscribed topic belongs to exactly one of its subscribers. */
function assertComplete(spec: AssignmentSpec, assignment: ReadonlyMap<string, TopicPartitions>): void {
  const owners = new Map<string, string>();
  for (const [memberId, topics] of assignment) {
    for (const [topicId, partitions] of topics) {
      assert(
        spec.members.get(memberId)?.subscribedTopicIds.has(topicId),
        `${memberId} subscribes to ${topicId}`,
      );
      for (const partition of partitions) {
        assert(partition < spec.partitionsOf(topicId));
        assert(!owners.has(`${topicId}/${partition}`), `${topicId}/${partition} has one owner`);
        owners.set(`${topicId}/${partition}`, memberId);
      }
    }
  }
  const topicIds = new Set(
    [...spec.members.values()].flatMap(({ subscribedTopicIds }) => [...subscribedTopicIds]),
  );
  let total = 0;
  for (const topicId of topicIds) total += spec.partitionsOf(topicId);
  assert.equal(owners.size, total, 'every partition has an owner');
}

function loads(assignment: ReadonlyMap<string, TopicPartitions>): number[] {
  return Array.from(assignment.values(), countPartitions);
}

const topicNames = ['a', 'b', 'c', 'd'];
const topicsArbitrary = fc.record(
  Object.fromEntries(
    topicNames.map((name) => [
      name,
      fc.record({
        partitions: fc.integer({ min: 0, max: 12 }),
        racks: fc.array(fc.constantFrom('x', 'y'), { maxLength: 2 }),
      }),
    ]),
  ),
);
const rackArbitrary = fc.constantFrom(null, 'x', 'y', 'z');
const memberIdArbitrary = fc.uniqueArray(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 10 });
const anyAssigned = fc.dictionary(
  fc.constantFrom(...topicNames, 'gone'),
  fc.uniqueArray(fc.integer({ min: 0, max: 15 }), { maxLength: 6 }),
);

function assigned(topics: Readonly<Record<string, readonly number[]>>): TopicPartitions {
  return new Map(Object.entries(topics).map(([topicId, partitions]) => [topicId, new Set(partitions)]));
}

const subscriptionArbitrary = fc.uniqueArray(fc.constantFrom(...topicNames), { minLength: 0, maxLength: 4 });

/** Members with subscriptions of their own, racks, and an arbitrary former assignment, even a contradictory one. */
const specArbitrary = fc
  .tuple(topicsArbitrary, memberIdArbitrary, fc.boolean(), subscriptionArbitrary)
  .chain(([topics, ids, homogeneous, common]) =>
    fc.tuple(...ids.map(() => fc.tuple(subscriptionArbitrary, rackArbitrary, anyAssigned))).map((members) =>
      specOf(
        topics,
        Object.fromEntries(
          ids.map((id, i) => {
            const [own = [], rackId = null, before = {}] = members[i] ?? [];
            return [`m${id}`, { topics: homogeneous ? common : own, rackId, assigned: assigned(before) }];
          }),
        ),
      ),
    ),
  );

for (const [name, assign] of [
  ['range', assignRange],
  ['uniform', assignUniform],
] as const satisfies [string, Assignor][]) {
  test(`${name}: every partition goes to exactly one subscriber`, () => {
    fc.assert(
      fc.property(specArbitrary, (spec) => {
        assertComplete(spec, assign(spec));
      }),
      { numRuns: 500 },
    );
  });

  test(`${name}: what it has decided it decides again`, () => {
    fc.assert(
      fc.property(specArbitrary, (spec) => {
        const first = assign(spec);
        const again = assign(withAssigned(spec, first));
        assert.deepEqual(shown(again), shown(first));
      }),
      { numRuns: 500 },
    );
  });
}

function withAssigned(
  spec: AssignmentSpec,
  before: ReadonlyMap<string, TopicPartitions>,
  without?: string,
): AssignmentSpec {
  const members = new Map<string, MemberSpec>();
  for (const [memberId, member] of spec.members)
    if (memberId !== without)
      members.set(memberId, { ...member, assigned: before.get(memberId) ?? new Map<string, Set<number>>() });
  return { ...spec, members };
}

test('uniform: with equal subscriptions loads differ by one at most', () => {
  fc.assert(
    fc.property(specArbitrary, (spec) => {
      const subscriptions = new Set(
        [...spec.members.values()].map(({ subscribedTopicIds }) => [...subscribedTopicIds].sort().join()),
      );
      fc.pre(subscriptions.size === 1);
      const counts = loads(assignUniform(spec));
      assert(Math.max(...counts) - Math.min(...counts) <= 1, `loads ${counts}`);
    }),
    { numRuns: 500 },
  );
});

test('uniform: with different subscriptions no single move makes it more even', () => {
  fc.assert(
    fc.property(specArbitrary, (spec) => {
      const assignment = assignUniform(spec);
      for (const [from, topics] of assignment) {
        for (const topicId of topics.keys()) {
          for (const [to, { subscribedTopicIds }] of spec.members) {
            if (!subscribedTopicIds.has(topicId)) continue;
            const difference = countPartitions(topics) - countPartitions(assignment.get(to) ?? new Map());
            assert(difference < 2, `${topicId} could move from ${from} to ${to}`);
          }
        }
      }
    }),
    { numRuns: 500 },
  );
});

test('uniform: when a member leaves, the others keep all they have (equal subscriptions)', () => {
  fc.assert(
    fc.property(topicsArbitrary, memberIdArbitrary, fc.nat(), (topics, ids, pick) => {
      const spec = specOf(topics, Object.fromEntries(ids.map((id) => [`m${id}`, { topics: topicNames }])));
      const first = assignUniform(spec);
      const left = `m${ids[pick % ids.length]}`;
      fc.pre(ids.length > 1);
      const second = assignUniform(withAssigned(spec, first, left));
      for (const [memberId, partitionsBefore] of first) {
        if (memberId === left) continue;
        for (const [topicId, partitions] of partitionsBefore)
          for (const partition of partitions)
            assert(
              hasPartition(second.get(memberId) ?? new Map(), topicId, partition),
              `${memberId} keeps ${topicId}/${partition}`,
            );
      }
    }),
    { numRuns: 300 },
  );
});

test('uniform: when a member joins, only as much moves as it gets', () => {
  fc.assert(
    fc.property(topicsArbitrary, memberIdArbitrary, (topics, ids) => {
      const spec = specOf(topics, Object.fromEntries(ids.map((id) => [`m${id}`, { topics: topicNames }])));
      const first = assignUniform(spec);
      const larger = withAssigned(
        specOf(
          topics,
          Object.fromEntries(['new', ...ids.map((id) => `m${id}`)].map((id) => [id, { topics: topicNames }])),
        ),
        first,
      );
      const second = assignUniform(larger);
      let moved = 0;
      for (const [memberId, before] of first)
        for (const [topicId, partitions] of before)
          for (const partition of partitions)
            if (!hasPartition(second.get(memberId) ?? new Map(), topicId, partition)) moved++;
      assert.equal(moved, countPartitions(second.get('new') ?? new Map()));
    }),
    { numRuns: 300 },
  );
});

test('uniform: partitions go to members of their rack where that costs no evenness', () => {
  const assignment = assignUniform(
    specOf(
      { t: { partitions: 6, racks: ['x', 'y', 'z'] } },
      {
        m1: { topics: ['t'], rackId: 'x' },
        m2: { topics: ['t'], rackId: 'y' },
        m3: { topics: ['t'], rackId: 'z' },
      },
    ),
  );
  assert.deepEqual(shown(assignment), { m1: 't:0,3', m2: 't:1,4', m3: 't:2,5' });
  const oneRack = assignUniform(
    specOf(
      { t: { partitions: 4, racks: ['x'] } },
      { m1: { topics: ['t'], rackId: 'x' }, m2: { topics: ['t'], rackId: 'y' } },
    ),
  );
  assert.deepEqual(loads(oneRack), [2, 2]);
});

test('range: equal topics are cut alike, static members are ordered by instance id', () => {
  const assignment = assignRange(
    specOf(
      { t: { partitions: 5 }, u: { partitions: 5 }, v: { partitions: 1 } },
      {
        m1: { topics: ['t', 'u', 'v'] },
        m2: { topics: ['t', 'u'], instanceId: 'i-2' },
        m3: { topics: ['t', 'u'], instanceId: 'i-1' },
      },
    ),
  );
  assert.deepEqual(shown(assignment), { m1: 't:4 u:4 v:0', m2: 't:2,3 u:2,3', m3: 't:0,1 u:0,1' });
});
