import { told } from './admin/refusal-codes.ts';
import type { KafkaErrorName } from '../protocol/error-code.ts';
import type { ToldError } from './log-error-codes.ts';

/** Something that clients may ask for and that Firn does not have. It is refused, never accepted and ignored. */
export interface NotBuilt {
  /** What was asked for, as one would say it. */
  readonly what: string;
  readonly error: KafkaErrorName;
  /** What the client is told: why, and what to do instead. */
  readonly sentence: string;
}

/**
 * What handlers refuse because it is not built, other than values of configs, which `onlyBuilt` in the tables of
 * `dataplane/cluster/config/` refuses. `docs/not-built.md` is made from all of these.
 */
export const notBuilt = {
  brokerSettings: {
    what: 'Setting a config of one broker other than `firn.placement.cordoned` (`kafka-configs.sh --entity-type brokers --entity-name ID`; `kafka-reassign-partitions.sh --throttle` does it too)',
    error: 'INVALID_REQUEST',
    sentence:
      'settings of a single broker are not built, but for firn.placement.cordoned: set it for the whole cluster (--entity-default). Moving partitions copies no records, so there is nothing to throttle',
  },
  brokerLoggers: {
    what: 'Reading or setting log levels through Kafka (`--entity-type broker-loggers`)',
    error: 'INVALID_REQUEST',
    sentence: 'log levels cannot be seen or set through Kafka: set log.level when the broker starts',
  },
  groupConfigs: {
    what: 'Setting a config of one group (`--entity-type groups`)',
    error: 'INVALID_CONFIG',
    sentence: 'configs of single groups are not built: all groups have the settings of the brokers',
  },
  clientMetrics: {
    what: 'Subscribing to the metrics of clients (`--entity-type client-metrics`, KIP-714)',
    error: 'INVALID_CONFIG',
    sentence:
      'subscriptions to the metrics of clients are not built: clients are told that nothing is wanted',
  },
} as const satisfies Readonly<Record<string, NotBuilt>>;

/** A group of Kafka's APIs that are not served, and so not advertised: clients that need them say so themselves. */
export interface UnservedApis {
  readonly what: string;
  /** Names as in Kafka, with their keys. */
  readonly apis: Readonly<Record<string, number>>;
  readonly instead: string;
}

/** With those that are served these are all APIs that a broker of Kafka 4.3 offers to clients. */
export const unservedApis: readonly UnservedApis[] = [
  {
    what: 'Transactions',
    apis: {
      AddPartitionsToTxn: 24,
      AddOffsetsToTxn: 25,
      EndTxn: 26,
      WriteTxnMarkers: 27,
      TxnOffsetCommit: 28,
      DescribeTransactions: 65,
      ListTransactions: 66,
    },
    instead:
      'InitProducerId, Produce and FindCoordinator refuse transactional ids; idempotent producers (`enable.idempotence`) work.',
  },
  {
    what: 'Authentication (SASL), TLS and access control',
    apis: {
      SaslHandshake: 17,
      SaslAuthenticate: 36,
      DescribeAcls: 29,
      CreateAcls: 30,
      DeleteAcls: 31,
      CreateDelegationToken: 38,
      RenewDelegationToken: 39,
      ExpireDelegationToken: 40,
      DescribeDelegationToken: 41,
      DescribeUserScramCredentials: 50,
      AlterUserScramCredentials: 51,
    },
    instead: 'Everybody who reaches a listener may do everything: keep listeners inside your network.',
  },
  {
    what: 'Client quotas',
    apis: { DescribeClientQuotas: 48, AlterClientQuotas: 49 },
    instead: 'Brokers bound memory and connections, not the rates of single clients.',
  },
  {
    what: 'Share groups (KIP-932)',
    apis: {
      ShareGroupHeartbeat: 76,
      ShareGroupDescribe: 77,
      ShareFetch: 78,
      ShareAcknowledge: 79,
      InitializeShareGroupState: 83,
      ReadShareGroupState: 84,
      WriteShareGroupState: 85,
      DeleteShareGroupState: 86,
      ReadShareGroupStateSummary: 87,
      DescribeShareGroupOffsets: 90,
      AlterShareGroupOffsets: 91,
      DeleteShareGroupOffsets: 92,
    },
    instead: 'Use consumer groups.',
  },
  {
    what: 'The streams protocol of groups (KIP-1071)',
    apis: { StreamsGroupHeartbeat: 88, StreamsGroupDescribe: 89 },
    instead:
      'Kafka Streams works with `group.protocol=classic`, its default; not with window stores, whose topics are `compact,delete`.',
  },
  {
    what: 'What belongs to disks and controllers of Kafka',
    apis: { AlterReplicaLogDirs: 34, UnregisterBroker: 64, AddRaftVoter: 80, RemoveRaftVoter: 81 },
    instead: 'There are neither: records and the state of the cluster are in the object store.',
  },
];

export function refuseNotBuilt(which: keyof typeof notBuilt): ToldError {
  const { error, sentence } = notBuilt[which];
  return told(error, sentence);
}
