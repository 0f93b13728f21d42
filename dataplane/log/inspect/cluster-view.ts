import { decodeClusterState } from '../../cluster/cluster-codec.ts';
import { clusterKey } from '../../cluster/cluster-state.ts';
import type { ClusterState } from '../../cluster/cluster-state.ts';
import { isDeadSid } from '../../cluster/ownership.ts';
import { groupOf, groupsOf } from '../../cluster/partition-groups.ts';
import type { PartitionGroup } from '../../cluster/partition-groups.ts';
import type { ObjectReader, Read } from './object-reader.ts';

/** What `meta/cluster` says of one partition group. */
export interface DeclaredGroup extends PartitionGroup {
  readonly topicId: string;
  readonly topicName: string;
  readonly isDeleted: boolean;
  /** Of its assignment; `undefined`: it has none any more (its topic is being forgotten). */
  readonly generation: number | undefined;
  readonly hasManifest: boolean;
}

/** `meta/cluster` as last read. Without one (missing, damaged) nothing is known: no session is live, no group declared. */
export class ClusterView {
  readonly #reader: ObjectReader;
  #state: ClusterState | undefined;
  #groups: ReadonlyMap<string, DeclaredGroup> = new Map();
  #topics: ReadonlyMap<string, ClusterState['topics'] extends ReadonlyMap<string, infer T> ? T : never> =
    new Map();

  constructor(reader: ObjectReader) {
    this.#reader = reader;
  }

  get state(): ClusterState | undefined {
    return this.#state;
  }

  /** By group id, in the order of topics and partitions. */
  get groups(): ReadonlyMap<string, DeclaredGroup> {
    return this.#groups;
  }

  /** Reads it anew. When that fails, what was known before stays. */
  async refresh(): Promise<Read<ClusterState>> {
    const found = await this.#reader.read(clusterKey, ({ bytes }) => decodeClusterState(bytes, clusterKey));
    if (found.kind !== 'found' || found.value.version === this.#state?.version) return found;
    const state = found.value;
    const groups = new Map<string, DeclaredGroup>();
    for (const [topicName, topic] of state.topics) {
      for (const group of groupsOf(topic)) {
        const { generation, hasManifest = false } = state.assignments.get(group.id) ?? {};
        groups.set(group.id, {
          ...group,
          topicId: topic.topicId,
          topicName,
          isDeleted: false,
          generation,
          hasManifest,
        });
      }
    }
    for (const topic of state.deletedTopics.values()) {
      for (const group of groupsOf(topic)) {
        const { generation, hasManifest = false } = state.assignments.get(group.id) ?? {};
        groups.set(group.id, {
          ...group,
          topicId: topic.topicId,
          topicName: topic.name,
          isDeleted: true,
          generation,
          hasManifest,
        });
      }
    }
    this.#state = state;
    this.#groups = groups;
    this.#topics = new Map([...state.topics.values()].map((topic) => [topic.topicId, topic]));
    return found;
  }

  /** Whether a session lives, by the dead-sid rule; `undefined`: that cannot be told. */
  isLive(sid: string): boolean | undefined {
    return this.#state === undefined ? undefined : !isDeadSid(this.#state, sid);
  }

  /** The group of a partition of a topic that exists. */
  groupOf(topicId: string, partition: number): DeclaredGroup | undefined {
    const topic = this.#topics.get(topicId);
    const group = topic === undefined ? undefined : groupOf(topic, partition);
    return group === undefined ? undefined : this.#groups.get(group.id);
  }
}
