import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { crc32c } from '../store/crc32c.ts';
import { decodeClusterState, encodeClusterState } from './cluster-codec.ts';
import { setBrokerState } from './broker-changes.ts';
import { clusterOf, hexId, homeZone, made, withTopic } from './cluster-fixture.ts';
import type { ClusterState } from './cluster-state.ts';
import { ClusterError } from './errors.ts';
import { clearFrom, reassign } from './reassign.ts';
import { accuse } from './suspicion-changes.ts';
import { createTopic, deleteTopic, forgetGroups } from './topic-changes.ts';

const key = 'meta/cluster in memory:';

/** Something of everything. */
function richState(): ClusterState {
  let state = withTopic(clusterOf('a', 'b'), 'orders', 1, {
    partitions: 3,
    configs: { ...homeZone, 'retention.ms': '5' },
  });
  state = withTopic(state, 'old', 2, { partitions: 3 });
  state = withTopic(state, '__groups', 3, { internal: true });
  state = made(deleteTopic(state, 'old'));
  state = made(forgetGroups(state, [`${hexId('a', 2)}-1`]));
  const owner = state.assignments.get(`${hexId('a', 3)}-0`)?.broker;
  state = made(reassign(state, [{ topic: '__groups', partition: 0, to: owner === 1 ? 2 : 1 }]));
  const charge = { accused: { id: 2, sid: hexId('5', 2) }, by: { id: 1, sid: hexId('5', 1) } };
  state = made(accuse(state, { ...charge, nonce: hexId('c', 1), atMs: -5, refutations: 0 }));
  const brokers = new Map(state.brokers);
  brokers.set(1, { ...(brokers.get(1) ?? assert.fail()), cordoned: true });
  return {
    ...state,
    brokers,
    placedBy: 'operator',
    configs: { 'log.retention.hours': '1', text: '"\u2028\ud800' },
    applied: new Map([[hexId('5', 1), 7]]),
  };
}

/** The frame around any text, with right checksums. */
function framed(json: string, formatVersion = 1, encoding = 0, announced = Buffer.byteLength(json)): Buffer {
  const header = Buffer.alloc(20);
  header.write('FIRNCLST', 'latin1');
  header.writeUInt16BE(formatVersion, 8);
  header.writeUInt8(encoding, 10);
  header.writeUInt32BE(announced, 12);
  const payload = Buffer.from(json);
  header.writeUInt32BE(crc32c(payload, crc32c(header.subarray(0, 16))), 16);
  return Buffer.concat([header, payload]);
}

function jsonOf(state: ClusterState): Record<string, unknown> {
  const bytes = Buffer.from(encodeClusterState(state));
  assert.equal(bytes.readUInt8(10), 0, 'small states are plain JSON');
  return JSON.parse(bytes.subarray(20).toString()) as Record<string, unknown>;
}

function assertUnreadable(bytes: Uint8Array, message: RegExp): void {
  assert.throws(
    () => decodeClusterState(bytes, key),
    (error) => {
      assert(error instanceof ClusterError && error.code === 'UNREADABLE', String(error));
      assert(error.message.startsWith(key), error.message);
      assert.match(error.message, message);
      return true;
    },
  );
}

test('what is written is read back, small and plain or large and compressed', () => {
  const state = richState();
  assert.deepEqual(decodeClusterState(encodeClusterState(state), key), state);
  const large = withTopic(state, 'large', 9, { partitions: 2_000, internal: true });
  const bytes = encodeClusterState(large, state);
  assert.equal(bytes[10], 1);
  assert.deepEqual(decodeClusterState(bytes, key), large);
  assert.deepEqual(encodeClusterState(large), bytes);
});

test('the frozen bytes of version 1', () => {
  const state = withTopic(clusterOf('eu-1a'), 'orders', 1, { partitions: 2, configs: homeZone });
  const json =
    '{"version":1,"clusterId":"test-cluster","formatVersion":1,"zones":["eu-1a"],' +
    '"brokers":[{"id":1,"sid":"50000000000000000000000000000001","address":"10.0.0.1:9093","listeners":{"internal":"broker-1:9092"},' +
    '"zone":"eu-1a","state":"alive","supportedFormat":[1,1]}],' +
    '"topics":[{"name":"orders","topicId":"a0000000000000000000000000000001","partitions":2,"groups":[[0,2,1]],' +
    '"internal":false,"configs":{"table.placement.policy":"HomeZone"},"homeZone":"eu-1a","assignments":[[1,1],[1,1]]}],' +
    '"deletedTopics":[],"suspicions":[],"placedBy":"brokers","configs":{},' +
    '"applied":{"50000000000000000000000000000001":3}}';
  const applied = new Map([[hexId('5', 1), 3]]);
  assert.deepEqual(decodeClusterState(framed(json), key), { ...state, applied });
  assert.equal(
    Buffer.from(encodeClusterState({ ...state, applied }))
      .subarray(20)
      .toString(),
    json,
  );
});

test('what version N + 1 adds is kept through a change and written back', () => {
  const json: Record<string, unknown> = { ...jsonOf(richState()), formatVersion: 2, newThing: { a: [1] } };
  const [broker] = json['brokers'] as Record<string, unknown>[];
  const [topic] = json['topics'] as { assignments: unknown[][] }[];
  const [deleted] = json['deletedTopics'] as Record<string, unknown>[];
  const [suspicion] = json['suspicions'] as { accusations: Record<string, unknown>[] }[];
  assert(broker && topic && deleted && suspicion?.accusations[0]);
  broker['rack'] = 'r1';
  Object.assign(topic, { newOfTopic: 1 });
  topic.assignments[0]?.push(null, null, 1, { weight: 3 });
  topic.assignments[1]?.push(2, hexId('5', 2), 0, 'x');
  topic.assignments[1]?.splice(0, 1, 1);
  deleted['since'] = 5;
  Object.assign(suspicion, { newOfSuspicion: true });
  suspicion.accusations[0]['why'] = 'silent';
  const state = decodeClusterState(framed(JSON.stringify(json), 2), key);
  const changed = made(
    createTopic(state, { name: 'more', topicId: hexId('a', 8), partitions: 1, internal: false, configs: {} }),
  );
  const written = JSON.parse(
    Buffer.from(encodeClusterState(changed, state)).subarray(20).toString(),
  ) as typeof json;
  const topics = written['topics'] as unknown[];
  assert.deepEqual({ ...written, topics: topics.slice(0, -1) }, json);
});

test('a reassigned group keeps what version N + 1 wrote into its assignment', () => {
  const json = jsonOf(withTopic(clusterOf('a', 'a'), 'orders', 1));
  const [topic] = json['topics'] as { assignments: unknown[][] }[];
  topic?.assignments[0]?.push(null, null, 1, 'new');
  const state = decodeClusterState(framed(JSON.stringify(json)), key);
  const moved = made(reassign(state, [{ topic: 'orders', partition: 0, to: 2 }]));
  assert.deepEqual(jsonOf(moved)['topics'], [
    { ...topic, assignments: [[2, 2, 1, hexId('5', 1), 1, 'new']] },
  ]);
});

test('that a group has a manifest is written in few bytes, and never forgotten', () => {
  let state = withTopic(clusterOf('a', 'a'), 'orders', 1);
  const group = `${hexId('a', 1)}-0`;
  const assignments = (): unknown => (jsonOf(state)['topics'] as { assignments: unknown }[])[0]?.assignments;
  assert.deepEqual(assignments(), [[1, 1]]);
  const served = { broker: { id: 1, sid: hexId('5', 1) }, groups: [{ group, generation: 1 }] };
  state = made(clearFrom(state, served));
  assert.deepEqual(assignments(), [[1, 1, 1]]);
  assert.equal(clearFrom(state, served), state);
  state = made(reassign(state, [{ topic: 'orders', partition: 0, to: 2 }]));
  assert.deepEqual(assignments(), [[2, 2, 1, hexId('5', 1), 1]]);
  const decoded = decodeClusterState(framed(JSON.stringify(jsonOf(state))), key);
  assert.equal(decoded.assignments.get(group)?.hasManifest, true);
  state = made(setBrokerState(decoded, { id: 1, sid: hexId('5', 1), to: 'dead' }));
  assert.deepEqual(assignments(), [[2, 2, 1]]);
});

test('foreign, truncated and future objects are told apart', () => {
  const bytes = Buffer.from(encodeClusterState(richState()));
  assertUnreadable(Buffer.from('{"version":1}'), /something else has written it/);
  assertUnreadable(Buffer.alloc(0), /it ends after 0 bytes/);
  assertUnreadable(bytes.subarray(0, 19), /it ends after 19 bytes/);
  assertUnreadable(bytes.subarray(0, -1), /checksum does not match/);
  assertUnreadable(framed('{}', 3), /format version 3, this release of firn reads 1 to 2/);
  assertUnreadable(framed('{}', 1, 7), /encoding 7 is unknown/);
  assertUnreadable(framed('{}', 1, 0, 3), /has 2 bytes, 3 were announced/);
  assertUnreadable(framed('{}', 1, 1), /.*/);
  assertUnreadable(framed('{"version":'), /JSON/);
});

test('fields that are wrong are named', () => {
  const good = jsonOf(richState());
  const broken = (change: (json: ReturnType<typeof structuredClone<typeof good>>) => void): Buffer => {
    const json = structuredClone(good);
    change(json);
    return framed(JSON.stringify(json));
  };
  const first = (json: Record<string, unknown>, field: string): Record<string, unknown> =>
    (json[field] as Record<string, unknown>[])[0] ?? {};
  const cases: [RegExp, (json: Record<string, unknown>) => unknown][] = [
    [/version: 0 is no whole number/, (json) => (json['version'] = 0)],
    [/version: 9007199254740992 is no whole/, (json) => (json['version'] = 2 ** 53)],
    [/brokers: nothing is no list/, (json) => delete json['brokers']],
    [/brokers\[0\]\.sid: "x" is no text/, (json) => (first(json, 'brokers')['sid'] = 'x')],
    [/brokers\[0\]\.state: "well" is none of/, (json) => (first(json, 'brokers')['state'] = 'well')],
    [
      /brokers\[0\]\.supportedFormat: \[2,1\] is no range/,
      (json) => (first(json, 'brokers')['supportedFormat'] = [2, 1]),
    ],
    [/topics\[0\]\.configs\.x: 5 is no text/, (json) => (first(json, 'topics')['configs'] = { x: 5 })],
    [
      /topics\[0\]\.groups\[0\]\[2\]: 0 is no whole/,
      (json) => (first(json, 'topics')['groups'] = [[0, 3, 0]]),
    ],
    [
      /topics\[0\]\.assignments\[1\]\[1\]: "1" is no/,
      (json) =>
        (first(json, 'topics')['assignments'] = [
          [1, 1],
          [1, '1'],
          [1, 1],
        ]),
    ],
    [/there are 1, one for each of 3 groups/, (json) => (first(json, 'topics')['assignments'] = [[1, 1]])],
    [
      /partition group .*-0 of topic orders has no assignment/,
      (json) => (first(json, 'topics')['assignments'] = [null, [1, 1], [1, 1]]),
    ],
    [
      /assigned to broker 9, which does not exist/,
      (json) =>
        (first(json, 'topics')['assignments'] = [
          [9, 1],
          [1, 1],
          [1, 1],
        ]),
    ],
    [
      /handed over by session .* which is dead/,
      (json) =>
        (first(json, 'topics')['assignments'] = [
          [1, 1, 2, hexId('5', 9)],
          [1, 1],
          [1, 1],
        ]),
    ],
    [/cover 3 partitions, the topic has 4/, (json) => (first(json, 'topics')['partitions'] = 4)],
    [/home zone c, which zones does not name/, (json) => (first(json, 'topics')['homeZone'] = 'c')],
    [
      /brokers: 1 stands there twice/,
      (json) => (
        (first(json, 'brokers')['id'] = 2),
        (json['brokers'] as Record<string, unknown>[]).forEach((b) => (b['id'] = 1))
      ),
    ],
    [/formatVersion: 2 is not the 1 of the header/, (json) => (json['formatVersion'] = 2)],
    [/applied keeps session .*, which no broker has/, (json) => (json['applied'] = { [hexId('5', 9)]: 1 })],
    [/suspected as session .* which is dead/, (json) => (first(json, 'suspicions')['sid'] = hexId('5', 9))],
  ];
  for (const [message, change] of cases)
    assertUnreadable(
      broken((json) => void change(json)),
      message,
    );
});

test('no damage is read as another state', () => {
  const states = [richState(), withTopic(richState(), 'large', 9, { partitions: 2_000, internal: true })];
  const originals = states.map((state) => Buffer.from(encodeClusterState(state)));
  fc.assert(
    fc.property(
      fc.nat(1),
      fc.nat(),
      fc.integer({ min: 1, max: 255 }),
      fc.boolean(),
      (which, position, flip, cut) => {
        const original = originals[which] ?? Buffer.alloc(0);
        const at = position % original.byteLength;
        const bytes = cut ? original.subarray(0, at) : Buffer.from(original);
        if (!cut) bytes.writeUInt8(bytes.readUInt8(at) ^ flip, at);
        assertUnreadable(bytes, /./);
      },
    ),
    { numRuns: 500 },
  );
});

test('no JSON makes the decoder do anything but read or refuse', () => {
  const good = jsonOf(richState());
  const keys = Object.keys(good);
  fc.assert(
    fc.property(fc.constantFrom(...keys), fc.jsonValue(), (field, value) => {
      const bytes = framed(JSON.stringify({ ...good, [field]: value }));
      try {
        decodeClusterState(bytes, key);
      } catch (error) {
        assert(error instanceof ClusterError && error.code === 'UNREADABLE', String(error));
      }
    }),
    { numRuns: 500 },
  );
});

test('a state that contradicts itself is never written', () => {
  const state = richState();
  assert.throws(
    () => encodeClusterState({ ...state, zones: [] }),
    /would contradict itself: broker 1 is in zone a/,
  );
  assert.throws(() => encodeClusterState({ ...state, version: 0.5 }), /0.5 is no whole number/);
  assert.throws(() => encodeClusterState({ ...state, assignments: new Map() }), /has no assignment/);
});
