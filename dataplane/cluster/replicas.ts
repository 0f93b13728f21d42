import type { ClusterState, TopicEntry } from './cluster-state.ts';
import { leaderOf, liveBroker } from './ownership.ts';
import type { PartitionGroup } from './partition-groups.ts';

/** What clients are told of a partition's replicas, as broker ids. Nothing but the owner depends on it. */
export interface ReplicaLists {
  readonly replicas: readonly number[];
  /** Those of `replicas` that live: the object store has every record, so none can lack any. */
  readonly inSync: readonly number[];
  readonly offline: readonly number[];
}

/**
 * Records have no replicas but the object store; clients and tools expect some (log.md 2.11). So Metadata names as many
 * brokers as the topic was created with, at most those that live, owner first, chosen so that as many zones as possible
 * appear. A list that somebody asked for by a manual assignment or a reassignment is named as it is, for as long as the
 * owner is in it. While a group is handed over, the old owner is among them.
 */
export class Replicas {
  readonly #state: ClusterState;
  readonly #live: readonly { readonly id: number; readonly zone: string }[];
  /** Lists that are made up, by owner, number and where the round begins: many partitions have the same. */
  readonly #madeUp = new Map<string, readonly number[]>();

  constructor(state: ClusterState) {
    this.#state = state;
    this.#live = [...state.brokers]
      .filter(([, broker]) => broker.state !== 'dead')
      .map(([id, { zone }]) => ({ id, zone }))
      .toSorted((a, b) => a.id - b.id);
  }

  of(topic: TopicEntry, group: PartitionGroup): ReplicaLists {
    const assignment = this.#state.assignments.get(group.id);
    if (assignment === undefined) return { replicas: [], inSync: [], offline: [] };
    const owner = assignment.broker;
    const asked = topic.replicas?.get(group.index);
    const named = asked?.includes(owner) === true ? asked : this.#around(owner, topic, group.index);
    const leader = leaderOf(this.#state, group.id)?.broker ?? owner;
    const replicas = named.includes(leader) ? named : [...named, leader];
    if (replicas.every((id) => this.#lives(id))) return { replicas, inSync: replicas, offline: [] };
    return {
      replicas,
      inSync: replicas.filter((id) => this.#lives(id)),
      offline: replicas.filter((id) => !this.#lives(id)),
    };
  }

  #around(owner: number, { replicationFactor = 1 }: TopicEntry, index: number): readonly number[] {
    const others = this.#live.length - (this.#lives(owner) ? 1 : 0);
    const count = Math.min(replicationFactor - 1, others);
    if (count <= 0) return [owner];
    const start = index % this.#live.length;
    const key = `${owner}/${count}/${start}`;
    let list = this.#madeUp.get(key);
    if (list === undefined) this.#madeUp.set(key, (list = this.#makeUp(owner, count, start)));
    return list;
  }

  /** Goes round the brokers from `start` on, each time taking one from the zone that has the fewest so far. */
  #makeUp(owner: number, count: number, start: number): number[] {
    const list = [owner];
    const inZone = new Map<string | undefined, number>([[this.#state.brokers.get(owner)?.zone, 1]]);
    const rest = [...this.#live.slice(start), ...this.#live.slice(0, start)].filter(({ id }) => id !== owner);
    while (list.length <= count) {
      const fewest = Math.min(...rest.map(({ zone }) => inZone.get(zone) ?? 0));
      const at = rest.findIndex(({ zone }) => (inZone.get(zone) ?? 0) === fewest);
      for (const { id, zone } of rest.splice(at, 1)) {
        list.push(id);
        inZone.set(zone, fewest + 1);
      }
    }
    return list;
  }

  #lives(id: number): boolean {
    return liveBroker(this.#state, id) !== undefined;
  }
}

/** Computed once for each version of the state. */
export function replicasOf(state: ClusterState): Replicas {
  let replicas = known.get(state);
  if (replicas === undefined) known.set(state, (replicas = new Replicas(state)));
  return replicas;
}

const known = new WeakMap<ClusterState, Replicas>();
