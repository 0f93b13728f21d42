import type { Cancel } from '../../runtime/runtime.ts';
import type { ParsedSchemas } from './parsed-schemas.ts';
import type { RegistryChange } from './registry-changes.ts';
import type { RegistryState } from './registry-state.ts';

/**
 * One cluster's registry, as its routes and the tables see it. All promises reject with a `RegistryError` `notTheOwner` or
 * `noOwner` when this process cannot answer for it now.
 */
export interface Registry {
  /**
   * Asks the state, confirmed: it includes whatever was acknowledged by anybody before the call. `query` runs without
   * interruption; what it throws comes out.
   */
  read<T>(query: (state: RegistryState, parsed: ParsedSchemas) => T, signal: AbortSignal): Promise<T>;

  /**
   * What this process knows at this moment, without asking whether it is up to date; `undefined` when it knows nothing.
   * For what never changes once it is there: the text of an id.
   */
  glance<T>(query: (state: RegistryState, parsed: ParsedSchemas) => T): T | undefined;

  /**
   * Decides on the newest state, one decision after the other; resolves with the answer when the records are durable. When
   * it rejects with `noOwner` the change may have been made.
   */
  write<T>(
    decide: (state: RegistryState, parsed: ParsedSchemas) => RegistryChange<T>,
    signal: AbortSignal,
  ): Promise<T>;

  /** Tells that schemas, versions or levels may have changed. In calls that must not throw. */
  subscribe(listener: () => void): Cancel;
}
