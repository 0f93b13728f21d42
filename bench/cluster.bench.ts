/**
 * Several brokers as one cluster. Placement: what it takes to decide where 100,000 partitions go among 300 brokers, in
 * milliseconds of the one thread that does it; the worst of all decisions and of all ways to cut the partitions up into
 * topics counts.
 */
import { placementTimes, shapes } from './cluster/placement.ts';
import type { Shape } from './cluster/placement.ts';
import { defineBench } from './harness.ts';

const placementShapes = Object.keys(shapes) as readonly Shape[];
const placementCase = (shape: Shape): string => `place 100,000 partitions, ${shape}`;

export const bench = defineBench({
  name: 'cluster',
  summary: 'Placement of 100,000 partitions on 300 brokers in three zones, in one, 1,000 and 100,000 topics.',

  cases: placementShapes.map((shape) => ({
    name: placementCase(shape),
    measure: ({ quick }: { quick: boolean }) => Promise.resolve(placementTimes(shape, quick)),
  })),

  ratios: [
    {
      name: 'place100kMs',
      better: 'lower',
      target: 1_000,
      over: placementShapes.map((shape) => ({
        name: shape,
        ratio: (run) => run(placementCase(shape), 'worstMs'),
      })),
    },
  ],
});
