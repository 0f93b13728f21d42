import type { SeedsRequest, SeedsResult } from '../../runtime/play-seeds.ts';
import type { Edit } from './mutants/mutant.ts';

/** A mutant of any simulation: see `Mutant`. */
export interface AnyMutant {
  readonly breaks: string;
  readonly caughtBy: readonly string[];
  readonly edits: readonly Edit[];
}

/** A simulation, as its command and its tests run it. */
export interface SimulationProgram {
  /** After `npm run -s sim --`. */
  readonly name: string;
  /** Its `sim/`, where `main.ts` is, and the record of where mutants were caught. */
  readonly folder: string;
  readonly mutants: Readonly<Record<string, AnyMutant>>;
  /** Loads the production code, after a mutant was made of it. */
  readonly load: () => Promise<(request: SeedsRequest) => Promise<SeedsResult<string, string>>>;
}
