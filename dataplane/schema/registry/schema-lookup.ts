import type { Cancel } from '../../runtime/runtime.ts';
import type { AvroRecord } from '../avro/avro-schema.ts';
import { SchemaError } from '../errors.ts';
import type { ParsedSchemas } from './parsed-schemas.ts';
import type { Registry } from './registry.ts';
import type { RegisteredSchema } from './registry-state.ts';

export interface FoundSchema {
  readonly id: number;
  /** `AVRO`; another registry may have written others into the topic. */
  readonly type: string;
  readonly text: string;
  /** As tables see it; the same object for the same id, while it is used. */
  readonly record: AvroRecord | SchemaError;
}

/** What those who read and write tables ask of the registry. Rejects with a `RegistryError`; look at `retriable`. */
export interface SchemaLookup {
  /**
   * The schema that an id in a record stands for, which never changes. `undefined`: nobody had been given that id when
   * it was asked for.
   */
  byId(id: number, signal: AbortSignal): Promise<FoundSchema | undefined>;
  /** The newest version of a subject. `undefined`: it has none. */
  latest(
    subject: string,
    signal: AbortSignal,
  ): Promise<(FoundSchema & { readonly version: number }) | undefined>;
  /** Tells that there may be new versions. In calls that must not throw. */
  subscribe(listener: () => void): Cancel;
}

/** {@link SchemaLookup} over the registry itself; known ids are answered from memory. */
export class RegistrySchemaLookup implements SchemaLookup {
  readonly #registry: Registry;

  constructor(registry: Registry) {
    this.#registry = registry;
  }

  async byId(id: number, signal: AbortSignal): Promise<FoundSchema | undefined> {
    const find = (
      state: { readonly schema: (id: number) => RegisteredSchema | undefined },
      parsed: ParsedSchemas,
    ): FoundSchema | undefined => {
      const schema = state.schema(id);
      return schema === undefined ? undefined : foundSchema(schema, parsed);
    };
    return this.#registry.glance(find) ?? (await this.#registry.read(find, signal));
  }

  latest(subject: string, signal: AbortSignal): Promise<(FoundSchema & { version: number }) | undefined> {
    return this.#registry.read((state, parsed) => {
      const latest = state.latest(subject);
      const schema = latest === undefined ? undefined : state.schema(latest.id);
      if (latest === undefined || schema === undefined) return undefined;
      return { ...foundSchema(schema, parsed), version: latest.version };
    }, signal);
  }

  subscribe(listener: () => void): Cancel {
    return this.#registry.subscribe(listener);
  }
}

/** A schema of the registry as tables see it. */
export function foundSchema(schema: RegisteredSchema, parsed: ParsedSchemas): FoundSchema {
  const { id, schemaType: type, text } = schema;
  return { id, type, text, record: recordOf(schema, parsed) };
}

function recordOf(schema: RegisteredSchema, parsed: ParsedSchemas): AvroRecord | SchemaError {
  const { id, schemaType, references } = schema;
  if (schemaType !== 'AVRO')
    return new SchemaError('NOT_BUILT', `schema ${id} is of type ${schemaType}: only AVRO is built so far`);
  if (references.length > 0)
    return new SchemaError('NOT_BUILT', `schema ${id} refers to other subjects, which is not built`);
  try {
    return parsed.get(schema).record;
  } catch (error) {
    if (error instanceof SchemaError) return error;
    throw error;
  }
}
