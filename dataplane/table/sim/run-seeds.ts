import { playSeeds } from '../../runtime/play-seeds.ts';
import type { SeedsRequest, SeedsResult } from '../../runtime/play-seeds.ts';
import { TableWorld, countNames } from './table-world.ts';
import type { CountName } from './table-world.ts';
import type { Invariant } from './violation.ts';

export function runSeeds(request: SeedsRequest): Promise<SeedsResult<CountName, Invariant>> {
  return playSeeds(request, countNames, async (seed, isTracing) => {
    const world = new TableWorld(seed, isTracing);
    const played = await world.play();
    return { ...played, name: `${seed} (${world.profile.name})`, trace: world.trace };
  });
}
