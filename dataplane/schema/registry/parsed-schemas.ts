import { RegistrySchema } from './registry-schema.ts';
import type { RegisteredSchema } from './registry-state.ts';

const maxParsed = 1_000;

/** Schemas of the registry that were parsed lately, by id: the least recently used ones go. */
export class ParsedSchemas {
  readonly #byId = new Map<number, RegistrySchema>();

  /** @throws SchemaError for a text that no version of Firn took in */
  get({ id, text }: Pick<RegisteredSchema, 'id' | 'text'>): RegistrySchema {
    const known = this.#byId.get(id);
    this.#byId.delete(id);
    const schema = known?.text === text ? known : RegistrySchema.parse(text);
    this.#byId.set(id, schema);
    for (const oldest of this.#byId.keys()) {
      if (this.#byId.size <= maxParsed) break;
      this.#byId.delete(oldest);
    }
    return schema;
  }
}
