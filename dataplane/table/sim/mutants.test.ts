import { describe } from 'node:test';
import { testMutants } from '../../log/sim/simulation-suite.ts';
import { tableSimulation } from './simulation.ts';

describe('every mutant of tables', () => {
  testMutants(tableSimulation);
});
