import { createAfterDelete, createOnExisting, ifMatchOnMissing, staleIfMatch } from './cases/conditions.ts';
import { deleteMany, listPages, listStartAfter, oddKeys } from './cases/names.ts';
import { objectId, writeReadDelete, wrongChecksum } from './cases/objects.ts';
import { racingCreates, racingCreatesAfterDelete, racingIfMatch, racingLarge } from './cases/races.ts';
import { conditionalGet, rangedGet } from './cases/reads.ts';
import { readAfterCreate, readAfterDelete, readAfterReplace } from './cases/visibility.ts';
import type { ProbeCase } from './probe-case.ts';

/** Raised whenever a case is added or made stricter: a store that passed an older probe is probed again. */
export const probeVersion = 1;

/** In the order in which they run: whether the store can be reached at all, what is fatal, the rest. */
export const probeCases: readonly ProbeCase[] = [
  writeReadDelete,
  createOnExisting,
  staleIfMatch,
  ifMatchOnMissing,
  createAfterDelete,
  racingCreates,
  racingIfMatch,
  racingCreatesAfterDelete,
  racingLarge,
  readAfterCreate,
  readAfterReplace,
  readAfterDelete,
  conditionalGet,
  rangedGet,
  objectId,
  wrongChecksum,
  oddKeys,
  listPages,
  listStartAfter,
  deleteMany,
];
