import { runSimulation } from '../../log/sim/simulation-command.ts';
import { brokerSimulation } from './simulation.ts';

await runSimulation(brokerSimulation);
