import assert from 'node:assert/strict';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { cacheFolder, installInto, RealPartMissingError } from './real-part.ts';
import type { RealPart } from './real-part.ts';

describe('the cache of real parts', () => {
  it('is $FIRN_CACHE, else in $XDG_CACHE_HOME, else in the home folder', () => {
    assert.equal(cacheFolder({ FIRN_CACHE: '/a/b', XDG_CACHE_HOME: '/x' }), '/a/b');
    assert.equal(cacheFolder({ FIRN_CACHE: '', XDG_CACHE_HOME: '/x' }), '/x/firn');
    assert.equal(cacheFolder({}), path.join(os.homedir(), '.cache/firn'));
  });
});

describe('installing a real part', () => {
  let cache = '';
  let installs = 0;
  const part: RealPart = {
    folder: 'thing-1',
    executable: 'bin',
    toolchain: ['true'],
    async install(folder) {
      installs++;
      await sleep(50);
      await writeFile(path.join(folder, 'bin'), 'works');
    },
  };

  beforeEach(async () => {
    installs = 0;
    cache = await mkdtemp(path.join(os.tmpdir(), 'firn-cache-'));
  });
  afterEach(() => rm(cache, { recursive: true, force: true }));

  it('happens once, even when several ask at the same time, and leaves only the part', async () => {
    const paths = await Promise.all([1, 2, 3].map(() => installInto(cache, 'thing', part)));
    assert.deepEqual(new Set(paths), new Set([path.join(cache, 'thing-1/bin')]));
    assert.equal(installs, 1);
    assert.equal(await readFile(paths[0] ?? '', 'utf8'), 'works');
    assert.deepEqual(await readdir(cache), ['thing-1']);
    await installInto(cache, 'thing', part);
    assert.equal(installs, 1);
  });

  it('takes over from an installer that died', async () => {
    // No process has this id: it is above every limit.
    await writeFile(path.join(cache, 'thing-1.lock'), '4194999\n');
    await installInto(cache, 'thing', part);
    assert.equal(installs, 1);
    assert.deepEqual(await readdir(cache), ['thing-1']);
  });

  it('names the toolchain that is missing', async () => {
    const needy: RealPart = { ...part, toolchain: ['firn-no-such-tool', '--version'] };
    await assert.rejects(installInto(cache, 'thing', needy), (error) => {
      assert.ok(error instanceof RealPartMissingError);
      assert.match(error.message, /^real part missing: thing: it needs firn-no-such-tool/);
      return true;
    });
    assert.deepEqual(await readdir(cache), []);
  });

  it('leaves nothing half-made behind when it fails, and can be tried again', async () => {
    const failing: RealPart = { ...part, install: () => Promise.reject(new Error('no network')) };
    await assert.rejects(installInto(cache, 'thing', failing), /thing: installing it failed: no network/);
    assert.deepEqual(await readdir(cache), []);
    await installInto(cache, 'thing', part);
    assert.equal(installs, 1);
  });
});
