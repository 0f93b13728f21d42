import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { describe, it } from 'node:test';
import { promisify } from 'node:util';
import { realRuntime } from '../../runtime/real-runtime.ts';
import { StoreError } from '../errors.ts';
import type { StoreErrorCode } from '../errors.ts';
import type { ObjectStore } from '../object-store.ts';
import { fillAndRecover } from './full-disk.ts';
import { openFileStore } from './open-file-store.ts';
import { realFileSystem } from './real-file-system.ts';
import { SystemCallError } from './sim/model-disk.ts';
import { wrapFileSystem } from './wrapped-file-system.ts';

const run = promisify(execFile);

async function inFolder(work: (root: string) => Promise<void>): Promise<void> {
  const root = await mkdtemp(path.join(tmpdir(), 'firn-failing-disk-'));
  try {
    await work(root);
  } finally {
    await rm(root, { recursive: true });
  }
}

/** Opens a store whose next call that matches the pattern fails. */
async function openFailing(
  root: string,
): Promise<{ store: ObjectStore; fail: (call: RegExp, code: string) => void }> {
  let armed: { readonly call: RegExp; readonly code: string } | undefined;
  const fileSystem = wrapFileSystem(realFileSystem, async (what, call) => {
    if (armed?.call.test(what)) {
      const { code } = armed;
      armed = undefined;
      const [syscall = '', where = ''] = what.split(' ');
      throw new SystemCallError(code, syscall, where);
    }
    return await call();
  });
  const store = await openFileStore(root, { runtime: realRuntime, fileSystem });
  return {
    store,
    fail: (call, code) => {
      armed = { call, code };
    },
  };
}

async function errorOf(call: Promise<unknown>): Promise<StoreError> {
  const error: unknown = await call.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  assert.ok(error instanceof StoreError, `expected a StoreError, got ${String(error)}`);
  return error;
}

describe('the file store on a disk that fails', () => {
  const before: [call: RegExp, code: string, expected: StoreErrorCode][] = [
    [/^create /, 'ENOSPC', 'STORE_FULL'],
    [/^write /, 'ENOSPC', 'STORE_FULL'],
    [/^write /, 'EDQUOT', 'STORE_FULL'],
    [/^symlink .*meta/, 'ENOSPC', 'STORE_FULL'],
    [/^fsync .*tmp/, 'ENOSPC', 'STORE_FULL'],
    [/^mkdir .*folder$/, 'EDQUOT', 'STORE_FULL'],
    [/^link .*key$/, 'ENOSPC', 'STORE_FULL'],
    [/^link .*key$/, 'EROFS', 'STORE_FULL'],
    [/^create /, 'EACCES', 'ACCESS_DENIED'],
    [/^link .*key$/, 'EPERM', 'ACCESS_DENIED'],
    [/^open .*key$/, 'EACCES', 'ACCESS_DENIED'],
    [/^create /, 'EMFILE', 'THROTTLED'],
    [/^link .*key$/, 'EXDEV', 'INVALID_REQUEST'],
    [/^create /, 'EIO', 'SERVER_ERROR'],
  ];
  for (const [call, code, expected] of before) {
    it(`says ${expected} when ${String(call)} fails with ${code}, and nothing is written`, () =>
      inFolder(async (root) => {
        const { store, fail } = await openFailing(root);
        await store.put('other', Buffer.from('x'));
        fail(call, code);
        const error = await errorOf(
          store.put('folder/key', Buffer.from('x'), { id: 'first', ifAbsent: true }),
        );
        assert.equal(error.code, expected);
        assert.equal(error.details.serverCode, code);
        assert.ok(error.cause instanceof SystemCallError);
        assert.equal(await store.head('folder/key'), undefined);
        const [client = ''] = await readdir(`${root}/.firn/tmp`);
        assert.deepEqual(await readdir(`${root}/.firn/tmp/${client}`), []);
        const again = await store.put('folder/key', Buffer.from('y'), { id: 'second', ifAbsent: true });
        assert.equal(again.kind, 'written');
        assert.equal((await store.head('folder/key'))?.id, 'second');
        await store.close();
      }));
  }

  it('says that a write may have landed when it can be seen but may not survive a power failure', () =>
    inFolder(async (root) => {
      const { store, fail } = await openFailing(root);
      fail(/^fsync .*folder$/, 'ENOSPC');
      const created = await errorOf(store.put('folder/key', Buffer.from('x'), { ifAbsent: true, id: 'a' }));
      assert.equal(created.landed, 'maybe');
      assert.equal(created.code, 'SERVER_ERROR');
      const head = await store.head('folder/key');
      assert.equal(head?.id, 'a');
      fail(/^fsync .*chain.*key$/, 'EIO');
      const replaced = await errorOf(
        store.put('folder/key', Buffer.from('y'), { ifMatch: head.etag, id: 'b' }),
      );
      assert.equal(replaced.landed, 'maybe');
      assert.equal((await store.head('folder/key'))?.id, 'b');
      await store.close();
    }));

  it('never says that a read has landed', () =>
    inFolder(async (root) => {
      const { store, fail } = await openFailing(root);
      await store.put('key', Buffer.from('x'));
      fail(/^read /, 'EIO');
      const error = await errorOf(store.get('key'));
      assert.equal(error.code, 'SERVER_ERROR');
      assert.equal(error.landed, 'no');
      fail(/^open .*key/, 'EMFILE');
      assert.equal((await errorOf(store.list(''))).code, 'THROTTLED');
      await store.close();
    }));

  it('writes what it says it writes until the disk is full, and again when there is space', () =>
    inFolder(async (root) => {
      let freeBytes = 700_000;
      const fileSystem = wrapFileSystem(realFileSystem, async (what, call) => {
        if (what.startsWith('write ')) {
          if (freeBytes < 100_000) throw new SystemCallError('ENOSPC', 'write', what);
          freeBytes -= 100_000;
        }
        if (/^unlink .*\/big\//.test(what)) freeBytes += 100_000;
        return await call();
      });
      const store = await openFileStore(root, { runtime: realRuntime, fileSystem });
      assert.ok((await fillAndRecover(store)) >= 5);
      await store.close();
    }));

  it('does the same on a real small disk, where one can be mounted', () =>
    inFolder(async (root) => {
      // In a mount namespace of its own: the disk is gone with the process.
      const mount = `mount -t tmpfs -o size=1m firn-test ${root}`;
      const inNamespace = (command: string, ...args: string[]): Promise<{ stdout: string }> =>
        run('unshare', ['--mount', 'sh', '-c', command, ...args]);
      const mounts = await inNamespace(mount).then(
        () => true,
        () => false,
      );
      if (!mounts) return; // The injected disk above has shown the same.
      const program = path.join(import.meta.dirname, 'full-disk.ts');
      const { stdout } = await inNamespace(`${mount} && exec "$0" "$@"`, process.execPath, program, root);
      assert.match(stdout, /^filled with \d+ objects, and recovered\n$/);
    }));
});
