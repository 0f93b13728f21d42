import type { Random } from '../runtime/runtime.ts';
import { clusterFormatVersion } from './cluster-codec.ts';
import type { ClusterState } from './cluster-state.ts';

/** What a bucket without `meta/cluster` stands for: the state before the first change, which creates the object. */
export function emptyCluster(random: Pick<Random, 'bytes'>): ClusterState {
  return {
    version: 0,
    clusterId: Buffer.from(random.bytes(16)).toString('base64url'),
    formatVersion: clusterFormatVersion,
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
}

/** A session id: 16 random bytes as 32 lower-case hex characters. Minted at process start, never stored, never reused. */
export function mintHexId(random: Pick<Random, 'bytes'>): string {
  return Buffer.from(random.bytes(16)).toString('hex');
}
