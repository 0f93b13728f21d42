import { CatalogError } from '../errors.ts';
import type { TableMetadata } from '../table-metadata.ts';
import type { TableRequirement } from '../table-update.ts';

/** What does not hold: a CONFLICT; `undefined` when all do. `base` undefined: there is no table. */
export function checkRequirements(
  base: TableMetadata | undefined,
  requirements: readonly TableRequirement[],
): CatalogError | undefined {
  for (const requirement of requirements) {
    const problem = problemOf(base, requirement);
    if (problem !== undefined) return new CatalogError('CONFLICT', `requirement failed: ${problem}`);
  }
  return undefined;
}

function problemOf(base: TableMetadata | undefined, requirement: TableRequirement): string | undefined {
  if (requirement.type === 'assert-create') {
    return base === undefined ? undefined : `the table exists already (uuid ${base.tableUuid})`;
  }
  if (base === undefined) return `${requirement.type}: there is no table`;
  switch (requirement.type) {
    case 'assert-table-uuid':
      return differs('table uuid', requirement.uuid.toLowerCase(), base.tableUuid);
    case 'assert-ref-snapshot-id': {
      const { ref, snapshotId } = requirement;
      const now = Object.hasOwn(base.refs, ref) ? base.refs[ref]?.snapshotId : undefined;
      return differs(`ref ${JSON.stringify(ref)}`, snapshotId ?? 'absent', now ?? 'absent');
    }
    case 'assert-last-assigned-field-id':
      return differs('last assigned field id', requirement.lastAssignedFieldId, base.lastColumnId);
    case 'assert-current-schema-id':
      return differs('current schema id', requirement.currentSchemaId, base.currentSchemaId);
    case 'assert-last-assigned-partition-id':
      return differs('last assigned partition id', requirement.lastAssignedPartitionId, base.lastPartitionId);
    case 'assert-default-spec-id':
      return differs('default spec id', requirement.defaultSpecId, base.defaultSpecId);
    case 'assert-default-sort-order-id':
      return differs('default sort order id', requirement.defaultSortOrderId, base.defaultSortOrderId);
  }
}

function differs(
  what: string,
  expected: string | number | bigint,
  found: string | number | bigint,
): string | undefined {
  return expected === found ? undefined : `${what} is ${found}, expected ${expected}`;
}
