import { icebergBounds, icebergModel, icebergMutants, icebergRedundancies } from './check-iceberg.ts';
import { multiModel } from './check-multi.ts';
import { checkModel } from './check.ts';
import { checkBounds, checkMutants } from './check-state.ts';
import { startingAfter } from './model.ts';
import type { Model } from './model.ts';
import { multiBounds, multiMutants } from './multi-state.ts';
import { searchAll, walkRandomly } from './search.ts';
import type { SearchResult, WalkResult } from './search.ts';

/** How to go through a model: every state within the bounds, or random walks. */
export type Way =
  | { readonly kind: 'all'; readonly limit?: number; readonly trace?: boolean }
  | { readonly kind: 'walks'; readonly walks: number; readonly length: number; readonly seed: number };

export interface RunRequest {
  /** Rules to break; none: the protocol. */
  readonly mutants?: readonly string[];
  readonly bounds?: Readonly<Record<string, number>>;
  /** Steps to take first: {@link startingAfter}. */
  readonly schedule?: readonly string[];
  readonly way: Way;
}

export interface RunnableModel {
  readonly mutants: readonly string[];
  /** Bounds with their defaults. */
  readonly bounds: Readonly<Record<string, number>>;
  run(request: RunRequest): SearchResult | WalkResult;
}

export const models: Readonly<Record<string, RunnableModel>> = {
  check: { mutants: checkMutants, bounds: checkBounds, run: runnerOf(checkModel) },
  'check-multi': { mutants: multiMutants, bounds: multiBounds, run: runnerOf(multiModel) },
  'check-iceberg': {
    mutants: [...icebergMutants, ...icebergRedundancies],
    bounds: icebergBounds,
    run: runnerOf(icebergModel),
  },
};

function runnerOf<S>(
  modelOf: (mutants: readonly string[], bounds: Readonly<Record<string, number>>) => Model<S>,
): RunnableModel['run'] {
  return ({ mutants = [], bounds = {}, schedule = [], way }) => {
    const model = startingAfter(modelOf(mutants, bounds), schedule);
    return way.kind === 'all' ? searchAll(model, way) : walkRandomly(model, way);
  };
}
