import type { ObjectStore } from '../../object-store.ts';
import { Violation } from '../errors.ts';
import type { ProbeCase } from '../probe-case.ts';
import { bodyOf } from '../probe-ground.ts';
import type { Planted, ProbeGround } from '../probe-ground.ts';

export const createOnExisting: ProbeCase = {
  name: 'create-on-existing',
  description: 'A PUT with If-None-Match: * on an existing object is refused and changes nothing',
  severity: 'refuse',
  repeat: 'rounds',
  async round(ground, round) {
    const planted = await ground.plant(ground.handle(round), 'existing', bodyOf('first'));
    const { key } = planted;
    await mustBeRefused(ground, ground.handle(round + 1), key, { ifAbsent: true }, planted);
  },
};

export const staleIfMatch: ProbeCase = {
  name: 'stale-if-match',
  description: 'A PUT with If-Match: an ETag the object no longer has is refused and changes nothing',
  severity: 'refuse',
  repeat: 'rounds',
  async round(ground, round) {
    const old = await ground.plant(ground.handle(round), 'stale', bodyOf('old'));
    const current = await ground.replace(ground.handle(round), old, bodyOf('current'));
    await mustBeRefused(ground, ground.handle(round + 1), old.key, { ifMatch: old.etag }, current);
  },
};

export const ifMatchOnMissing: ProbeCase = {
  name: 'if-match-on-missing',
  description: 'A PUT with If-Match is refused where there is no object, never created or deleted',
  severity: 'refuse',
  repeat: 'rounds',
  async round(ground, round) {
    const other = await ground.plant(ground.handle(round), 'elsewhere', bodyOf('elsewhere'));
    const condition = { ifMatch: other.etag };
    await mustBeRefused(ground, ground.handle(round + 1), ground.freshKey('missing'), condition, undefined);
    const gone = await ground.plantAndRemove(ground.handle(round), 'gone', bodyOf('gone'));
    await mustBeRefused(ground, ground.handle(round + 1), gone.key, { ifMatch: gone.etag }, undefined);
  },
};

export const createAfterDelete: ProbeCase = {
  name: 'create-after-delete',
  description: 'A PUT with If-None-Match: * succeeds again once the object has been deleted',
  severity: 'refuse',
  repeat: 'rounds',
  async round(ground, round) {
    const { key } = await ground.plantAndRemove(ground.handle(round), 'again', bodyOf('first'));
    const handle = ground.handle(round + 1);
    const second = await ground.plant(handle, 'again', bodyOf('second'), key);
    const problem = await differenceFrom(ground, ground.handle(round), key, second);
    if (problem !== undefined) ground.doubt(`after delete and create ${problem}`);
  },
};

/** @param present what the key holds before, and must hold after. */
async function mustBeRefused(
  ground: ProbeGround,
  handle: ObjectStore,
  key: string,
  condition: { readonly ifAbsent: true } | { readonly ifMatch: Planted['etag'] },
  present: Planted | undefined,
): Promise<void> {
  const id = ground.freshId('intruder');
  const answer = await ground.tryWrite(handle, key, bodyOf(id), id, condition);
  if (answer === 'written') throw new Violation('the PUT was accepted');
  for (const reader of ground.handles) {
    const problem = await differenceFrom(ground, reader, key, present);
    if (problem !== undefined) throw new Violation(`the PUT was refused, and yet ${problem}`);
  }
}

/** What a GET shows that it should not, as the end of a sentence; undefined when all is well. */
export async function differenceFrom(
  ground: ProbeGround,
  reader: ObjectStore,
  key: string,
  expected: Planted | undefined,
): Promise<string | undefined> {
  const got = await ground.read(reader, key);
  if (got.kind !== 'found') return expected === undefined ? undefined : 'GET shows no object';
  if (expected === undefined) return `GET shows an object (id ${JSON.stringify(got.info.id)})`;
  if (got.info.id !== expected.id)
    return `GET shows the object of another write (id ${JSON.stringify(got.info.id)})`;
  if (Buffer.compare(got.body, expected.body) !== 0)
    return `GET shows ${got.body.byteLength} bytes that are not the ${expected.body.byteLength} that were written`;
  if (got.info.etag !== expected.etag)
    return `GET shows ETag ${got.info.etag}, the write was answered with ${expected.etag}`;
  return undefined;
}
