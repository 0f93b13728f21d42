import avro from 'avsc';
import { readAvroTree } from '../avro/avro-tree.ts';
import type { AvroNode } from '../avro/avro-tree.ts';
import { avscSchema, avscTree } from '../avro/avsc-schema.ts';
import { canonicalSchemaText } from '../avro/canonical-schema.ts';
import { requireCheckableDefaults } from '../avro/default-checks.ts';
import { flatAvroRecord } from '../avro/avro-schema.ts';
import type { AvroRecord } from '../avro/avro-schema.ts';
import { parseSchemaJson } from '../avro/schema-json.ts';
import { SchemaError } from '../errors.ts';

/** A schema text that was understood. */
export class RegistrySchema {
  /** The one text that stands for all of this schema. */
  readonly text: string;
  readonly #tree: AvroNode;
  #type: avro.Type | undefined;
  #record: AvroRecord | SchemaError | undefined;

  private constructor(tree: AvroNode, text: string) {
    this.#tree = tree;
    this.text = text;
  }

  /** @throws SchemaError INVALID_SCHEMA */
  static parse(text: string): RegistrySchema {
    const tree = readAvroTree(parseSchemaJson(text));
    return new RegistrySchema(tree, canonicalSchemaText(tree));
  }

  /**
   * For resolving one schema against another. The code that avsc makes for it holds names only, which the tree has
   * checked.
   *
   * @throws SchemaError INVALID_SCHEMA for what avsc alone finds, such as a default that does not fit its type, and for
   *   defaults that would keep it busy
   */
  get type(): avro.Type {
    if (this.#type !== undefined) return this.#type;
    const tree = avscTree(this.#tree);
    requireCheckableDefaults(tree);
    try {
      this.#type = avro.Type.forSchema(avscSchema(tree), { wrapUnions: 'always' });
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      throw new SchemaError('INVALID_SCHEMA', `the schema is not valid Avro: ${shortened(why)}`, {
        cause: error,
      });
    }
    return this.#type;
  }

  /** As tables see it: a flat record, or why it is none. */
  get record(): AvroRecord | SchemaError {
    this.#record ??= flatRecordOf(this.#tree);
    return this.#record;
  }
}

/** Why data written with `writer` cannot be read with `reader`; `undefined`: it can. */
export function whyUnreadable(reader: RegistrySchema, writer: RegistrySchema): string | undefined {
  try {
    // Names count without namespaces, as they do for Avro's Java library.
    reader.type.createResolver(writer.type, { ignoreNamespaces: true });
    return undefined;
  } catch (error) {
    return shortened(error instanceof Error ? error.message : String(error));
  }
}

function flatRecordOf(tree: AvroNode): AvroRecord | SchemaError {
  try {
    return flatAvroRecord(tree);
  } catch (error) {
    if (error instanceof SchemaError) return error;
    throw error;
  }
}

/** Messages of avsc hold whole schemas. */
function shortened(text: string): string {
  return text.length > 400 ? `${text.slice(0, 399)}…` : text;
}
