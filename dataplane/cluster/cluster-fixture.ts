import assert from 'node:assert/strict';
import { registerBroker } from './broker-changes.ts';
import { ChangeRefused } from './change-refused.ts';
import type { RefusalReason } from './change-refused.ts';
import { stateProblem } from './cluster-invariants.ts';
import type { BrokerEntry, ClusterState } from './cluster-state.ts';
import { createTopic } from './topic-changes.ts';
import type { NewTopic } from './topic-changes.ts';

/** For tests: states, ids and answers of changes. */

/** A session id, topic id or nonce that says what it is: `hexId('5', 1)` is `5000…0001`. */
export function hexId(letter: string, number: number): string {
  return letter + number.toString(16).padStart(31, '0');
}

/** The state after a change that must not be refused. */
export function made(result: ClusterState | ChangeRefused): ClusterState {
  if (result instanceof ChangeRefused) assert.fail(`refused: ${result.reason}: ${result.message}`);
  assert.equal(stateProblem(result), undefined);
  return result;
}

export function assertRefused(
  result: ClusterState | ChangeRefused,
  reason: RefusalReason,
  message: RegExp = /./,
): void {
  assert(result instanceof ChangeRefused, `${reason} was expected, but the change was made`);
  assert.equal(result.reason, reason, result.message);
  assert.match(result.message, message);
}

export const noCluster: ClusterState = {
  version: 1,
  clusterId: 'test-cluster',
  formatVersion: 1,
  zones: [],
  brokers: new Map(),
  topics: new Map(),
  deletedTopics: new Map(),
  assignments: new Map(),
  suspicions: new Map(),
  placedBy: 'brokers',
  configs: {},
  applied: new Map(),
};

export function registered(state: ClusterState, id: number, zone: string, sid: string): ClusterState {
  return made(registerBroker(state, registrationOf(id, zone, sid)));
}

export function registrationOf(
  id: number,
  zone: string,
  sid: string,
): { id: number; sid: string } & Omit<BrokerEntry, 'state' | 'sid'> {
  return {
    id,
    sid,
    zone,
    address: `10.0.0.${id}:9093`,
    listeners: { internal: `broker-${id}:9092` },
    supportedFormat: { min: 1, max: 1 },
  };
}

/** Brokers 1, 2, … in these zones, with sessions `hexId('5', id)`. */
export function clusterOf(...zones: readonly string[]): ClusterState {
  return zones.reduce(
    (state, zone, index) => registered(state, index + 1, zone, hexId('5', index + 1)),
    noCluster,
  );
}

export function topicOf(name: string, number: number, more: Partial<NewTopic> = {}): NewTopic {
  return { name, topicId: hexId('a', number), partitions: 1, internal: false, configs: {}, ...more };
}

export function withTopic(
  state: ClusterState,
  name: string,
  number: number,
  more: Partial<NewTopic> = {},
): ClusterState {
  return made(createTopic(state, topicOf(name, number, more)));
}

/** `{ 'a…-0': '1@1' }`: the owner's broker id and generation by group, and `<2` when broker 2 hands over. */
export function ownersOf(state: ClusterState): Record<string, string> {
  return Object.fromEntries(
    Array.from(state.assignments, ([group, { broker, generation, from }]) => [
      group,
      `${broker}@${generation}${from === undefined ? '' : `<${from.broker}`}`,
    ]),
  );
}

export const homeZone = { 'table.placement.policy': 'HomeZone' };
