import { SchemaError } from '../errors.ts';
import { fullName } from './avro-tree.ts';
import type { AvroFieldNode, AvroNode, AvroRecordNode } from './avro-tree.ts';
import { isJsonObject } from './schema-json.ts';

/** Of one schema. A schema of people has a few for each of its fields. */
const maxDefaultChecks = 100_000;

/**
 * Refuses a schema whose defaults are too much work to check.
 *
 * avsc checks a default value by value, and with it the defaults of all fields that it leaves out, along every path to
 * them: six fields of a record, each with the default `{}` and each a record of six fields …, are 6^n values in a text of n
 * lines. This counts them without going along the paths: each field's default once, whatever it leaves out at the count of
 * the field that is left out, no further than to the most that may be.
 *
 * @param tree of `avscTree`: a default of a union is of the first branch
 * @throws SchemaError INVALID_SCHEMA
 */
export function requireCheckableDefaults(tree: AvroNode): void {
  new DefaultChecks().ofType(tree);
}

class DefaultChecks {
  /** By field that has a default: how many values it makes. */
  readonly #values = new Map<AvroFieldNode, number>();
  /** By full name, which references have: `avscTree` has made other nodes of what they refer to. */
  readonly #records = new Map<string, AvroRecordNode>();
  #total = 0;

  /** The defaults of all fields inside a type, in the order of their definition: what they refer to has been counted. */
  ofType(node: AvroNode): void {
    switch (node.kind) {
      case 'record':
        this.#records.set(fullName(node), node);
        for (const field of node.fields) this.#ofField(field);
        return;
      case 'array':
      case 'map':
        this.ofType(node.items);
        return;
      case 'union':
        for (const branch of node.branches) this.ofType(branch);
        return;
      case 'reference':
      case 'primitive':
      case 'enum':
      case 'fixed':
        return;
    }
  }

  #ofField(field: AvroFieldNode): void {
    this.ofType(field.type);
    if (field.default === undefined) return;
    const before = this.#total;
    this.#count(field.type, field.default.value);
    this.#values.set(field, this.#total - before);
  }

  #count(type: AvroNode, value: unknown): void {
    this.#add(1);
    switch (type.kind) {
      case 'union':
        if (type.branches[0] !== undefined) this.#count(type.branches[0], value);
        return;
      case 'reference': {
        const record = this.#records.get(fullName(type.target));
        if (record !== undefined) this.#countFields(record, value);
        return;
      }
      case 'record':
        this.#countFields(type, value);
        return;
      case 'array':
        if (Array.isArray(value))
          for (const item of value as readonly unknown[]) this.#count(type.items, item);
        return;
      case 'map':
        if (isJsonObject(value)) for (const item of Object.values(value)) this.#count(type.items, item);
        return;
      case 'primitive':
      case 'enum':
      case 'fixed':
        return;
    }
  }

  #countFields({ name, fields }: AvroRecordNode, value: unknown): void {
    // avsc would look for the fields in whatever it is.
    if (!isJsonObject(value))
      throw new SchemaError(
        'INVALID_SCHEMA',
        `the schema is not valid Avro: a default is ${JSON.stringify(value).slice(0, 80)}, which is no record ${name}`,
      );
    for (const field of fields) {
      if (Object.hasOwn(value, field.name)) this.#count(field.type, value[field.name]);
      // A field that is not counted yet is one of a record whose definition has not ended: no default can be of that.
      else this.#add(this.#values.get(field) ?? 1);
    }
  }

  #add(values: number): void {
    this.#total += values;
    if (this.#total > maxDefaultChecks)
      throw new SchemaError(
        'INVALID_SCHEMA',
        `the defaults of the schema hold more than ${maxDefaultChecks} values, counting what they leave to the defaults of ` +
          'the types inside them: give fewer fields that are records a default',
      );
  }
}
