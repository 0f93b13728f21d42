import { configChangeOf } from '../../cluster/config/config-operations.ts';
import type { ConfigOperation } from '../../cluster/config/config-operations.ts';
import type {
  IncrementalAlterConfigsRequest,
  incrementalAlterConfigs,
} from '../../protocol/api/incremental-alter-configs.ts';
import type { ClusterChanges } from '../admin/cluster-changes.ts';
import { alterResources } from '../admin/config-changes.ts';
import type { ResourceChange, WhyNoTable } from '../admin/config-changes.ts';
import { told } from '../admin/refusal-codes.ts';
import { repeated } from '../admin/repeated.ts';
import type { Handler } from '../handler.ts';
import type { ToldError } from '../log-error-codes.ts';
import { wantsTable } from '../tables/table-gate.ts';

/** Kafka's numbers of the operations (`AlterConfigOp.OpType`). */
const operationKinds = ['set', 'delete', 'append', 'subtract'] as const;

/** IncrementalAlterConfigs (KIP-339), of topics and of the cluster. */
export function incrementalAlterConfigsHandler({
  changes,
  whyNoTable,
}: {
  readonly changes: ClusterChanges;
  readonly whyNoTable: WhyNoTable;
}): Handler<typeof incrementalAlterConfigs> {
  return async ({ resources, validateOnly }) => ({
    throttleTimeMs: 0,
    responses: await alterResources(changes, resources, parse, validateOnly, whyNoTable),
  });
}

function parse({
  resourceName,
  configs,
}: IncrementalAlterConfigsRequest['resources'][number]): ResourceChange | ToldError {
  const [doubled] = repeated(configs.map(({ name }) => name));
  if (doubled !== undefined)
    return told('INVALID_REQUEST', `the request changes ${doubled} of ${resourceName} more than once`);
  const operations: ConfigOperation[] = [];
  for (const { name, configOperation, value } of configs) {
    const kind = operationKinds[configOperation];
    if (kind === undefined)
      return told('INVALID_REQUEST', `${configOperation} is no operation on configs (${name})`);
    if (kind === 'delete') operations.push({ name, kind });
    else if (value === null) return told('INVALID_REQUEST', `${name} has no value`);
    else operations.push({ name, kind, value });
  }
  return {
    change: (scope, present, cluster) => configChangeOf(scope, operations, present, cluster),
    sets: operations.filter(({ kind }) => kind !== 'delete').map(({ name }) => name),
    makesTable: wantsTable(
      Object.fromEntries(
        operations.map((operation) => [operation.name, operation.kind === 'set' ? operation.value : '']),
      ),
    ),
  };
}
