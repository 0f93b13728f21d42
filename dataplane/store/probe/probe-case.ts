import type { ProbeGround } from './probe-ground.ts';

/** One promise of an object store that Firn relies on, and how it is put to the test. */
export interface ProbeCase {
  /** Kebab-case; stands in reports, records and refusals. */
  readonly name: string;
  /** What must hold, for people. */
  readonly description: string;
  /** What a store that breaks it does to Firn: `'refuse'` it, or accept it with a `'warn'`ing. */
  readonly severity: 'refuse' | 'warn';
  /**
   * How often the case is repeated when `rounds` are asked for: all of them (races and visibility), `large`: two fifths,
   * at most 50 (64 MiB each), or once (fixed facts).
   */
  readonly repeat: 'rounds' | 'large' | 'once';
  /**
   * Runs one round on fresh keys and resolves when the promise held.
   * @throws `Violation` when it did not, `Inconclusive` or a StoreError when that could not be found out.
   */
  round(ground: ProbeGround, round: number): Promise<void>;
}
