import { rowProblem } from '../row-problem.ts';
import type { RowProblem, RowProblemCode } from '../row-problem.ts';

/** What can be wrong at each place of a generated function; the function names places by number, from 1. */
export class FailureSites {
  readonly #problems: RowProblem[] = [];

  add(code: RowProblemCode, message: string): number {
    return this.#problems.push(rowProblem(code, message));
  }

  /** @param site 0: nothing is wrong */
  problem(site: number): RowProblem | undefined {
    return this.#problems[site - 1];
  }
}
