import type { StructField, StructType, TableType } from '../schema/table-type.ts';

/** What one field id of a schema names; fields of lists and maps have ids too. */
export interface SchemaNode {
  readonly id: number;
  /** Names joined by dots; `element`, `key` and `value` for those of lists and maps. */
  readonly path: string;
  readonly required: boolean;
  readonly type: TableType;
}

/** Every id of a struct, outer ones before inner ones. */
export function* schemaNodes(struct: StructType, path = ''): Generator<SchemaNode> {
  for (const field of struct.fields)
    yield* nodesOf({ ...field, path: path === '' ? field.name : `${path}.${field.name}` });
}

function* nodesOf(node: SchemaNode): Generator<SchemaNode> {
  yield { id: node.id, path: node.path, required: node.required, type: node.type };
  const { type, path } = node;
  switch (type.kind) {
    case 'struct':
      yield* schemaNodes(type, path);
      break;
    case 'list':
      yield* nodesOf({
        id: type.elementId,
        path: `${path}.element`,
        required: type.elementRequired,
        type: type.element,
      });
      break;
    case 'map':
      yield* nodesOf({ id: type.keyId, path: `${path}.key`, required: true, type: type.key });
      yield* nodesOf({
        id: type.valueId,
        path: `${path}.value`,
        required: type.valueRequired,
        type: type.value,
      });
      break;
    default:
      break;
  }
}

export function highestFieldId(struct: StructType): number {
  let highest = 0;
  for (const { id } of schemaNodes(struct)) highest = Math.max(highest, id);
  return highest;
}

/**
 * Ids as the reference implementation gives them to a new table (`TypeUtil.assignFreshIds`): all fields of a struct in
 * their order, then, in the same order, what lies in them; of a map the key and the value before what lies in those.
 *
 * @returns the struct, what became of each old id, and the highest id
 */
export function withFreshIds(struct: StructType): {
  readonly struct: StructType;
  readonly newIds: ReadonlyMap<number, number>;
  readonly lastColumnId: number;
} {
  const newIds = new Map<number, number>();
  let last = 0;
  const next = (old: number): number => {
    last += 1;
    newIds.set(old, last);
    return last;
  };
  const freshStruct = (type: StructType): StructType => {
    const ids = type.fields.map(({ id }) => next(id));
    const fields = type.fields.map((field, at): StructField => ({
      ...field,
      id: ids[at] ?? 0,
      type: fresh(field.type),
    }));
    return { kind: 'struct', fields };
  };
  const fresh = (type: TableType): TableType => {
    switch (type.kind) {
      case 'struct':
        return freshStruct(type);
      case 'list': {
        const elementId = next(type.elementId);
        return { ...type, elementId, element: fresh(type.element) };
      }
      case 'map': {
        const keyId = next(type.keyId);
        const valueId = next(type.valueId);
        const key = fresh(type.key);
        return { ...type, keyId, valueId, key, value: fresh(type.value) };
      }
      default:
        return type;
    }
  };
  const fields = freshStruct(struct);
  return { struct: fields, newIds, lastColumnId: last };
}
