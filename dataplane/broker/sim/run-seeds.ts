import { playSeeds } from '../../runtime/play-seeds.ts';
import type { SeedsRequest, SeedsResult } from '../../runtime/play-seeds.ts';
import { BrokerWorld, countNames } from './broker-world.ts';
import type { CountName } from './broker-world.ts';
import type { Invariant } from './violation.ts';

export function runSeeds(request: SeedsRequest): Promise<SeedsResult<CountName, Invariant>> {
  return playSeeds(request, countNames, async (seed, isTracing) => {
    const world = new BrokerWorld(seed, isTracing);
    return { ...(await world.play()), name: `${seed}`, trace: world.trace };
  });
}
