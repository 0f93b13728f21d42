import { fullName } from './avro-tree.ts';
import type { AvroFieldNode, AvroNamedNode, AvroNode } from './avro-tree.ts';
import { printSchemaJson } from './schema-json.ts';

/**
 * The text that stands for a schema in a registry: what Avro's Java library, and hence Confluent's registry, prints for
 * it (`Schema.toString()`): no white space, attributes in a fixed order, a primitive type without attributes as its name,
 * namespaces only where they change. Two texts of the same schema give the same one.
 */
export function canonicalSchemaText(node: AvroNode): string {
  return printSchemaJson(schemaJson(node, ''));
}

/** The JSON value of a schema whose names are to be read in `namespace`. */
export function schemaJson(node: AvroNode, namespace: string): unknown {
  switch (node.kind) {
    case 'primitive':
      return Object.keys(node.props).length === 0 ? node.type : { type: node.type, ...node.props };
    case 'reference':
      return node.target.namespace === namespace && namespace !== ''
        ? node.target.name
        : fullName(node.target);
    case 'array':
      return { type: 'array', items: schemaJson(node.items, namespace), ...node.props };
    case 'map':
      return { type: 'map', values: schemaJson(node.items, namespace), ...node.props };
    case 'union':
      return node.branches.map((branch) => schemaJson(branch, namespace));
    case 'record':
    case 'enum':
    case 'fixed':
      return namedJson(node, namespace);
  }
}

function namedJson(node: AvroNamedNode, namespace: string): unknown {
  const { name, doc, props } = node;
  const aliases = node.aliases.map((alias) => relativeName(alias, node.namespace));
  return {
    type: node.kind === 'record' && node.isError ? 'error' : node.kind,
    name,
    ...(node.namespace === namespace ? {} : { namespace: node.namespace }),
    ...(doc === undefined ? {} : { doc }),
    ...ownJson(node),
    ...props,
    ...(aliases.length === 0 ? {} : { aliases }),
  };
}

function ownJson(node: AvroNamedNode): object {
  switch (node.kind) {
    case 'record':
      return { fields: node.fields.map((field) => fieldJson(field, node.namespace)) };
    case 'enum':
      return { symbols: node.symbols, ...(node.default === undefined ? {} : { default: node.default }) };
    case 'fixed':
      return { size: node.size };
  }
}

function fieldJson(field: AvroFieldNode, namespace: string): unknown {
  const { name, type, doc, order, aliases, props } = field;
  return {
    name,
    type: schemaJson(type, namespace),
    ...(doc === undefined ? {} : { doc }),
    ...(field.default === undefined ? {} : { default: field.default.value }),
    ...(order === 'ascending' ? {} : { order }),
    ...(aliases.length === 0 ? {} : { aliases }),
    ...props,
  };
}

/** An alias without the namespace of the type that has it. */
function relativeName(alias: string, namespace: string): string {
  const prefix = `${namespace}.`;
  return namespace !== '' && alias.startsWith(prefix) && !alias.slice(prefix.length).includes('.')
    ? alias.slice(prefix.length)
    : alias;
}
