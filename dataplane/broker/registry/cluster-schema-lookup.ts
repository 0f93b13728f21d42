import type { Cancel } from '../../runtime/runtime.ts';
import { ParsedSchemas } from '../../schema/registry/parsed-schemas.ts';
import type { Registry } from '../../schema/registry/registry.ts';
import { RegistryError } from '../../schema/registry/registry-error.ts';
import type { RegisteredSchema } from '../../schema/registry/registry-state.ts';
import { RegistrySchemaLookup, foundSchema } from '../../schema/registry/schema-lookup.ts';
import type { FoundSchema, SchemaLookup } from '../../schema/registry/schema-lookup.ts';
import { PeerError } from '../peers/peer-error.ts';
import type { LatestSchema } from '../peers/schema-methods.ts';
import type { RegistryDirectory } from './registry-directory.ts';

/** Asks the registry of another broker. Rejects with a PeerError. */
export interface RemoteSchemas {
  byId(broker: number, id: number, signal: AbortSignal): Promise<RegisteredSchema | undefined>;
  latest(broker: number, subject: string, signal: AbortSignal): Promise<LatestSchema | undefined>;
}

/** Most that are kept of what other brokers have told: what an id stands for never changes. */
const maxKept = 1_000;

/** Schemas for any broker: from its own registry when it has it, else from the broker that does. */
export class ClusterSchemaLookup implements SchemaLookup {
  readonly #local: RegistrySchemaLookup;
  readonly #registry: Registry;
  readonly #directory: Pick<RegistryDirectory, 'place'>;
  readonly #remote: RemoteSchemas | undefined;
  readonly #parsed = new ParsedSchemas();
  /** By id; least recently asked for first. */
  readonly #told = new Map<number, RegisteredSchema>();

  constructor(parts: {
    readonly registry: Registry;
    readonly directory: Pick<RegistryDirectory, 'place'>;
    readonly remote: RemoteSchemas | undefined;
  }) {
    this.#registry = parts.registry;
    this.#local = new RegistrySchemaLookup(parts.registry);
    this.#directory = parts.directory;
    this.#remote = parts.remote;
  }

  async byId(id: number, signal: AbortSignal): Promise<FoundSchema | undefined> {
    const told = this.#told.get(id);
    if (told !== undefined) return foundSchema(this.#keep(told), this.#parsed);
    const owner = this.#elsewhere();
    if (owner === undefined) return await this.#local.byId(id, signal);
    const found = await asked(owner.remote.byId(owner.broker, id, signal));
    return found === undefined ? undefined : foundSchema(this.#keep(found), this.#parsed);
  }

  async latest(
    subject: string,
    signal: AbortSignal,
  ): Promise<(FoundSchema & { readonly version: number }) | undefined> {
    const owner = this.#elsewhere();
    if (owner === undefined) return await this.#local.latest(subject, signal);
    const found = await asked(owner.remote.latest(owner.broker, subject, signal));
    if (found === undefined) return undefined;
    return { ...foundSchema(this.#keep(found.schema), this.#parsed), version: found.version };
  }

  /** Tells of what happens in the registry of this broker only; who relies on it has to ask now and then. */
  subscribe(listener: () => void): Cancel {
    return this.#registry.subscribe(listener);
  }

  #elsewhere(): { readonly broker: number; readonly remote: RemoteSchemas } | undefined {
    const { place } = this.#directory;
    const remote = this.#remote;
    return place.kind === 'other' && remote !== undefined ? { broker: place.brokerId, remote } : undefined;
  }

  #keep(schema: RegisteredSchema): RegisteredSchema {
    this.#told.delete(schema.id);
    this.#told.set(schema.id, schema);
    if (this.#told.size > maxKept) {
      const [oldest] = this.#told.keys();
      if (oldest !== undefined) this.#told.delete(oldest);
    }
    return schema;
  }
}

/** Whoever had the registry is on the move, or cannot be reached: the same question may be answered later. */
async function asked<T>(answer: Promise<T>): Promise<T> {
  try {
    return await answer;
  } catch (error) {
    if (!(error instanceof PeerError)) throw error;
    throw new RegistryError('noOwner', `the schema registry cannot be asked: ${error.message}`, {
      cause: error,
    });
  }
}
