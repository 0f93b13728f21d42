import type { ChangeRefused, RefusalReason } from '../../cluster/change-refused.ts';
import { kafkaErrors } from '../../protocol/error-code.ts';
import type { KafkaErrorName } from '../../protocol/error-code.ts';
import type { ToldError } from '../log-error-codes.ts';

/**
 * What a client is told when a change of the cluster state is refused. Refusals that concern this broker's own session
 * are told as a controller that has changed: admin clients look for another one and try again.
 */
const kafkaErrorOf: Record<RefusalReason, KafkaErrorName> = {
  TOPIC_EXISTS: 'TOPIC_ALREADY_EXISTS',
  UNKNOWN_TOPIC: 'UNKNOWN_TOPIC_OR_PARTITION',
  INVALID_TOPIC_NAME: 'INVALID_TOPIC_EXCEPTION',
  INTERNAL_TOPIC: 'POLICY_VIOLATION',
  INVALID_PARTITIONS: 'INVALID_PARTITIONS',
  INVALID_CONFIG: 'INVALID_CONFIG',
  UNKNOWN_ZONE: 'INVALID_CONFIG',
  INVALID_BROKER: 'INVALID_REQUEST',
  UNKNOWN_BROKER: 'INVALID_REPLICA_ASSIGNMENT',
  BROKER_NOT_ALIVE: 'INVALID_REPLICA_ASSIGNMENT',
  BROKER_CORDONED: 'INVALID_REPLICA_ASSIGNMENT',
  NO_LIVE_BROKER: 'BROKER_NOT_AVAILABLE',
  BROKER_IN_USE: 'INVALID_REQUEST',
  SID_REUSED: 'NOT_CONTROLLER',
  SESSION_DEAD: 'NOT_CONTROLLER',
  SESSION_REPLACED: 'NOT_CONTROLLER',
  SESSION_ALIVE: 'NOT_CONTROLLER',
  PARTIAL_GROUP: 'INVALID_REPLICA_ASSIGNMENT',
  INVALID_REPLICAS: 'INVALID_REPLICA_ASSIGNMENT',
  INVALID_REPLICATION_FACTOR: 'INVALID_REPLICATION_FACTOR',
  NO_REASSIGNMENT: 'NO_REASSIGNMENT_IN_PROGRESS',
  LEAVES_HOME_ZONE: 'INVALID_REPLICA_ASSIGNMENT',
  STALE_ASSIGNMENT: 'NOT_CONTROLLER',
  NOT_ACCUSED: 'NOT_CONTROLLER',
  REFUTED: 'NOT_CONTROLLER',
  FORMAT_NOT_SUPPORTED: 'INVALID_UPDATE_VERSION',
};

export function toldRefusal({ reason, message }: ChangeRefused): ToldError {
  return told(kafkaErrorOf[reason], message);
}

export function told(name: KafkaErrorName, message: string): ToldError {
  return { name, code: kafkaErrors[name].code, message };
}
