import type { ObjectStore } from '../../object-store.ts';
import { Violation } from '../errors.ts';
import type { ProbeCase } from '../probe-case.ts';
import { bodyOf } from '../probe-ground.ts';
import type { Planted, ProbeGround } from '../probe-ground.ts';
import { differenceFrom } from './conditions.ts';

const sizesBytes = [0, 100, 64 * 1024] as const;

export const readAfterCreate: ProbeCase = {
  name: 'read-after-create',
  description: 'GET, HEAD and LIST on every connection see a new object at once',
  severity: 'refuse',
  repeat: 'rounds',
  async round(ground, round) {
    const body = bodyOf('new', sizesBytes[round % sizesBytes.length]);
    const planted = await ground.plant(ground.handle(round), 'new', body);
    await everyReaderShows(ground, round, planted);
  },
};

export const readAfterReplace: ProbeCase = {
  name: 'read-after-replace',
  description: 'GET, HEAD and LIST on every connection see a replaced object at once, under a new ETag',
  severity: 'refuse',
  repeat: 'rounds',
  async round(ground, round) {
    const old = await ground.plant(ground.handle(round), 'replaced', bodyOf('old'));
    const current = await ground.replace(ground.handle(round + 1), old, bodyOf('newer'));
    if (current.etag === old.etag)
      throw new Violation(`an object was replaced and its ETag stayed ${old.etag}`);
    await everyReaderShows(ground, round, current);
  },
};

export const readAfterDelete: ProbeCase = {
  name: 'read-after-delete',
  description: 'GET, HEAD and LIST on no connection show an object that has been deleted',
  severity: 'refuse',
  repeat: 'rounds',
  async round(ground, round) {
    const { key } = await ground.plantAndRemove(ground.handle(round), 'deleted', bodyOf('deleted'));
    // One object that came back is one contradiction, however many connections show it.
    let problem: string | undefined;
    await eachReader(ground, round, async (reader) => {
      const [got, info, listed] = await Promise.all([
        ground.read(reader, key),
        ground.head(reader, key),
        ground.list(reader, key),
      ]);
      const shownBy = [
        ...(got.kind === 'absent' ? [] : ['GET']),
        ...(info === undefined ? [] : ['HEAD']),
        ...(listed.length === 0 ? [] : ['LIST']),
      ];
      if (shownBy.length > 0) problem ??= `${shownBy.join(', ')} showed an object after its deletion`;
    });
    if (problem !== undefined) ground.doubt(problem);
  },
};

async function everyReaderShows(ground: ProbeGround, round: number, planted: Planted): Promise<void> {
  const { key, id, body, etag } = planted;
  await eachReader(ground, round, async (reader) => {
    const [problem, info, listed] = await Promise.all([
      differenceFrom(ground, reader, key, planted),
      ground.head(reader, key),
      ground.list(reader, key),
    ]);
    if (problem !== undefined) throw new Violation(`after an acknowledged write ${problem}`);
    if (info?.id !== id || info.etag !== etag || info.sizeBytes !== body.byteLength) {
      const shown = info === undefined ? 'no object' : JSON.stringify(info);
      throw new Violation(`after an acknowledged write HEAD shows ${shown}`);
    }
    if (listed.length !== 1 || listed[0]?.key !== key || listed[0].sizeBytes !== body.byteLength) {
      const shown =
        listed.map((object) => `${object.key} (${object.sizeBytes} bytes)`).join(', ') || 'nothing';
      throw new Violation(
        `after an acknowledged write of ${body.byteLength} bytes to ${key} LIST shows ${shown}`,
      );
    }
  });
}

/** Begins with a connection other than the writer's, which is the one most likely to be behind. */
async function eachReader(
  ground: ProbeGround,
  round: number,
  check: (reader: ObjectStore) => Promise<void>,
): Promise<void> {
  for (let i = 1; i <= ground.handles.length; i++) await check(ground.handle(round + i));
}
