import type { ProbeCase } from '../probe-case.ts';
import { bodyOf } from '../probe-ground.ts';
import type { ProbeGround } from '../probe-ground.ts';
import { canHoldBack, race, warmUp } from '../race.ts';
import type { Field, Start } from '../race.ts';

/** In turn: stores treat empty, small and larger bodies differently, and may look at a condition before or after a body. */
const fields: readonly Omit<Field, 'writers'>[] = [
  { sizeBytes: 0, heldBack: false },
  { sizeBytes: 100, heldBack: false },
  { sizeBytes: 64 * 1024, heldBack: false },
  { sizeBytes: 100, heldBack: true },
  { sizeBytes: 64 * 1024, heldBack: true },
];

/** Few, because all bytes are really sent. */
const maxLargeWriters = 8;

export const racingCreates: ProbeCase = {
  name: 'racing-creates',
  description: 'Of many PUTs with If-None-Match: * at once exactly one takes effect',
  severity: 'refuse',
  repeat: 'rounds',
  async round(ground, round) {
    await race(ground, await fieldOf(ground, round), () => freshStart(ground));
  },
};

export const racingCreatesAfterDelete: ProbeCase = {
  name: 'racing-creates-after-delete',
  description: 'The same under a key whose object has been deleted',
  severity: 'refuse',
  repeat: 'rounds',
  async round(ground, round) {
    await race(ground, await fieldOf(ground, round), async () => {
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
    // The contended object may be empty, the writers' bodies may not: where an ETag is a hash of the bytes, replacing an
    // empty object by an empty one would leave its ETag as it was, and the next writer would be right to win as well.
    const field = await fieldOf(ground, round);
    const writers = { ...field, sizeBytes: Math.max(1, field.sizeBytes) };
    await race(ground, writers, () => swapStart(ground, round, field.sizeBytes));
  },
};

export const racingLarge: ProbeCase = {
  name: 'racing-large',
  description: 'Both races with 8 writers of large objects (8 MiB)',
  severity: 'refuse',
  repeat: 'large',
  async round(ground, round) {
    const field: Field = {
      writers: Math.min(maxLargeWriters, ground.racers),
      sizeBytes: ground.largeBodyBytes,
      heldBack: await canHoldBack(ground),
    };
    await race(ground, field, () => (round % 2 === 0 ? freshStart(ground) : swapStart(ground, round, 100)));
  },
};

function freshStart(ground: ProbeGround): Promise<Start> {
  return Promise.resolve({ key: ground.freshKey('create'), condition: { ifAbsent: true } });
}

async function swapStart(ground: ProbeGround, round: number, sizeBytes: number): Promise<Start> {
  const base = await ground.plant(ground.handle(round), 'swap', bodyOf('base', sizeBytes));
  return { key: base.key, condition: { ifMatch: base.etag } };
}

async function fieldOf(ground: ProbeGround, round: number): Promise<Field> {
  if (round === 0) await warmUp(ground);
  const field = fields[round % fields.length] ?? { sizeBytes: 0, heldBack: false };
  return {
    writers: ground.racers,
    sizeBytes: field.sizeBytes,
    heldBack: field.heldBack && (await canHoldBack(ground)),
  };
}
