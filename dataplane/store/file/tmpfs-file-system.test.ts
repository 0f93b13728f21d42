import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { describe, it } from 'node:test';
import { hasErrno } from './file-system.ts';
import { tmpfsFileSystem as fs } from './tmpfs-file-system.ts';

async function withFolder(work: (folder: string) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(path.join(tmpdir(), 'firn-tmpfs-'));
  try {
    await work(folder);
  } finally {
    await rm(folder, { recursive: true });
  }
}

describe('the file system for memory', () => {
  it('writes and reads what is small here, and what is large in another thread, whole', () =>
    withFolder(async (folder) => {
      // More pieces than one writev takes, and empty ones among them.
      const pieces = Array.from({ length: 2_500 }, (_, at) => Buffer.alloc(at % 5 === 0 ? 0 : 100, at % 251));
      for (const body of [[Buffer.from('small')], [Buffer.alloc(3_000_000, 'large')], pieces]) {
        const file = await fs.create(`${folder}/file`);
        await file.write(body);
        const whole = Buffer.concat(body);
        assert.deepEqual(await readFile(`${folder}/file`), whole);
        const into = Buffer.alloc(whole.length + 10);
        assert.equal(await file.read(into, 0), whole.length);
        assert.deepEqual(into.subarray(0, whole.length), whole);
        await file.close();
        await fs.unlink(`${folder}/file`);
      }
    }));

  it('closes a file when what is under way has ended, and refuses what comes later', () =>
    withFolder(async (folder) => {
      const file = await fs.create(`${folder}/file`);
      const body = Buffer.alloc(5_000_000, 'x');
      const writing = file.write([body]);
      const closing = file.close();
      await Promise.all([writing, closing, file.close()]);
      assert.equal((await readFile(`${folder}/file`)).length, body.length);
      await assert.rejects(file.read(Buffer.alloc(1), 0), (error) => hasErrno(error, 'EBADF'));
      await assert.rejects(file.stat(), (error) => hasErrno(error, 'EBADF'));
    }));

  it('lets the event loop go on while one call follows another', () =>
    withFolder(async (folder) => {
      let isOver = false;
      setTimeout(() => {
        isOver = true;
      }, 1);
      while (!isOver) await fs.stat(folder);
    }));
});
