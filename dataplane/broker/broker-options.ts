import type { PlacementWorkOptions } from '../cluster/placement-work.ts';
import type { BrokerLogEnvironment } from '../log/broker-log.ts';
import { defaultLogOptions } from '../log/options.ts';
import type { BrokerSettings } from './config/broker-configs.ts';
import { defaultGroupOptions } from './groups/options.ts';
import type { GroupOptions } from './groups/options.ts';
import { defaultConnectionsOptions } from './net/connections.ts';
import type { ConnectionsOptions } from './net/connections.ts';

export interface BrokerOptions {
  readonly log?: BrokerLogEnvironment['options'];
  readonly connections?: Partial<ConnectionsOptions> | undefined;
  readonly groups?: Partial<GroupOptions> | undefined;
  /** Kafka's `offsets.topic.num.partitions`. */
  readonly offsetsTopicPartitions?: number | undefined;
  /** Kafka's `fetch.max.bytes`. */
  readonly fetchMaxBytes?: number | undefined;
  readonly pollMs?: number | undefined;
  /** When and how many groups are moved where they belong. */
  readonly placement?: Pick<PlacementWorkOptions, 'timings' | 'intervalMs' | 'maxUnderWay'> | undefined;
}

const defaultFetchMaxBytes = 55 * 1024 * 1024;
const defaultOffsetsTopicPartitions = 50;

/**
 * Over a local store: what waits longer for company only waits. A store that is slow because the machine is busy looks like
 * one that is billed by the request.
 */
const localMaxLingerMs = 5;

/** One slot that is written and one that gathers: more at a time would be more and smaller ones, and no sooner there. */
const localEagerSlots = 1;

/** What is slow is the one disk there is: to write the same once more beside it makes both slower. */
const localHedgeShare = 0;

/** What a broker works with: the options it was given, and defaults for all others. */
export function brokerSettings(
  identity: Pick<BrokerSettings, 'id' | 'zone' | 'listeners' | 'store'>,
  options: BrokerOptions,
  hasLocalStore = false,
): BrokerSettings {
  const forStore = hasLocalStore
    ? { maxLingerMs: localMaxLingerMs, eagerSlots: localEagerSlots, hedgeShare: localHedgeShare }
    : {};
  return {
    ...identity,
    log: { ...defaultLogOptions, ...forStore, ...options.log },
    groups: { ...defaultGroupOptions, ...options.groups },
    connections: { ...defaultConnectionsOptions, ...options.connections },
    fetchMaxBytes: options.fetchMaxBytes ?? defaultFetchMaxBytes,
    offsetsTopicPartitions: options.offsetsTopicPartitions ?? defaultOffsetsTopicPartitions,
  };
}
