import type { BrokerLogEnvironment } from '../log/broker-log.ts';
import type { GroupOptions } from './groups/options.ts';
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
}
