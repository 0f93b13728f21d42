import type { SimulationProgram } from '../../log/sim/simulation-program.ts';
import { tableMutants } from './mutants/all-mutants.ts';

export const tableSimulation: SimulationProgram = {
  name: 'table',
  folder: import.meta.dirname,
  mutants: tableMutants,
  load: async () => (await import('./run-seeds.ts')).runSeeds,
};
