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

interface LiveBroker {
  readonly id: number;
  readonly zone: string;
  readonly isDraining: boolean;
}

/**
 * Records have no replicas but the object store; clients and tools expect some (log.md 2.11). So Metadata names as many
 * brokers as the topic was created with, at most those that live, owner first, chosen so that as many zones as possible
 * appear. A list that somebody asked for by a manual assignment or a reassignment is named as it is, for as long as the
 * owner is in it. While a group is handed over, the old owner is among them.
 *
 * Consumers may read from any of them (`dataplane/broker/fetch/zone-reads.ts`). Lists that are made up follow from the
 * owner alone, by rendezvous hashing: what one broker has written, in objects that hold records of many topics, is read
 * by one broker of each other zone, and few lists change when a broker comes or goes.
 */
export class Replicas {
  readonly #state: ClusterState;
  readonly #live: readonly LiveBroker[];
  readonly #liveZones: ReadonlySet<string>;
  /** Lists that are made up, by owner and number. */
  readonly #madeUp = new Map<string, readonly number[]>();

  constructor(state: ClusterState) {
    this.#state = state;
    this.#live = [...state.brokers]
      .filter(([, broker]) => broker.state !== 'dead')
      .map(([id, { zone, state: phase }]) => ({ id, zone, isDraining: phase === 'draining' }));
    this.#liveZones = new Set(this.#live.map(({ zone }) => zone));
  }

  of(topic: TopicEntry, group: PartitionGroup): ReplicaLists {
    const assignment = this.#state.assignments.get(group.id);
    if (assignment === undefined) return { replicas: [], inSync: [], offline: [] };
    const owner = assignment.broker;
    const asked = topic.replicas?.get(group.index);
    const named = asked?.includes(owner) === true ? asked : this.#around(owner, topic);
    const leader = leaderOf(this.#state, group.id)?.broker ?? owner;
    const replicas = named.includes(leader) ? named : [...named, leader];
    if (replicas.every((id) => this.#lives(id))) return { replicas, inSync: replicas, offline: [] };
    return {
      replicas,
      inSync: replicas.filter((id) => this.#lives(id)),
      offline: replicas.filter((id) => !this.#lives(id)),
    };
  }

  /**
   * The one of a partition's replicas that consumers of a zone read from: its leader in the leader's zone, else the same
   * for all that its owner has, as far as their lists allow. `undefined`: there is none in that zone, or all are about to
   * leave.
   */
  inZone(topic: TopicEntry, group: PartitionGroup, zone: string): number | undefined {
    const owner = this.#state.assignments.get(group.id)?.broker;
    if (owner === undefined) return undefined;
    const leader = leaderOf(this.#state, group.id);
    if (leader?.entry.zone === zone) return leader.broker;
    let best: number | undefined;
    for (const id of this.of(topic, group).replicas) {
      const broker = this.#state.brokers.get(id);
      if (broker?.zone !== zone || broker.state !== 'alive') continue;
      // Who is taking it over will lead it in a moment.
      if (id === owner) return id;
      if (best === undefined || rendezvous(owner, id) > rendezvous(owner, best)) best = id;
    }
    return best;
  }

  /** How many zones have a live broker: as many replicas has a topic that was created with no number of its own. */
  get zoneCount(): number {
    return this.#liveZones.size;
  }

  #around(owner: number, { replicationFactor }: TopicEntry): readonly number[] {
    const others = this.#live.length - (this.#lives(owner) ? 1 : 0);
    const zone = this.#state.brokers.get(owner)?.zone ?? '';
    const otherZones = this.#liveZones.has(zone) ? this.zoneCount - 1 : this.zoneCount;
    const count = Math.min((replicationFactor ?? otherZones + 1) - 1, others);
    if (count <= 0) return [owner];
    const key = `${owner}/${count}`;
    let list = this.#madeUp.get(key);
    if (list === undefined) this.#madeUp.set(key, (list = this.#makeUp(owner, count)));
    return list;
  }

  /** Takes one broker after the other, each time from a zone that has the fewest so far. */
  #makeUp(owner: number, count: number): number[] {
    const list = [owner];
    const inZone = new Map<string | undefined, number>([[this.#state.brokers.get(owner)?.zone, 1]]);
    const rest = this.#live
      .filter(({ id }) => id !== owner)
      .toSorted(
        (a, b) =>
          Number(a.isDraining) - Number(b.isDraining) || rendezvous(owner, b.id) - rendezvous(owner, a.id),
      );
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

/** How much a broker is the one to read what `owner` writes. Every process that ever computes it gets the same. */
function rendezvous(owner: number, broker: number): number {
  return mixed(Math.imul(mixed(owner + 1), 0x9e37_79b1) ^ (broker + 1)) * 2 ** 21 + (broker % 2 ** 21);
}

/** The finalizer of MurmurHash3: every bit of the value moves every bit of the hash. */
function mixed(value: number): number {
  let hash = value | 0;
  hash = Math.imul(hash ^ (hash >>> 16), 0x85eb_ca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2_ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}

/** Computed once for each version of the state. */
export function replicasOf(state: ClusterState): Replicas {
  let replicas = known.get(state);
  if (replicas === undefined) known.set(state, (replicas = new Replicas(state)));
  return replicas;
}

const known = new WeakMap<ClusterState, Replicas>();
