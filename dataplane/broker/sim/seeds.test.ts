import { it } from 'node:test';
import { playInTest } from '../../log/sim/simulation-suite.ts';
import { brokerSimulation } from './simulation.ts';

/** What `make test` spends: more seeds than it can play in that time, so a fast machine plays more. */
const seeds = 1_000;
const cpuSeconds = 60;

const leastInAHundred = {
  kills: 200,
  pauses: 50,
  moves: 100,
  replaced: 100,
  brokenConnections: 200,
  cuts: 200,
} as const;

it(`keeps all promises to clients in ${seeds} seeds, or in as many as ${cpuSeconds} CPU-seconds allow`, async (t) => {
  await playInTest(t, brokerSimulation, { seeds, cpuSeconds, fewestSeeds: 50, leastInAHundred });
});
