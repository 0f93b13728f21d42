import { isHomogeneous } from './assignor.ts';
import type { Assignor } from './assignor.ts';
import { assignUniformHeterogeneous } from './uniform-heterogeneous.ts';
import { assignUniformHomogeneous } from './uniform-homogeneous.ts';

/**
 * All partitions of all topics spread evenly over the members. In this order: everybody gets as many as the others, as
 * far as subscriptions allow; members keep what they have; partitions go to members of their rack (KIP-881).
 */
export const assignUniform: Assignor = (spec) =>
  isHomogeneous(spec) ? assignUniformHomogeneous(spec) : assignUniformHeterogeneous(spec);
