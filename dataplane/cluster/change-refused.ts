/** Why a change of the cluster state is refused. The state stays as it was. */
export const refusalReasons = [
  'TOPIC_EXISTS',
  'UNKNOWN_TOPIC',
  'INVALID_TOPIC_NAME',
  'INTERNAL_TOPIC',
  'INVALID_PARTITIONS',
  'INVALID_CONFIG',
  'UNKNOWN_ZONE',
  'INVALID_BROKER',
  'UNKNOWN_BROKER',
  'BROKER_NOT_ALIVE',
  'BROKER_CORDONED',
  'NO_LIVE_BROKER',
  'BROKER_IN_USE',
  'SID_REUSED',
  'SESSION_DEAD',
  'SESSION_REPLACED',
  'SESSION_ALIVE',
  'PARTIAL_GROUP',
  'INVALID_REPLICAS',
  'INVALID_REPLICATION_FACTOR',
  'NO_REASSIGNMENT',
  'LEAVES_HOME_ZONE',
  'STALE_ASSIGNMENT',
  'NOT_ACCUSED',
  'REFUTED',
  'FORMAT_NOT_SUPPORTED',
] as const;

export type RefusalReason = (typeof refusalReasons)[number];

/** Not an Error: an expected answer. `message` says what was refused, with which values, and what to do. */
export class ChangeRefused {
  readonly reason: RefusalReason;
  readonly message: string;

  constructor(reason: RefusalReason, message: string) {
    this.reason = reason;
    this.message = message;
  }
}
