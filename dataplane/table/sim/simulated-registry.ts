import { sleep } from '../../runtime/runtime.ts';
import type { Cancel, Runtime } from '../../runtime/runtime.ts';
import { parseFlatAvroRecord } from '../../schema/avro/avro-schema.ts';
import type { FoundSchema, SchemaLookup } from '../../schema/registry/schema-lookup.ts';

/** One registry for all brokers, which answers after a while, and now and then not at all. */
export class SimulatedRegistry {
  readonly #schemas = new Map<number, FoundSchema>();
  readonly #listeners = new Set<() => void>();
  /** Of the subject; `undefined`: it has no version. */
  latestId: number | undefined;
  /** Share of requests that are not answered. */
  failureShare = 0;

  register(id: number, text: string, isLatest: boolean): void {
    this.#schemas.set(id, { id, type: 'AVRO', text, record: parseFlatAvroRecord(text) });
    if (isLatest) this.latestId = id;
    for (const changed of this.#listeners) changed();
  }

  /** As one process sees it. */
  connect(runtime: Runtime): SchemaLookup {
    const ask = async <T>(answer: () => T): Promise<T> => {
      await sleep(runtime, runtime.random.fraction() * 3);
      if (runtime.random.fraction() < this.failureShare) throw new Error('the registry does not answer');
      return answer();
    };
    return {
      byId: (id) => ask(() => this.#schemas.get(id)),
      latest: () =>
        ask(() => {
          const found = this.latestId === undefined ? undefined : this.#schemas.get(this.latestId);
          return found === undefined ? undefined : { ...found, version: 1 };
        }),
      subscribe: (changed): Cancel => {
        // Told by a message, which reaches a process only while it runs.
        const tell = (): void => {
          runtime.after(1, changed);
        };
        this.#listeners.add(tell);
        return () => {
          this.#listeners.delete(tell);
        };
      },
    };
  }
}
