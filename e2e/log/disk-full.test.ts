import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { describe, it } from 'node:test';
import { promisify } from 'node:util';
import { fillUpAndGoOn } from './disk-full-run.ts';
import type { FullDisk } from './disk-full-run.ts';
import type { Cluster } from './cluster.ts';
import { openDirectory } from './place.ts';

const run = promisify(execFile);

/** In a mount namespace of its own: the disk is gone with the processes that use it, however they end. */
const smallDisk = 'mount -t tmpfs -o size=24m firn-test "$1"';

/** Why no small disk can be mounted here. */
async function mountingProblem(): Promise<string | false> {
  const root = await mkdtemp(path.join(os.tmpdir(), 'firn-mount-'));
  try {
    await run('unshare', ['--mount', 'sh', '-c', smallDisk, 'sh', root]);
    return false;
  } catch (error) {
    return `no tmpfs can be mounted here: ${error instanceof Error ? error.message : String(error)}`;
  } finally {
    await rm(root, { recursive: true });
  }
}

const injected: FullDisk = {
  fill: (cluster) => setFull(cluster, true),
  free: (cluster) => setFull(cluster, false),
};

async function setFull(cluster: Cluster, full: boolean): Promise<void> {
  for (const broker of cluster.running) await broker.call('fillDisk', { full }, { timeoutMs: 30_000 });
}

const skip = await mountingProblem();

describe('a full disk under the brokers', () => {
  it('makes appends wait and loses nothing, on a real small disk', { skip }, async () => {
    const root = await mkdtemp(path.join(os.tmpdir(), 'firn-disk-'));
    try {
      const program = path.join(import.meta.dirname, 'disk-full-run.ts');
      const command = `${smallDisk} && exec "$0" "$2" "$1"`;
      const args = ['--mount', 'sh', '-c', command, process.execPath, root, program];
      const { stdout } = await run('unshare', args);
      assert.match(stdout, /^\d+ batches acknowledged\n$/);
    } finally {
      await rm(root, { recursive: true });
    }
  });

  it('makes appends wait and loses nothing, with writes that fail', async () => {
    assert.ok((await fillUpAndGoOn(await openDirectory(), injected, { injectFullDisk: true })) > 0);
  });
});
