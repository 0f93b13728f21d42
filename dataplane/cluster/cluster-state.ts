/**
 * What the object `meta/cluster` says, as values that are never changed in place. The bytes are `cluster-codec.ts`, the
 * changes `*-changes.ts`, the compare-and-swap around them `cluster-client.ts`.
 *
 * Every `extra` holds what a newer format version put there and this code does not know: it is kept by every change and
 * written back.
 */
export interface ClusterState {
  /** Grows by one with every write, so no two contents of the object are equal and no ETag comes back. From 1. */
  readonly version: number;
  readonly clusterId: string;
  /** The version in which all formats in the bucket are written. Raised only when every broker supports it. */
  readonly formatVersion: number;
  /** In order of first appearance; an index is never reused. */
  readonly zones: readonly string[];
  readonly brokers: ReadonlyMap<number, BrokerEntry>;
  /** By name. */
  readonly topics: ReadonlyMap<string, TopicEntry>;
  /** By topic id: deleted, but the prefix of at least one of their groups is not known to be empty yet. */
  readonly deletedTopics: ReadonlyMap<string, DeletedTopic>;
  /**
   * By partition group id. Every group of `topics` has one; a group of `deletedTopics` has one until its prefix is empty:
   * its owner is who empties it.
   */
  readonly assignments: ReadonlyMap<string, Assignment>;
  /** By the accused broker's id. */
  readonly suspicions: ReadonlyMap<number, Suspicion>;
  readonly placedBy: 'brokers' | 'operator';
  /** Dynamic settings of the whole cluster. */
  readonly configs: Configs;
  /** By sid: the `seq` of its last change that landed. Holds exactly sids that an entry of `brokers` names. */
  readonly applied: ReadonlyMap<string, number>;
  readonly extra?: Extra | undefined;
}

export type Configs = Readonly<Record<string, string>>;
export type Extra = Readonly<Record<string, unknown>>;

export type BrokerState = 'alive' | 'draining' | 'dead';

export interface BrokerEntry {
  readonly sid: string;
  /** `host:port` of the process itself (pod address, never a Service) for connections between brokers. */
  readonly address: string;
  /** Advertised `host:port` by listener name, for clients. */
  readonly listeners: Readonly<Record<string, string>>;
  /** One of `zones`. */
  readonly zone: string;
  readonly state: BrokerState;
  /**
   * Somebody wants it to own nothing (`firn.placement.cordoned`): it gets no groups while any other broker can have them,
   * and those it has go elsewhere. Belongs to the id: every later session of it has it too.
   */
  readonly cordoned?: true | undefined;
  /** Format versions that its program reads and writes. */
  readonly supportedFormat: FormatRange;
  readonly extra?: Extra | undefined;
}

export interface FormatRange {
  readonly min: number;
  readonly max: number;
}

/** What says which partitions form a group; see `partition-groups.ts`. */
export interface GroupLayout {
  /** 32 lower-case hex characters, never reused. */
  readonly topicId: string;
  readonly partitions: number;
  /** Contiguous from partition 0. Only ever appended to. */
  readonly groups: readonly GroupRange[];
}

/** The `count` partitions from `firstPartition` on are cut into groups of `groupSize`, the last of which may be smaller. */
export type GroupRange = readonly [firstPartition: number, count: number, groupSize: number];

export interface TopicEntry extends GroupLayout {
  /** True for topics that only brokers write. */
  readonly internal: boolean;
  readonly configs: Configs;
  /** One of `zones`: where all groups belong, also while they are abroad. Absent: anywhere. */
  readonly homeZone?: string | undefined;
  /** How many brokers the creator wanted Metadata to name as replicas. Absent: one in every zone, whichever there are. */
  readonly replicationFactor?: number | undefined;
  /**
   * By index of the group: brokers that somebody wanted as replicas, preferred owner first. What Metadata names for as
   * long as the owner is among them (see `replicas.ts`).
   */
  readonly replicas?: ReadonlyMap<number, readonly number[]> | undefined;
  readonly extra?: Extra | undefined;
}

export interface DeletedTopic extends GroupLayout {
  readonly name: string;
  readonly extra?: Extra | undefined;
}

export interface Assignment {
  readonly broker: number;
  /** Grows with every change of owner, be it another broker or another session of the same one. From 1. */
  readonly generation: number;
  /** Who hands over: present while its session lives and the new owner does not serve yet. */
  readonly from?: { readonly broker: number; readonly sid: string } | undefined;
  /** An owner has served the group, so its manifest exists: where it is missing it was lost, not never written. */
  readonly hasManifest?: true | undefined;
  /** What a newer format version appended. */
  readonly extra?: readonly unknown[] | undefined;
}

export interface Suspicion {
  /** The accused session: always the current one of the accused broker. */
  readonly sid: string;
  /** Standing ones, oldest first, at most one per accuser. */
  readonly accusations: readonly Accusation[];
  /** How many times this session has refuted its accusers. */
  readonly refutations: number;
  readonly extra?: Extra | undefined;
}

export interface Accusation {
  readonly by: number;
  readonly bySid: string;
  /** 32 lower-case hex characters: tells this accusation from any other, earlier or later. */
  readonly nonce: string;
  /** The accuser's wall clock. For people: nothing is decided by it. */
  readonly atMs: number;
  readonly extra?: Extra | undefined;
}

export const clusterKey = 'meta/cluster';
