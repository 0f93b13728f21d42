import { describe, it } from 'node:test';
import { describeAborts } from './contract/aborts.ts';
import { describeBodies } from './contract/bodies.ts';
import { describeConditions } from './contract/conditions.ts';
import { describeDeletes } from './contract/deletes.ts';
import { describeLists } from './contract/lists.ts';
import { describeRaces } from './contract/races.ts';
import { describeReads } from './contract/reads.ts';
import { describeRefusals } from './contract/refusals.ts';
import type { Declare } from './contract/expect.ts';
import type { ObjectStore } from './object-store.ts';

export interface OpenedStore {
  /** An empty store. */
  readonly store: ObjectStore;
  /** Another handle to the same data, as another process would have it; without one, `store` plays both parts. */
  readonly second?: ObjectStore | undefined;
  /** Closes the handles and removes the data. */
  readonly dispose: () => Promise<void>;
}

export interface ContractOptions {
  /** How often each race is run. Default 3. */
  readonly raceRounds?: number;
}

/**
 * Tests everything that `object-store.ts` promises, against any implementation: called in a test file, it declares one
 * `node:test` suite. `open` is called once a test.
 */
export function describeStoreContract(
  name: string,
  open: () => Promise<OpenedStore>,
  options: ContractOptions = {},
): void {
  const raceRounds = options.raceRounds ?? 3;
  const promise: Declare = (title, check) => {
    it(title, async () => {
      const { store, second, dispose } = await open();
      try {
        await check(store, second ?? store);
      } finally {
        await dispose();
      }
    });
  };
  describe(`the object store contract, kept by ${name}`, () => {
    describe('conditions', () => {
      describeConditions(promise);
    });
    describe('bodies', () => {
      describeBodies(promise);
    });
    describe('reads', () => {
      describeReads(promise);
    });
    describe('lists', () => {
      describeLists(promise);
    });
    describe('deletes', () => {
      describeDeletes(promise);
    });
    describe('refusals', () => {
      describeRefusals(promise);
    });
    describe('abort signals', () => {
      describeAborts(promise);
    });
    describe('races', () => {
      describeRaces(promise, raceRounds);
    });
  });
}
