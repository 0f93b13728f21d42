import assert from 'node:assert/strict';
import { LogError } from '../errors.ts';
import type { LogErrorCode } from '../errors.ts';
import type { GroupReaderEnvironment } from './group-reader.ts';
import { GroupReader } from './group-reader.ts';
import type { LogFixture } from './log-fixture.ts';
import { assertBatches } from './written-batch.ts';

export const readOptions = { readChunkBytes: 4096, readAheadBytes: 8192 };

/** A group reader with a clock that the test moves. */
export function readerOf(
  fixture: LogFixture,
  more: Partial<GroupReaderEnvironment> = {},
): GroupReader & { clock: { nowMs: number } } {
  const clock = { nowMs: 0 };
  const { store, group } = fixture;
  const runtime = { monotonicMs: () => clock.nowMs };
  return Object.assign(new GroupReader({ store, runtime, group, options: readOptions, ...more }), { clock });
}

/** Reads from `offset` on until the end is seen, or nothing comes; checks every batch. Returns where it ended. */
export async function readAll(
  fixture: LogFixture,
  reader: GroupReader,
  partition: number,
  offset = 0,
): Promise<number> {
  let next = offset;
  for (;;) {
    const { pieces, nextOffset, sizeBytes } = await reader.read(partition, next, 2000);
    assert.equal(assertBatches(fixture.history(partition), next, pieces), nextOffset);
    if (sizeBytes === 0) return next;
    next = nextOffset;
  }
}

export const isLogError =
  (code: LogErrorCode, ...words: string[]) =>
  (error: unknown): boolean => {
    assert(error instanceof LogError, String(error));
    assert.equal(error.code, code, error.message);
    for (const word of words) assert(error.message.includes(word), error.message);
    return true;
  };
