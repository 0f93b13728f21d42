import assert from 'node:assert/strict';
import { mkdtemp, rename, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { it } from 'node:test';
import { realRuntime } from '../../runtime/real-runtime.ts';
import { groundOf } from './ground.ts';
import { Layout } from './layout.ts';
import { openFileStore } from './open-file-store.ts';
import { realFileSystem } from './real-file-system.ts';
import { wrapFileSystem } from './wrapped-file-system.ts';

it('the token of the first version is found while its file is being replaced by a mark', async () => {
  const root = await mkdtemp(path.join(tmpdir(), 'firn-chain-'));
  try {
    const store = await openFileStore(root, { runtime: realRuntime });
    const first = await store.put('key', Buffer.from('first'));
    assert.ok(first.kind === 'written');
    await store.put('key', Buffer.from('second'));
    await store.close();

    const layout = new Layout(root);
    let looks = 0;
    const fs = wrapFileSystem(realFileSystem, async (what, call) => {
      try {
        return await call();
      } finally {
        if (what === `readlink ${layout.versionPath('key', 0)}` && ++looks === 1) {
          await symlink(`base ${first.etag}`, `${root}/mark`);
          await rename(`${root}/mark`, layout.versionPath('key', 0));
        }
      }
    });
    assert.equal(await groundOf(fs, layout).chains.tokenAt('key', 0), first.etag);
    assert.ok(looks >= 1);
  } finally {
    await rm(root, { recursive: true });
  }
});
