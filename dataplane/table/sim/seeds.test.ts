import { it } from 'node:test';
import { playInTest } from '../../log/sim/simulation-suite.ts';
import { crashPoints } from '../crash-points.ts';
import { tableSimulation } from './simulation.ts';

/** What `make test` spends: more seeds than it can play in that time, so a fast machine plays more. */
const seeds = 600;
const cpuSeconds = 60;

const leastInAHundred = {
  claims: 200,
  commits: 400,
  coordinatorChanges: 200,
  conflicts: 20,
  unknownOutcomes: 15,
  lateLandings: 100,
  kills: 200,
  pauses: 80,
  moves: 100,
  unawares: 60,
  compactions: 20,
  expiries: 10,
  columns: 10,
  harms: 5,
  stoppedRecords: 5,
} as const;

/** Processes that died at each crash point, in a hundred seeds at least: the rarest are reached in one seed of many. */
const deathsInAHundred = 0.3;

it(`keeps all invariants in ${seeds} seeds, or in as many as ${cpuSeconds} CPU-seconds allow`, async (t) => {
  const deaths = Object.fromEntries(crashPoints.map((name) => [name, deathsInAHundred]));
  await playInTest(t, tableSimulation, {
    seeds,
    cpuSeconds,
    fewestSeeds: 100,
    leastInAHundred: { ...leastInAHundred, ...deaths },
  });
});
