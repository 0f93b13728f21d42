import { CatalogError } from '../errors.ts';
import type { TableMetadata } from '../table-metadata.ts';
import type { TableRequirement } from '../table-update.ts';

/**
 * What does not hold: a CONFLICT, in the words of the reference implementation, which people search for; `undefined` when
 * all do. `base` undefined: there is no table.
 */
export function checkRequirements(
  base: TableMetadata | undefined,
  requirements: readonly TableRequirement[],
): CatalogError | undefined {
  for (const requirement of requirements) {
    const problem = problemOf(base, requirement);
    if (problem !== undefined) return new CatalogError('CONFLICT', `Requirement failed: ${problem}`);
  }
  return undefined;
}

function problemOf(base: TableMetadata | undefined, requirement: TableRequirement): string | undefined {
  if (requirement.type === 'assert-create') {
    return base === undefined ? undefined : `table already exists (uuid ${base.tableUuid})`;
  }
  if (base === undefined) return `${requirement.type}: there is no table`;
  switch (requirement.type) {
    case 'assert-table-uuid': {
      const expected = requirement.uuid.toLowerCase();
      return expected === base.tableUuid
        ? undefined
        : `UUID does not match: expected ${expected} != ${base.tableUuid}`;
    }
    case 'assert-ref-snapshot-id':
      return refProblem(base, requirement.ref, requirement.snapshotId);
    case 'assert-last-assigned-field-id':
      return changed('last assigned field id', requirement.lastAssignedFieldId, base.lastColumnId);
    case 'assert-current-schema-id':
      return changed('current schema', requirement.currentSchemaId, base.currentSchemaId);
    case 'assert-last-assigned-partition-id':
      return changed('last assigned partition id', requirement.lastAssignedPartitionId, base.lastPartitionId);
    case 'assert-default-spec-id':
      return changed('default partition spec', requirement.defaultSpecId, base.defaultSpecId);
    case 'assert-default-sort-order-id':
      return changed('default sort order', requirement.defaultSortOrderId, base.defaultSortOrderId);
  }
}

function refProblem(base: TableMetadata, name: string, expected: bigint | undefined): string | undefined {
  const ref = Object.hasOwn(base.refs, name) ? base.refs[name] : undefined;
  if (ref === undefined)
    return expected === undefined ? undefined : `branch or tag ${name} is missing, expected ${expected}`;
  if (expected === undefined) return `${ref.type} ${name} was created concurrently`;
  if (ref.snapshotId === expected) return undefined;
  return `${ref.type} ${name} has changed: expected id ${expected} != ${ref.snapshotId}`;
}

function changed(what: string, expected: number, found: number): string | undefined {
  return expected === found ? undefined : `${what} changed: expected id ${expected} != ${found}`;
}
