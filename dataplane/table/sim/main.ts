import { runSimulation } from '../../log/sim/simulation-command.ts';
import { tableSimulation } from './simulation.ts';

await runSimulation(tableSimulation);
