import { StoreError } from '../../errors.ts';
import { Violation } from '../errors.ts';
import type { ProbeCase } from '../probe-case.ts';
import { bodyOf } from '../probe-ground.ts';
import { differenceFrom } from './conditions.ts';

export const writeReadDelete: ProbeCase = {
  name: 'write-read-delete',
  description: 'An object can be written, read back and deleted',
  severity: 'refuse',
  repeat: 'once',
  async round(ground) {
    for (const handle of ground.handles) {
      const planted = await ground.plant(handle, 'first', bodyOf('first object'));
      const problem = await differenceFrom(ground, handle, planted.key, planted);
      if (problem !== undefined) throw new Violation(`after an acknowledged write ${problem}`);
      await ground.remove(handle, planted.key);
    }
  },
};

export const objectId: ProbeCase = {
  name: 'object-id',
  description: 'The id in the metadata of a write is read back by HEAD and GET, and goes with its object',
  severity: 'refuse',
  repeat: 'once',
  async round(ground, round) {
    const [writer, reader] = [ground.handle(round), ground.handle(round + 1)];
    const ids = [
      '0190b3a0-7c1e-7f00-8000-0123456789ab/00000000000000000042/9f86d081884c7d65',
      ground.freshId('printable').padEnd(256, ` !"#$%&'()*+,-./:;<=>?@[]^_{|}~A`).slice(0, 255).concat('.'),
    ];
    for (const id of ids) {
      const key = ground.freshKey('named');
      const kind = await ground.tryWrite(writer, key, bodyOf('named'), id, { ifAbsent: true });
      const [info, got] = [await ground.head(reader, key), await ground.read(reader, key)];
      // A create that is refused for a lost answer of itself shows by its id, like everywhere.
      const gotId = got.kind === 'found' ? got.info.id : undefined;
      if (info?.id !== id || gotId !== id)
        throw new Violation(
          `an object was ${kind} with the id ${JSON.stringify(id)}; HEAD shows ${JSON.stringify(info?.id)}, GET ${JSON.stringify(gotId)}`,
        );
      await ground.tryWrite(writer, key, bodyOf('nameless'), undefined, { ifMatch: info.etag });
      const after = await ground.head(reader, key);
      if (after?.id !== undefined)
        throw new Violation(
          `an object was replaced without an id, and HEAD still shows ${JSON.stringify(after?.id)}`,
        );
    }
  },
};

export const wrongChecksum: ProbeCase = {
  name: 'wrong-checksum',
  description: 'A PUT whose bytes do not match their CRC32C is refused',
  severity: 'warn',
  repeat: 'once',
  async round(ground, round) {
    const key = ground.freshKey('damaged');
    const options = { ifAbsent: true, crc32c: 0xdeadbeef, id: ground.freshId('damaged') } as const;
    const answer = await ground.persist(async () => {
      try {
        const body = bodyOf('damaged on its way');
        return (await ground.handle(round).put(key, body, { ...options, signal: ground.signal })).kind;
      } catch (error) {
        if (error instanceof StoreError && error.code === 'CHECKSUM_REJECTED') return 'rejected';
        throw error;
      }
    });
    const got = await ground.read(ground.handle(round + 1), key);
    if (answer === 'rejected' && got.kind === 'absent') return;
    throw new Violation(
      'the store accepted bytes that do not match the CRC32C sent with them: bytes damaged on their way are stored and ' +
        'found out only when they are read; use TLS between Firn and this store',
    );
  },
};
