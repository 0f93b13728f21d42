/** Which versions a new one must go with, and in which direction (Confluent's levels). */
export const compatibilityLevels = {
  NONE: { readsOld: false, readByOld: false, all: false },
  BACKWARD: { readsOld: true, readByOld: false, all: false },
  BACKWARD_TRANSITIVE: { readsOld: true, readByOld: false, all: true },
  FORWARD: { readsOld: false, readByOld: true, all: false },
  FORWARD_TRANSITIVE: { readsOld: false, readByOld: true, all: true },
  FULL: { readsOld: true, readByOld: true, all: false },
  FULL_TRANSITIVE: { readsOld: true, readByOld: true, all: true },
} as const satisfies Record<string, CompatibilityRule>;

export interface CompatibilityRule {
  /** The new schema reads data that was written with the old one. */
  readonly readsOld: boolean;
  readonly readByOld: boolean;
  /** All versions instead of the latest. */
  readonly all: boolean;
}

export type CompatibilityLevel = keyof typeof compatibilityLevels;

export const defaultCompatibilityLevel: CompatibilityLevel = 'BACKWARD';

export function isCompatibilityLevel(value: unknown): value is CompatibilityLevel {
  return typeof value === 'string' && Object.hasOwn(compatibilityLevels, value);
}
