import type { ProbeCase } from '../probe-case.ts';
import { bodyOf } from '../probe-ground.ts';
import { race, warmUp } from '../race.ts';

/** Races are run with bodies of all these sizes in turn: stores treat empty, small and larger bodies differently. */
const sizesBytes = [0, 100, 64 * 1024] as const;

export function raceSizeBytes(round: number): number {
  return sizesBytes[round % sizesBytes.length] ?? 0;
}

export const racingCreates: ProbeCase = {
  name: 'racing-creates',
  description: 'Of many PUTs with If-None-Match: * at once exactly one takes effect',
  severity: 'refuse',
  repeat: 'rounds',
  async round(ground, round) {
    if (round === 0) await warmUp(ground);
    await race(ground, raceSizeBytes(round), () =>
      Promise.resolve({ key: ground.freshKey('create'), condition: { ifAbsent: true } }),
    );
  },
};

export const racingCreatesAfterDelete: ProbeCase = {
  name: 'racing-creates-after-delete',
  description: 'The same under a key whose object has been deleted',
  severity: 'refuse',
  repeat: 'rounds',
  async round(ground, round) {
    if (round === 0) await warmUp(ground);
    await race(ground, raceSizeBytes(round), async () => {
      const { key } = await ground.plantAndRemove(ground.handle(round), 'recreate', bodyOf('deleted'));
      return { key, condition: { ifAbsent: true }, afterDelete: true };
    });
  },
};

export const racingIfMatch: ProbeCase = {
  name: 'racing-if-match',
  description: 'Of many PUTs with If-Match: the same ETag at once exactly one takes effect',
  severity: 'refuse',
  repeat: 'rounds',
  async round(ground, round) {
    if (round === 0) await warmUp(ground);
    // The contended object may be empty, the writers' bodies may not: where an ETag is a hash of the bytes, replacing an
    // empty object by an empty one would leave its ETag as it was, and the next writer would be right to win as well.
    const sizeBytes = raceSizeBytes(round);
    await race(ground, Math.max(1, sizeBytes), async () => {
      const base = await ground.plant(ground.handle(round), 'swap', bodyOf('base', sizeBytes));
      return { key: base.key, condition: { ifMatch: base.etag } };
    });
  },
};
