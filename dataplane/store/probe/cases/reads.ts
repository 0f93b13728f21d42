import { StoreError } from '../../errors.ts';
import type { ByteRange } from '../../object-store.ts';
import { Violation } from '../errors.ts';
import type { ProbeCase } from '../probe-case.ts';
import { bodyOf } from '../probe-ground.ts';

export const conditionalGet: ProbeCase = {
  name: 'conditional-get',
  description: 'A GET with If-None-Match answers 304 until the object changes, and the object afterwards',
  severity: 'refuse',
  repeat: 'rounds',
  async round(ground, round) {
    const [writer, reader] = [ground.handle(round), ground.handle(round + 1)];
    const old = await ground.plant(writer, 'polled', bodyOf('old'));
    const before = await ground.read(reader, old.key, { ifNoneMatch: old.etag });
    if (before.kind !== 'unchanged')
      throw new Violation(
        `a GET with If-None-Match: the current ETag answered "${before.kind}" instead of 304`,
      );
    const current = await ground.replace(writer, old, bodyOf('current'));
    const after = await ground.read(reader, old.key, { ifNoneMatch: old.etag });
    if (after.kind !== 'found' || after.info.etag !== current.etag)
      throw new Violation(
        `after a change a GET with If-None-Match: the old ETag answered "${after.kind}" instead of the new object`,
      );
  },
};

/** What a GET with a range must return of an object of 1000 bytes. */
const ranges: readonly { readonly range: ByteRange; readonly from: number; readonly to: number }[] = [
  { range: { start: 0, end: 1 }, from: 0, to: 1 },
  { range: { start: 10, end: 20 }, from: 10, to: 20 },
  { range: { start: 990 }, from: 990, to: 1000 },
  { range: { start: 999, end: 5000 }, from: 999, to: 1000 },
  { range: { suffix: 1 }, from: 999, to: 1000 },
  { range: { suffix: 64 }, from: 936, to: 1000 },
  // Recovery reads the last 64 KiB of objects of any size.
  { range: { suffix: 65_536 }, from: 0, to: 1000 },
];

export const rangedGet: ProbeCase = {
  name: 'ranged-get',
  description: 'A GET of a range, or of the last bytes, returns exactly these and the size of the object',
  severity: 'refuse',
  repeat: 'once',
  async round(ground, round) {
    const body = Uint8Array.from({ length: 1000 }, (_, i) => (i * 7) % 251);
    const { key } = await ground.plant(ground.handle(round), 'ranged', body);
    for (const { range, from, to } of ranges) {
      const got = await ground.read(ground.handle(round + 1), key, { range });
      const isRight =
        got.kind === 'found' &&
        got.offset === from &&
        got.info.sizeBytes === body.byteLength &&
        Buffer.compare(got.body, body.subarray(from, to)) === 0;
      if (isRight) continue;
      const shown =
        got.kind === 'found'
          ? `${got.body.byteLength} bytes from ${got.offset} of ${got.info.sizeBytes}`
          : got.kind;
      throw new Violation(`a GET of ${JSON.stringify(range)} of 1000 bytes returned ${shown}`);
    }
    try {
      const got = await ground.read(ground.handle(round + 1), key, { range: { start: 1000, end: 1001 } });
      throw new Violation(`a GET of a range behind the end answered "${got.kind}" instead of 416`);
    } catch (error) {
      if (!(error instanceof StoreError && error.code === 'RANGE_NOT_SATISFIABLE')) throw error;
    }
  },
};
