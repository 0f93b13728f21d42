import type { Cancel } from '../runtime/runtime.ts';
import type { AvroRecord } from '../schema/avro/avro-schema.ts';

/** The registry, as tables need it. Every promise rejects while the registry cannot answer. */
export interface SchemaSource {
  /**
   * `undefined`: there is no schema with this id.
   *
   * @throws SchemaError for one that tables cannot be made of
   */
  byId(id: number, signal: AbortSignal): Promise<AvroRecord | undefined>;

  /**
   * The newest version of a subject; `undefined`: it has none.
   *
   * @throws SchemaError as `byId`
   */
  latest(subject: string, signal: AbortSignal): Promise<AvroRecord | undefined>;

  /** Calls back after something was registered. */
  subscribe(changed: () => void): Cancel;
}
