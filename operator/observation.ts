import type { KubernetesApi, RequestOptions } from './kubernetes-api.ts';
import type { KubernetesObject, ObjectRef, ResourceType } from './kubernetes-object.ts';

/**
 * What is known of something that may or may not exist. A failed look is `unknown`, never `absent`: nothing is created,
 * replaced or removed on the ground that it could not be seen.
 */
export type Observation<T> =
  | { readonly state: 'present'; readonly value: T }
  | { readonly state: 'absent' }
  | { readonly state: 'unknown'; readonly error: unknown };

/** Looks; never rejects. `undefined` is the source's own word that there is none. */
export async function observe<T>(look: () => Promise<T | undefined>): Promise<Observation<T>> {
  try {
    const value = await look();
    return value === undefined ? { state: 'absent' } : { state: 'present', value };
  } catch (error) {
    return { state: 'unknown', error };
  }
}

/** What a plan needs could not be seen: a run that meets it changes nothing, and is tried again. */
export class UnknownObservationError extends Error {
  override readonly name = 'UnknownObservationError';

  constructor(cause: unknown) {
    super(`what exists could not be seen: ${cause instanceof Error ? cause.message : String(cause)}`, {
      cause,
    });
  }
}

/**
 * For plans that can decide nothing without it: what is there, or `undefined` where there is certainly nothing.
 *
 * @throws UnknownObservationError
 */
export function known<T>(observation: Observation<T>): T | undefined {
  switch (observation.state) {
    case 'present':
      return observation.value;
    case 'absent':
      return undefined;
    case 'unknown':
      throw new UnknownObservationError(observation.error);
  }
}

/** One object of the Kubernetes API. */
export function observeObject<T extends KubernetesObject>(
  api: Pick<KubernetesApi, 'find'>,
  type: ResourceType<T>,
  ref: ObjectRef,
  options?: RequestOptions,
): Promise<Observation<T>> {
  return observe(() => api.find(type, ref, options));
}
