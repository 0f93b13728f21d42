import type { Invariant } from '../violation.ts';

/** Where a mutant was caught, and by which invariant. */
export interface Catch {
  readonly seed: number;
  readonly invariant: Invariant;
}
