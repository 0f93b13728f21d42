/** Kafka's numbers of the operations that access control knows (`AclOperation`), as far as they apply here. */
const operation = {
  read: 3,
  write: 4,
  create: 5,
  delete: 6,
  alter: 7,
  describe: 8,
  clusterAction: 9,
  describeConfigs: 10,
  alterConfigs: 11,
  idempotentWrite: 12,
} as const;

type Operation = keyof typeof operation;

/** What a response says that was not asked for operations. */
export const operationsNotAsked = -0x8000_0000;

/**
 * Bit fields of what a client may do. Without access control, which is not built, that is everything there is, as in Kafka
 * without an authorizer.
 */
export const topicOperations = bits([
  'read',
  'write',
  'create',
  'delete',
  'alter',
  'describe',
  'describeConfigs',
  'alterConfigs',
]);

export const clusterOperations = bits([
  'create',
  'alter',
  'describe',
  'clusterAction',
  'describeConfigs',
  'alterConfigs',
  'idempotentWrite',
]);

function bits(operations: readonly Operation[]): number {
  return operations.reduce((field, name) => field | (1 << operation[name]), 0);
}
