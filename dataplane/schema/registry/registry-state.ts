import { defaultCompatibilityLevel } from './compatibility-level.ts';
import type { CompatibilityLevel } from './compatibility-level.ts';
import type { RegistryRecord } from './registry-record.ts';

export interface RegisteredVersion {
  readonly version: number;
  readonly id: number;
  /** Soft deleted: hidden, but what was written with it can be read. */
  readonly deleted: boolean;
}

export interface RegisteredSchema {
  readonly id: number;
  readonly schemaType: string;
  /** As the registry gives it out: canonical, where Firn took it in. */
  readonly text: string;
  readonly references: readonly unknown[];
}

/** What the records of `_schemas` add up to. Changed by {@link apply} only; `registry-changes.ts` says which records to write. */
export class RegistryState {
  /** By subject, then version in ascending order. */
  readonly #subjects = new Map<string, Map<number, RegisteredVersion>>();
  readonly #schemas = new Map<number, RegisteredSchema>();
  readonly #ids = new Map<string, number>();
  /** How many versions have a schema, deleted ones included. */
  readonly #uses = new Map<number, number>();
  readonly #levels = new Map<string | undefined, CompatibilityLevel>();
  #maxId = 0;
  #textBytes = 0;

  apply(record: RegistryRecord): void {
    switch (record.kind) {
      case 'schema':
        this.#setVersion(record);
        return;
      case 'config':
        if (record.level === undefined) this.#levels.delete(record.subject);
        else this.#levels.set(record.subject, record.level);
        return;
      case 'deleteSubject': {
        const versions = this.#subjects.get(record.subject);
        for (const known of versions?.values() ?? [])
          if (known.version <= record.upToVersion) versions?.set(known.version, { ...known, deleted: true });
        return;
      }
    }
  }

  #setVersion({ key, value }: RegistryRecord & { readonly kind: 'schema' }): void {
    const versions = this.#subjects.get(key.subject) ?? new Map<number, RegisteredVersion>();
    const before = versions.get(key.version);
    if (value !== undefined) this.#use(value.id, { ...value });
    if (before !== undefined) this.#leave(before.id);
    if (value === undefined) versions.delete(key.version);
    else versions.set(key.version, { version: key.version, id: value.id, deleted: value.deleted });
    if (versions.size === 0) this.#subjects.delete(key.subject);
    else this.#subjects.set(key.subject, inOrder(versions));
  }

  #use(id: number, { schemaType, text, references }: Omit<RegisteredSchema, 'id'>): void {
    this.#maxId = Math.max(this.#maxId, id);
    this.#uses.set(id, (this.#uses.get(id) ?? 0) + 1);
    // An id stands for one text for ever: data was written with it.
    if (this.#schemas.has(id)) return;
    this.#schemas.set(id, { id, schemaType, text, references });
    this.#textBytes += text.length;
    const key = textKey(schemaType, text, references);
    if (!this.#ids.has(key)) this.#ids.set(key, id);
  }

  #leave(id: number): void {
    const left = (this.#uses.get(id) ?? 0) - 1;
    if (left > 0) {
      this.#uses.set(id, left);
      return;
    }
    this.#uses.delete(id);
    const schema = this.#schemas.get(id);
    if (schema === undefined) return;
    this.#schemas.delete(id);
    this.#textBytes -= schema.text.length;
    const key = textKey(schema.schemaType, schema.text, schema.references);
    if (this.#ids.get(key) === id) this.#ids.delete(key);
  }

  /** The highest that was ever given out: ids are not used again. 0: none. */
  get maxId(): number {
    return this.#maxId;
  }

  /** Characters of all texts. */
  get textSize(): number {
    return this.#textBytes;
  }

  /** In order. */
  subjects(includeDeleted = false): readonly string[] {
    const names = [...this.#subjects.keys()].filter(
      (subject) => includeDeleted || this.versions(subject).length > 0,
    );
    return names.toSorted((a, b) => (a < b ? -1 : 1));
  }

  /** Ascending; empty for a subject that is unknown. */
  versions(subject: string, includeDeleted = false): readonly RegisteredVersion[] {
    const all = [...(this.#subjects.get(subject)?.values() ?? [])];
    return includeDeleted ? all : all.filter(({ deleted }) => !deleted);
  }

  version(subject: string, version: number): RegisteredVersion | undefined {
    return this.#subjects.get(subject)?.get(version);
  }

  latest(subject: string, includeDeleted = false): RegisteredVersion | undefined {
    return this.versions(subject, includeDeleted).at(-1);
  }

  schema(id: number): RegisteredSchema | undefined {
    return this.#schemas.get(id);
  }

  /** @param text canonical */
  idOf(schemaType: string, text: string): number | undefined {
    return this.#ids.get(textKey(schemaType, text, []));
  }

  /** Where a schema is registered. */
  usesOf(
    id: number,
    includeDeleted = false,
  ): readonly { readonly subject: string; readonly version: number }[] {
    return this.subjects(includeDeleted).flatMap((subject) =>
      this.versions(subject, includeDeleted)
        .filter((known) => known.id === id)
        .map(({ version }) => ({ subject, version })),
    );
  }

  /** `undefined`: what holds for all. */
  ownLevel(subject: string): CompatibilityLevel | undefined {
    return this.#levels.get(subject);
  }

  get globalLevel(): CompatibilityLevel {
    return this.#levels.get(undefined) ?? defaultCompatibilityLevel;
  }

  levelOf(subject: string): CompatibilityLevel {
    return this.ownLevel(subject) ?? this.globalLevel;
  }
}

/** Versions almost always come in order. */
function inOrder(versions: Map<number, RegisteredVersion>): Map<number, RegisteredVersion> {
  const keys = [...versions.keys()];
  if (keys.every((key, index) => index === 0 || key > (keys[index - 1] ?? 0))) return versions;
  return new Map([...versions].toSorted(([a], [b]) => a - b));
}

function textKey(schemaType: string, text: string, references: readonly unknown[]): string {
  return references.length === 0 && schemaType === 'AVRO'
    ? text
    : JSON.stringify([schemaType, text, references]);
}
