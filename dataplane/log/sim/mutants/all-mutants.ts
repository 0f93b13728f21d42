import { brokerMutants } from './broker-mutants.ts';
import { manifestMutants } from './manifest-mutants.ts';
import type { Mutant } from './mutant.ts';
import { readMutants } from './read-mutants.ts';
import { slotMutants } from './slot-mutants.ts';
import { sweepMutants } from './sweep-mutants.ts';

export const mutants = {
  ...slotMutants,
  ...manifestMutants,
  ...sweepMutants,
  ...readMutants,
  ...brokerMutants,
} as const;
export type MutantName = keyof typeof mutants;

export const mutantNames = Object.keys(mutants) as MutantName[];

export function isMutantName(name: string): name is MutantName {
  return Object.hasOwn(mutants, name);
}

export function mutantCalled(name: MutantName): Mutant {
  return mutants[name];
}
