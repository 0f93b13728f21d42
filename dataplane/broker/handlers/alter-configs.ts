import { replacingConfigs } from '../../cluster/config/config-operations.ts';
import type { AlterConfigsRequest, alterConfigs } from '../../protocol/api/alter-configs.ts';
import type { ClusterChanges } from '../admin/cluster-changes.ts';
import { alterResources } from '../admin/config-changes.ts';
import type { ResourceChange, WhyNoTable } from '../admin/config-changes.ts';
import { told } from '../admin/refusal-codes.ts';
import { repeated } from '../admin/repeated.ts';
import type { Handler } from '../handler.ts';
import type { ToldError } from '../log-error-codes.ts';
import { wantsTable } from '../tables/table-gate.ts';

/** AlterConfigs: the older way, in which every config goes that the request does not name. */
export function alterConfigsHandler({
  changes,
  whyNoTable,
}: {
  readonly changes: ClusterChanges;
  readonly whyNoTable: WhyNoTable;
}): Handler<typeof alterConfigs> {
  return async ({ resources, validateOnly }) => ({
    throttleTimeMs: 0,
    responses: await alterResources(changes, resources, parse, validateOnly, whyNoTable),
  });
}

function parse({
  resourceName,
  configs,
}: AlterConfigsRequest['resources'][number]): ResourceChange | ToldError {
  const [doubled] = repeated(configs.map(({ name }) => name));
  if (doubled !== undefined)
    return told('INVALID_REQUEST', `the request sets ${doubled} of ${resourceName} more than once`);
  const given: [string, string][] = [];
  for (const { name, value } of configs) {
    if (value === null) return told('INVALID_REQUEST', `${name} has no value`);
    given.push([name, value]);
  }
  return {
    change: (scope, present) => replacingConfigs(scope, Object.fromEntries(given), present),
    sets: given.map(([name]) => name),
    makesTable: wantsTable(Object.fromEntries(given)),
  };
}
