import type { Invariant } from '../violation.ts';

/** One place of the production code that a mutant changes. */
export interface Edit {
  /** From `dataplane/`. */
  readonly file: string;
  /** Stands in the file exactly once; else the mutant is refused, so that it can never be the unchanged code. */
  readonly find: string;
  readonly replace: string;
}

/** The production code with one rule of the protocol broken (log.md 2.14). The simulation has to find it. */
export interface Mutant {
  /** The rule, as it is broken. */
  readonly breaks: string;
  /** What may show it; more than one when the first thing that goes wrong depends on the seed. */
  readonly caughtBy: readonly Invariant[];
  readonly edits: readonly Edit[];
}

/** The source of one file as the mutant has it. */
export function mutate(source: string, file: string, edits: readonly Edit[]): string {
  let mutated = source;
  for (const edit of edits) {
    if (edit.file !== file) continue;
    const parts = mutated.split(edit.find);
    if (parts.length !== 2) {
      throw new Error(
        `a mutant changes ${JSON.stringify(edit.find)} in dataplane/${file}, which stands there ${parts.length - 1} times: bring the mutant up to date with the code`,
      );
    }
    mutated = parts.join(edit.replace);
  }
  return mutated;
}
