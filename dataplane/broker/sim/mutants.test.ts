import { describe } from 'node:test';
import { testMutants } from '../../log/sim/simulation-suite.ts';
import { brokerSimulation } from './simulation.ts';

describe('every mutant of the broker', () => {
  testMutants(brokerSimulation);
});
