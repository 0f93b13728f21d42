import { playSeeds } from '../../runtime/play-seeds.ts';
import type { SeedsRequest, SeedsResult } from '../../runtime/play-seeds.ts';
import { LogWorld, countNames } from './log-world.ts';
import type { CountName } from './log-world.ts';
import type { Invariant } from './violation.ts';

export interface LogSeedsResult extends SeedsResult<CountName, Invariant> {
  readonly storeRequests: number;
}

export async function runSeeds(request: SeedsRequest): Promise<LogSeedsResult> {
  let storeRequests = 0;
  const result = await playSeeds(request, countNames, async (seed, isTracing) => {
    const world = new LogWorld(seed, isTracing);
    const played = await world.run();
    storeRequests += played.storeRequests;
    return { ...played, name: `${seed} (${world.profile.name})`, trace: world.trace };
  });
  return { ...result, storeRequests };
}
