import type { SimulationProgram } from '../../log/sim/simulation-program.ts';
import { brokerMutants } from './mutants/all-mutants.ts';

export const brokerSimulation: SimulationProgram = {
  name: 'broker',
  folder: import.meta.dirname,
  mutants: brokerMutants,
  load: async () => (await import('./run-seeds.ts')).runSeeds,
};
