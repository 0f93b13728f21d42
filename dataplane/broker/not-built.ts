import { told } from './admin/refusal-codes.ts';
import type { KafkaErrorName } from '../protocol/error-code.ts';
import type { ToldError } from './log-error-codes.ts';

/** Something that clients may ask for and that Firn does not have. It is refused, never accepted and ignored. */
interface NotBuilt {
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
    what: 'Setting a config of one broker (`kafka-configs.sh --entity-type brokers --entity-name ID`; `kafka-reassign-partitions.sh --throttle` does it too)',
    error: 'INVALID_REQUEST',
    sentence:
      'settings of a single broker are not built: set it for the whole cluster (--entity-default). Moving partitions copies no records, so there is nothing to throttle',
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

export function refuseNotBuilt(which: keyof typeof notBuilt): ToldError {
  const { error, sentence } = notBuilt[which];
  return told(error, sentence);
}
