import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  markDead,
  mintSid,
  raiseFormatVersion,
  registerBroker,
  setBrokerState,
  unregisterBroker,
} from './broker-changes.ts';
import {
  assertRefused,
  clusterOf,
  hexId,
  made,
  noCluster,
  ownersOf,
  registered,
  registrationOf,
  withTopic,
} from './cluster-fixture.ts';
import { isDeadSid, leaderOf } from './ownership.ts';
import { reassign } from './reassign.ts';
import { accuse } from './suspicion-changes.ts';

const sid = (id: number): string => hexId('5', id);
const group = (topic: number, index = 0): string => `${hexId('a', topic)}-${index}`;

test('a registration makes the broker alive and its zone known, in order of appearance', () => {
  const state = registered(registered(noCluster, 2, 'b', sid(2)), 1, 'a', sid(1));
  assert.deepEqual(state.zones, ['b', 'a']);
  assert.equal(state.brokers.get(1)?.state, 'alive');
  assert.equal(isDeadSid(state, sid(1)), false);
  assert.equal(isDeadSid(state, sid(3)), true);
});

test('a new session under an id kills the old one and gets its groups by takeover', () => {
  const before = withTopic(clusterOf('a', 'b'), 'orders', 1, { partitions: 2 });
  assert.deepEqual(ownersOf(before), { [group(1, 0)]: '1@1', [group(1, 1)]: '2@1' });
  const state = registered(before, 1, 'a', sid(9));
  assert.equal(isDeadSid(state, sid(1)), true);
  assert.deepEqual(ownersOf(state), { [group(1, 0)]: '1@2', [group(1, 1)]: '2@1' });
  assert.deepEqual(leaderOf(state, group(1, 0))?.sid, sid(9));
});

test('a hand-over from a session that is replaced becomes a takeover, one to it goes on', () => {
  let state = withTopic(clusterOf('a', 'a'), 'orders', 1, { partitions: 2 });
  state = made(
    reassign(state, [
      { topic: 'orders', partition: 0, to: 2 },
      { topic: 'orders', partition: 1, to: 1 },
    ]),
  );
  assert.deepEqual(ownersOf(state), { [group(1, 0)]: '2@2<1', [group(1, 1)]: '1@2<2' });
  state = registered(state, 1, 'a', sid(9));
  assert.deepEqual(ownersOf(state), { [group(1, 0)]: '2@2', [group(1, 1)]: '1@3<2' });
});

test('a registration is repeated without harm, and never revives a session', () => {
  const state = clusterOf('a', 'a');
  assert.equal(registerBroker(state, registrationOf(1, 'a', sid(1))), state);
  assertRefused(
    registerBroker(state, registrationOf(3, 'a', sid(1))),
    'SID_REUSED',
    /broker 1 has it already \(alive\)/,
  );
  const dead = made(setBrokerState(state, { id: 1, sid: sid(1), to: 'dead' }));
  assertRefused(registerBroker(dead, registrationOf(1, 'a', sid(1))), 'SID_REUSED', /\(dead\)/);
});

test('a broker that is cordoned is so in every later session', () => {
  let state = clusterOf('a', 'a');
  const brokers = new Map(state.brokers);
  brokers.set(1, { ...(brokers.get(1) ?? assert.fail()), cordoned: true });
  state = registered({ ...state, brokers }, 1, 'b', hexId('5', 8));
  assert.equal(state.brokers.get(1)?.cordoned, true);
  state = made(setBrokerState(state, { id: 1, sid: hexId('5', 8), to: 'dead' }));
  state = made(mintSid(state, { id: 1, deadSid: hexId('5', 8), newSid: hexId('5', 9) }));
  assert.equal(state.brokers.get(1)?.cordoned, true);
  assert.equal(state.brokers.get(2)?.cordoned, undefined);
});

test('what cannot be written down is not registered', () => {
  const good = registrationOf(1, 'a', sid(1));
  assertRefused(registerBroker(noCluster, { ...good, zone: '' }), 'INVALID_BROKER', /"" is no zone/);
  assertRefused(
    registerBroker(noCluster, { ...good, address: 'a b' }),
    'INVALID_BROKER',
    /"a b" is no address/,
  );
  assertRefused(registerBroker(noCluster, { ...good, id: -1 }), 'INVALID_BROKER');
});

test('a program that does not write the format of the cluster is not registered', () => {
  const supportedFormat = { min: 2, max: 3 };
  assertRefused(
    registerBroker(noCluster, { ...registrationOf(1, 'a', sid(1)), supportedFormat }),
    'FORMAT_NOT_SUPPORTED',
    /broker 1 writes format versions 2 to 3, not 1/,
  );
});

test('a process whose session died mints a new one, unless another process has the id', () => {
  const state = withTopic(clusterOf('a'), 'orders', 1);
  const mint = { id: 1, deadSid: sid(1), newSid: sid(8) };
  assertRefused(mintSid(state, mint), 'SESSION_ALIVE', /mark it dead first/);
  const dead = made(setBrokerState(state, { id: 1, sid: sid(1), to: 'dead' }));
  assert.equal(leaderOf(dead, group(1)), undefined);
  const minted = made(mintSid(dead, mint));
  assert.deepEqual(ownersOf(minted), { [group(1)]: '1@2' });
  assert.equal(minted.brokers.get(1)?.address, '10.0.0.1:9093');
  assert.equal(mintSid(minted, mint), minted);
  assertRefused(
    mintSid(registered(dead, 1, 'a', sid(7)), mint),
    'SESSION_REPLACED',
    /started later has taken its id/,
  );
});

test('a draining broker keeps its groups and gets none, and may change its mind', () => {
  let state = withTopic(clusterOf('a', 'a'), 'orders', 1, { partitions: 2 });
  state = made(setBrokerState(state, { id: 1, sid: sid(1), to: 'draining' }));
  state = withTopic(state, 'more', 2, { partitions: 2 });
  assert.deepEqual(Object.values(ownersOf(state)), ['1@1', '2@1', '2@1', '2@1']);
  state = made(setBrokerState(state, { id: 1, sid: sid(1), to: 'alive' }));
  assert.equal(state.brokers.get(1)?.state, 'alive');
  assert.equal(setBrokerState(state, { id: 1, sid: sid(1), to: 'alive' }), state);
  assertRefused(setBrokerState(state, { id: 1, sid: sid(2), to: 'alive' }), 'SESSION_REPLACED');
  assertRefused(setBrokerState(state, { id: 5, sid: sid(5), to: 'alive' }), 'UNKNOWN_BROKER');
  const dead = made(setBrokerState(state, { id: 1, sid: sid(1), to: 'dead' }));
  assertRefused(setBrokerState(dead, { id: 1, sid: sid(1), to: 'alive' }), 'SESSION_DEAD');
});

test('a verdict needs its accusation to stand still', () => {
  const nonce = hexId('c', 1);
  const state = withTopic(clusterOf('a', 'a'), 'orders', 1, { partitions: 2 });
  const by = { id: 2, sid: sid(2) };
  const verdict = { id: 1, sid: sid(1), by, evidence: { nonce } };
  assertRefused(markDead(state, verdict), 'REFUTED', /stands no more/);
  const accused = made(
    accuse(state, { accused: { id: 1, sid: sid(1) }, by, nonce, atMs: 0, refutations: 0 }),
  );
  const dead = made(markDead(accused, verdict));
  assert.deepEqual(ownersOf(dead), { [group(1, 0)]: '2@2', [group(1, 1)]: '2@1' });
  assert.equal(dead.suspicions.size, 0);
  assert.equal(markDead(dead, verdict), dead);
});

test('a process that is gone is dead without an accusation', () => {
  const by = { id: 2, sid: sid(2) };
  const dead = made(markDead(clusterOf('a', 'a'), { id: 1, sid: sid(1), by, evidence: 'gone' }));
  assert.equal(isDeadSid(dead, sid(1)), true);
});

test('a dead broker judges nobody, and nobody is judged for what its predecessor did', () => {
  const state = made(setBrokerState(clusterOf('a', 'a'), { id: 2, sid: sid(2), to: 'dead' }));
  const verdict = { id: 1, sid: sid(1), by: { id: 2, sid: sid(2) }, evidence: 'gone' as const };
  assertRefused(markDead(state, verdict), 'SESSION_DEAD');
  const restarted = registered(clusterOf('a', 'a'), 1, 'a', sid(9));
  assertRefused(markDead(restarted, verdict), 'SESSION_REPLACED');
});

test('accusations by and against a session go with it', () => {
  let state = clusterOf('a', 'a', 'a');
  const charge = (by: number, accused: number) => ({
    accused: { id: accused, sid: sid(accused) },
    by: { id: by, sid: sid(by) },
    nonce: hexId('c', by),
    atMs: 0,
    refutations: 0,
  });
  state = made(accuse(state, charge(1, 2)));
  state = made(accuse(state, charge(2, 1)));
  state = made(accuse(state, charge(3, 1)));
  state = made(setBrokerState(state, { id: 2, sid: sid(2), to: 'dead' }));
  assert.deepEqual([...state.suspicions.keys()], [1]);
  assert.deepEqual(
    state.suspicions.get(1)?.accusations.map(({ by }) => by),
    [3],
  );
  state = made(setBrokerState(state, { id: 3, sid: sid(3), to: 'dead' }));
  assert.equal(state.suspicions.size, 0);
});

test('only a dead broker without groups is removed', () => {
  let state = withTopic(clusterOf('a'), 'orders', 1);
  assertRefused(unregisterBroker(state, 1), 'BROKER_IN_USE', /it is alive/);
  state = made(setBrokerState(state, { id: 1, sid: sid(1), to: 'dead' }));
  assertRefused(unregisterBroker(state, 1), 'BROKER_IN_USE', /1 partition groups/);
  state = made(unregisterBroker(registered(state, 2, 'a', sid(2)), 1));
  assert.deepEqual([...state.brokers.keys()], [2]);
  assertRefused(unregisterBroker(state, 1), 'UNKNOWN_BROKER');
});

test('the format version rises by one, once every broker that is not dead writes it', () => {
  const newer = { ...registrationOf(1, 'a', sid(1)), supportedFormat: { min: 1, max: 2 } };
  let state = made(registerBroker(noCluster, newer));
  state = registered(state, 2, 'a', sid(2));
  assert.equal(raiseFormatVersion(state, 1), state);
  assertRefused(raiseFormatVersion(state, 3), 'FORMAT_NOT_SUPPORTED', /can only be raised to 2/);
  assertRefused(
    raiseFormatVersion(state, 2),
    'FORMAT_NOT_SUPPORTED',
    /broker 2 writes format versions 1 to 1/,
  );
  state = made(raiseFormatVersion(made(setBrokerState(state, { id: 2, sid: sid(2), to: 'dead' })), 2));
  assert.equal(state.formatVersion, 2);
  assertRefused(
    raiseFormatVersion(state, 1),
    'FORMAT_NOT_SUPPORTED',
    /can only be raised to 3, not set to 1/,
  );
  assertRefused(registerBroker(state, registrationOf(2, 'a', sid(3))), 'FORMAT_NOT_SUPPORTED');
});
