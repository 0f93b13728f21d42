import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import {
  copyFile,
  mkdir,
  mkdtemp,
  realpath,
  readdir,
  readFile,
  rename,
  rm,
  symlink,
  utimes,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { describe, it } from 'node:test';
import { promisify } from 'node:util';
import { realRuntime } from '../../runtime/real-runtime.ts';
import { StoreError } from '../errors.ts';
import type { StoreErrorCode } from '../errors.ts';
import type { ETag, ObjectStore, PutResult } from '../object-store.ts';
import { openFileStore } from './open-file-store.ts';
import type { FileStoreOptions } from './open-file-store.ts';
import { realFileSystem } from './real-file-system.ts';
import { wrapFileSystem } from './wrapped-file-system.ts';

async function withStore(
  work: (store: ObjectStore, root: string) => Promise<void>,
  options: Partial<FileStoreOptions> = {},
): Promise<void> {
  const root = await mkdtemp(path.join(tmpdir(), 'firn-file-store-'));
  try {
    const store = await openFileStore(root, { runtime: realRuntime, ...options });
    await work(store, root);
    await store.close();
  } finally {
    await rm(root, { recursive: true, force: true });
  }
}

function bytes(text: string): Uint8Array {
  return Buffer.from(text);
}

async function etagOf(put: Promise<PutResult>): Promise<ETag> {
  const result = await put;
  assert.ok(result.kind === 'written');
  return result.etag;
}

async function textOf(store: ObjectStore, key: string): Promise<string | undefined> {
  const object = await store.get(key);
  return object.kind === 'found' ? Buffer.from(object.body).toString() : undefined;
}

async function refused(code: StoreErrorCode, call: Promise<unknown>, message: RegExp): Promise<void> {
  await assert.rejects(call, (error) => {
    assert.ok(error instanceof StoreError, String(error));
    assert.equal(error.code, code);
    assert.match(error.message, message);
    return true;
  });
}

async function keysOf(store: ObjectStore, prefix = ''): Promise<string[]> {
  return (await store.list(prefix)).objects.map(({ key }) => key).toSorted();
}

describe('the files of a file store', () => {
  it('are plain files under their keys, with nothing but the bytes', () =>
    withStore(async (store, root) => {
      await store.put('table/data/a.parquet', [bytes('PAR1'), bytes('…PAR1')], { ifAbsent: true, id: 'x' });
      assert.equal(await readFile(`${root}/table/data/a.parquet`, 'utf8'), 'PAR1…PAR1');
      assert.deepEqual(await readdir(`${root}/table/data`), ['a.parquet']);
    }));

  it('follow overwrites and deletions', () =>
    withStore(async (store, root) => {
      let etag = await etagOf(store.put('table/version-hint.text', bytes('1'), { ifAbsent: true }));
      for (const version of ['2', '3', '4']) {
        etag = await etagOf(store.put('table/version-hint.text', bytes(version), { ifMatch: etag }));
        assert.equal(await readFile(`${root}/table/version-hint.text`, 'utf8'), version);
      }
      await store.delete('table/version-hint.text');
      assert.deepEqual(await readdir(root), ['.firn']);
      await store.put('table/version-hint.text', bytes('5'), { ifAbsent: true });
      assert.equal(await readFile(`${root}/table/version-hint.text`, 'utf8'), '5');
    }));

  it('that others put there are objects too', () =>
    withStore(async (store, root) => {
      await mkdir(`${root}/foreign`);
      await writeFile(`${root}/foreign/file`, 'one');
      assert.deepEqual(await keysOf(store), ['foreign/file']);
      const first = await store.head('foreign/file');
      assert.equal(first?.id, undefined);
      assert.equal(first?.sizeBytes, 3);
      await writeFile(`${root}/foreign/file`, 'other');
      const second = await store.head('foreign/file');
      assert.ok(second !== undefined && second.etag !== first.etag);
      assert.deepEqual(await store.put('foreign/file', bytes('x'), { ifAbsent: true }), {
        kind: 'condition-failed',
      });
      await etagOf(store.put('foreign/file', bytes('ours'), { ifMatch: second.etag, id: 'mine' }));
      assert.equal(await readFile(`${root}/foreign/file`, 'utf8'), 'ours');
    }));

  it('that others change in place, or copy, lose their etag and id', () =>
    withStore(async (store, root) => {
      const etag = await etagOf(store.put('key', bytes('aaa'), { id: 'mine' }));
      await copyFile(`${root}/key`, `${root}/copy`);
      assert.notEqual((await store.head('copy'))?.etag, etag);
      await writeFile(`${root}/key`, 'bbb');
      await utimes(`${root}/key`, 1, 1);
      const head = await store.head('key');
      assert.notEqual(head?.etag, etag);
      assert.equal(head?.id, undefined);
    }));

  it('that are no plain files are no objects', () =>
    withStore(async (store, root) => {
      await promisify(execFile)('mkfifo', [`${root}/pipe`]);
      await symlink('/etc/hostname', `${root}/link`);
      assert.deepEqual(await keysOf(store), []);
      assert.equal(await store.head('pipe'), undefined);
      assert.equal(await store.head('link'), undefined);
      for (const key of ['pipe', 'link'])
        await refused('INVALID_REQUEST', store.put(key, bytes('x'), { ifAbsent: true }), /not a plain file/);
      await refused('INVALID_REQUEST', store.put('pipe/x', bytes('x')), /not a directory/);
    }));
});

describe('keys of a file store', () => {
  it('may not clash with its own files, and the sentence says so', () =>
    withStore(async (store) => {
      for (const key of ['.firn', '.firn/format', 'a/.firn-1', '.firnament/x']) {
        await refused(
          'INVALID_REQUEST',
          store.put(key, bytes('x')),
          /begins with "\.firn".*own files; choose another/,
        );
        await refused('INVALID_REQUEST', store.get(key), /own files/);
        await refused('INVALID_REQUEST', store.head(key), /own files/);
        await refused('INVALID_REQUEST', store.delete(key), /own files/);
        assert.deepEqual(
          (await store.deleteMany([key])).map(({ error }) => error.code),
          ['INVALID_REQUEST'],
        );
      }
      await store.put('a.firn/x', bytes('x'));
      await store.put('visible', bytes('x'));
      await store.put('visible', bytes('y'));
      assert.deepEqual(await keysOf(store), ['a.firn/x', 'visible']);
      assert.deepEqual(await keysOf(store, '.'), []);
    }));

  it('may not be prefixes of each other, and the sentence names both', () =>
    withStore(async (store) => {
      await store.put('a/b', bytes('x'));
      await store.put('dir/one/two', bytes('x'));
      await store.put('dir/one/two', bytes('overwritten'));
      const below = /"a\/b\/c" .*the object "a\/b" exists.*"a\/b" would be a file and a directory/;
      await refused('INVALID_REQUEST', store.put('a/b/c', bytes('y'), { ifAbsent: true }), below);
      await refused('INVALID_REQUEST', store.put('a/b/c', bytes('y')), below);
      await refused('INVALID_REQUEST', store.put('a/b/c/d', bytes('y')), /"a\/b" exists/);
      await refused(
        'INVALID_REQUEST',
        store.put('dir', bytes('y'), { ifAbsent: true }),
        /"dir\/one\/two" exists/,
      );
      await refused(
        'INVALID_REQUEST',
        store.put('dir/one', bytes('y')),
        /"dir\/one\/two" exists.*"dir\/one" would be/,
      );
      assert.equal(await store.head('a/b/c'), undefined);
      assert.equal(await store.head('dir'), undefined);
    }));

  it('may become a file after a directory and the other way round', () =>
    withStore(async (store, root) => {
      await store.put('x/y/z', bytes('1'));
      await store.put('x/y/z', bytes('2'));
      await store.delete('x/y/z');
      await store.put('x', bytes('3'), { ifAbsent: true });
      await store.put('x', bytes('4'));
      await store.delete('x');
      await store.put('x/y', bytes('5'), { ifAbsent: true });
      await store.put('x/y', bytes('6'));
      assert.equal(await textOf(store, 'x/y'), '6');
      assert.deepEqual(await keysOf(store), ['x/y']);
      // Empty directories that others leave behind are in nobody's way.
      await mkdir(`${root}/left/over/there`, { recursive: true });
      await store.put('left', bytes('7'), { ifAbsent: true });
      assert.deepEqual(await keysOf(store), ['left', 'x/y']);
    }));

  it('are listed also when the plain file of an overwritten object is missing or out of date', () =>
    withStore(async (store, root) => {
      await store.put('d/kept', bytes('1'));
      await store.put('d/kept', bytes('2'), { id: 'second' });
      await rm(`${root}/d`, { recursive: true });
      await store.put('d/gone', bytes('1'));
      await store.put('d/gone', bytes('2'));
      const left = await readFile(`${root}/d/gone`);
      await store.delete('d/gone');
      await mkdir(`${root}/d`, { recursive: true });
      await writeFile(`${root}/d/gone`, left);
      assert.deepEqual(await keysOf(store), ['d/kept']);
      assert.equal(await textOf(store, 'd/kept'), '2');
      assert.equal((await store.head('d/kept'))?.id, 'second');
      assert.equal(await store.head('d/gone'), undefined);
      await store.put('d/gone', bytes('3'), { ifAbsent: true });
      assert.equal(await readFile(`${root}/d/gone`, 'utf8'), '3');
    }));
});

describe('versions in a file store', () => {
  it('never share an etag, also with equal bytes and after deletions', () =>
    withStore(async (store) => {
      const etags: ETag[] = [];
      for (let round = 0; round < 10; round++) {
        etags.push(await etagOf(store.put('key', bytes('same'))));
        if (round % 3 === 0) await store.delete('key');
      }
      assert.equal(new Set(etags).size, 10);
      for (const etag of etags.slice(0, -1))
        assert.deepEqual(await store.put('key', bytes('x'), { ifMatch: etag }), { kind: 'condition-failed' });
    }));

  it('go once they were overwritten long ago, and take their metadata along', async () => {
    let wallMs = Date.now();
    const runtime = { ...realRuntime, wallMs: () => wallMs };
    await withStore(
      async (store, root) => {
        const chain = `${root}/.firn/chain/key`;
        for (let version = 0; version < 30; version++)
          await store.put('key', bytes(`${version}`), { id: `${version}` });
        assert.equal((await readdir(chain)).length, 30);
        wallMs += 60_000;
        await store.put('key', bytes('last'));
        const kept = (await readdir(chain)).toSorted();
        assert.deepEqual(
          kept,
          [0, 23, 24, 25, 26, 27, 28, 29, 30].map((version) => `.firn-${version}`).toSorted(),
        );
        assert.equal(await textOf(store, 'key'), 'last');
        const metadata = await readdir(`${root}/.firn/meta`, { recursive: true, withFileTypes: true });
        assert.equal(metadata.filter((entry) => entry.isSymbolicLink()).length, 8);
      },
      { runtime },
    );
  });

  it('leave nothing behind when they are created and deleted', () =>
    withStore(async (store, root) => {
      const keys = Array.from({ length: 200 }, (_, i) => `wal/${i % 3}/${i}`);
      await Promise.all(keys.map((key) => store.put(key, bytes(key), { ifAbsent: true, id: key })));
      await store.delete(keys.pop() ?? '');
      assert.deepEqual(await store.deleteMany(keys), []);
      const all = await readdir(root, { recursive: true, withFileTypes: true });
      const files = all.filter((entry) => !entry.isDirectory()).map((entry) => entry.name);
      assert.deepEqual(files, ['format']);
      assert.deepEqual(await readdir(root), ['.firn']);
    }));

  it('being read stay what they were while they are overwritten and deleted', () =>
    withStore(async (store) => {
      const large = new Uint8Array(3_000_000).fill(1);
      await store.put('key', large);
      const stream = await store.getStream('key');
      assert.ok(stream.kind === 'found');
      await store.put('key', new Uint8Array(10).fill(2));
      await store.delete('key');
      let sizeBytes = 0;
      for await (const piece of stream.body) {
        sizeBytes += piece.byteLength;
        assert.ok(piece.byteLength >= 200_000 && piece.byteLength <= 1024 * 1024);
        assert.ok(piece.every((byte) => byte === 1));
      }
      assert.equal(sizeBytes, 3_000_000);
    }));

  it('read in part cost what the part costs', async () => {
    let readBytes = 0;
    const fileSystem = wrapFileSystem(realFileSystem, async (what, call) => {
      const result = await call();
      if (what.startsWith('read ') && typeof result === 'number') readBytes += result;
      return result;
    });
    await withStore(
      async (store) => {
        await store.put('key', new Uint8Array(5_000_000));
        readBytes = 0;
        await store.get('key', { range: { start: 1_000_000, end: 1_000_100 } });
        await store.get('key', { range: { suffix: 20 } });
        const stream = await store.getStream('key', { range: { start: 4_999_000 } });
        assert.ok(stream.kind === 'found');
        for await (const piece of stream.body) assert.equal(piece.byteLength, 1000);
        assert.equal(readBytes, 1120);
      },
      { fileSystem },
    );
  });
});

describe('durability of a file store', () => {
  /** The calls of one put, without the folder of the client. */
  async function callsOf(
    work: (store: ObjectStore, begin: () => readonly string[]) => Promise<void>,
  ): Promise<string[]> {
    let calls: string[] = [];
    let root = '';
    const fileSystem = wrapFileSystem(realFileSystem, async (what, call) => {
      const result = await call();
      calls.push(what);
      return result;
    });
    await withStore(
      async (store, at) => {
        root = at;
        await work(store, () => (calls = []));
        calls = [...calls];
      },
      { fileSystem },
    );
    return calls.map((call) =>
      call.replaceAll(`${root}/`, '').replaceAll(/\.firn\/tmp\/[^/ ]+\/\d+/g, 'TEMP'),
    );
  }
  const at = (calls: readonly string[], what: RegExp): number => {
    const found = calls.findIndex((call) => what.test(call));
    assert.notEqual(found, -1, `no ${String(what)} in\n${calls.join('\n')}`);
    return found;
  };

  it('has bytes and metadata on disk before a link shows them, and the folders before it succeeds', async () => {
    const calls = await callsOf(async (store, begin) => {
      begin();
      await store.put('new/folder/key', bytes('x'), { ifAbsent: true });
    });
    const link = at(calls, /^link TEMP new\/folder\/key$/);
    assert.ok(at(calls, /^fsync TEMP$/) < link);
    assert.ok(at(calls, /^symlink \.firn\/meta\//) < at(calls, /^fsync \.firn\/meta\/.$/));
    assert.ok(at(calls, /^fsync \.firn\/meta\/.$/) < link);
    assert.ok(at(calls, /^fsync new\/folder$/) > link);
    assert.ok(at(calls, /^fsync new$/) > link);
    assert.ok(
      calls.slice(link).some((call) => /^fsync \/.*firn-file-store-/.test(call)),
      'the root is synced',
    );
  });

  it('syncs three times for a put where the folders are known', async () => {
    // The first puts make folders for metadata, which of them depends on inode numbers.
    const puts: string[][] = [];
    await callsOf(async (store, begin) => {
      for (let i = 0; i < 40; i++) {
        const calls = begin();
        await store.put(`folder/${i}`, bytes('x'), { ifAbsent: true });
        puts.push(calls.filter((call) => call.startsWith('fsync ')));
      }
    });
    const [fewest = []] = puts.toSorted((a, b) => a.length - b.length);
    assert.equal(fewest.length, 3);
    assert.match(fewest.toSorted().join(' '), /\.firn\/meta\/. .*\.firn\/tmp\/.*\/folder$/);
  });

  it('has a new version in its folder on disk before the compare-and-swap succeeds', async () => {
    const calls = await callsOf(async (store, begin) => {
      const etag = await etagOf(store.put('folder/key', bytes('x'), { ifAbsent: true }));
      begin();
      await store.put('folder/key', bytes('y'), { ifMatch: etag });
    });
    const link = at(calls, /^link TEMP \.firn\/chain\/folder\/key\/\.firn-1$/);
    assert.ok(at(calls, /^link folder\/key \.firn\/chain\/folder\/key\/\.firn-0$/) < link);
    assert.ok(at(calls, /^fsync TEMP$/) < link);
    for (const folder of ['folder/key', 'folder', ''])
      assert.ok(at(calls, new RegExp(`^fsync \\.firn/chain${folder === '' ? '' : `/${folder}`}$`)) > link);
  });

  it('has a deletion on disk before it succeeds', async () => {
    const calls = await callsOf(async (store, begin) => {
      await store.put('folder/key', bytes('x'));
      await store.put('folder/other', bytes('x'));
      begin();
      await store.delete('folder/key');
    });
    assert.ok(at(calls, /^unlink folder\/key$/) < at(calls, /^fsync folder$/));
    assert.ok(at(calls, /^fsync folder$/) < at(calls, /^unlink \.firn\/meta\//));
  });
});

describe('a file store', () => {
  it('is made where nothing is, by any number of openers at once', () =>
    withStore(async (_store, root) => {
      const deep = `${root}/made/on/demand`;
      const stores = await Promise.all(
        Array.from({ length: 8 }, () => openFileStore(deep, { runtime: realRuntime })),
      );
      await Promise.all(stores.map((store, i) => store.put(`${i}`, bytes('x'))));
      for (const store of stores) assert.equal((await keysOf(store)).length, 8);
      await Promise.all(stores.map((store) => store.close()));
    }));

  it('is not made when it is not asked for', () =>
    withStore(async (_store, root) => {
      const opening = openFileStore(`${root}/missing`, { runtime: realRuntime, create: false });
      await refused('NO_SUCH_STORE', opening, /missing.*does not exist; create it/);
      await writeFile(`${root}/file`, '');
      await refused(
        'INVALID_REQUEST',
        openFileStore(`${root}/file`, { runtime: realRuntime }),
        /not a directory/,
      );
    }));

  it('of another format is refused', () =>
    withStore(async (_store, root) => {
      await writeFile(`${root}/.firn/format`, 'firn file store 2\n');
      const opening = openFileStore(root, { runtime: realRuntime });
      await refused(
        'INVALID_REQUEST',
        opening,
        /"firn file store 2\\n", this program knows "firn file store 1\\n"/,
      );
    }));

  it('may be reached through a symbolic link', () =>
    withStore(async (store, root) => {
      const link = `${root}-link`;
      await symlink(root, link);
      try {
        const other = await openFileStore(link, { runtime: realRuntime });
        await other.put('a/b', bytes('x'));
        assert.equal(await textOf(store, 'a/b'), 'x');
        await other.close();
      } finally {
        await rm(link);
      }
    }));

  it('that is gone is missed by every call, and not made again', () =>
    withStore(async (store, root) => {
      const etag = await etagOf(store.put('d/key', bytes('x')));
      await rename(root, `${root}-elsewhere`);
      try {
        for (const there of [false, true]) {
          // A disk that is not mounted leaves an empty directory.
          if (there) await mkdir(root);
          const gone = /not there, or holds no store any more; create it, or mount what belongs there/;
          await refused('NO_SUCH_STORE', store.get('d/key'), gone);
          await refused('NO_SUCH_STORE', store.getStream('d/key'), gone);
          await refused('NO_SUCH_STORE', store.head('d/key'), gone);
          await refused('NO_SUCH_STORE', store.list(''), gone);
          await refused('NO_SUCH_STORE', store.delete('d/key'), gone);
          await refused('NO_SUCH_STORE', store.deleteMany(['d/key']), gone);
          await refused('NO_SUCH_STORE', store.put('d/key', bytes('y')), gone);
          await refused('NO_SUCH_STORE', store.put('d/key', bytes('y'), { ifAbsent: true }), gone);
          await refused('NO_SUCH_STORE', store.put('d/key', bytes('y'), { ifMatch: etag }), gone);
        }
        assert.deepEqual(await readdir(root), []);
      } finally {
        await rm(`${root}-elsewhere`, { recursive: true });
      }
    }));

  it('sweeps what dead processes left, and only that', () =>
    withStore(async (store, root) => {
      await store.put('key', bytes('x'));
      const [living = ''] = await readdir(`${root}/.firn/tmp`);
      const [pid, start, namespace] = living.split('.');
      assert.equal(pid, `${process.pid}`);
      const old = new Date(Date.now() - 25 * 3600 * 1000);
      const leftovers = {
        [`999999999.${start}.${namespace}.aa`]: undefined, // No such process.
        [`${pid}.1.${namespace}.bb`]: undefined, // The number was given to another process.
        [`${pid}.${start}.1.cc`]: undefined, // Of another container, and young.
        [`${pid}.${start}.1.dd`]: old, // Of another container, and old.
      };
      for (const [name, time] of Object.entries(leftovers)) {
        await mkdir(`${root}/.firn/tmp/${name}`);
        await writeFile(`${root}/.firn/tmp/${name}/1`, 'half a body');
        await symlink('1 x 1 1', `${root}/.firn/tmp/${name}/2`);
        if (time !== undefined) await utimes(`${root}/.firn/tmp/${name}`, time, time);
      }
      const next = await openFileStore(root, { runtime: realRuntime });
      const kept = [living, `${pid}.${start}.1.cc`].toSorted();
      assert.deepEqual((await readdir(`${root}/.firn/tmp`)).toSorted(), kept);
      await next.close();
    }));

  it('works on when its temporary folder was taken away', () =>
    withStore(async (store, root) => {
      await store.put('key', bytes('1'));
      await rm(`${root}/.firn/tmp`, { recursive: true });
      await store.put('key', bytes('2'));
      assert.equal(await textOf(store, 'key'), '2');
      assert.equal(await readFile(`${root}/key`, 'utf8'), '2');
    }));

  it('closes its files: of calls that end early, and of streams that nobody reads', async () => {
    let open = 0;
    let folders = 0;
    let root = '';
    const fileSystem = wrapFileSystem(realFileSystem, async (what, call) => {
      const result = await call();
      const change = /^(open|create) /.test(what) ? 1 : what.startsWith('close ') ? -1 : 0;
      // Folders stay open for the next sync, until the store is closed.
      if (what.endsWith(` ${root}`) || /\/\.firn\/meta\/.$/.test(what)) folders += change;
      else if (!/\/\.firn(\/meta)?$/.test(what)) open += change;
      return result;
    });
    await withStore(
      async (store, at) => {
        root = await realpath(at);
        const etag = await etagOf(store.put('key', new Uint8Array(2_000_000)));
        await store.put('key', bytes('x'), { ifMatch: 'stale' as ETag });
        await store.get('key', { ifNoneMatch: etag });
        await store.get('key', { range: { start: 3_000_000 } }).catch(() => undefined);
        await store.put('key', { sizeBytes: 9, chunks: failing() }).catch(() => undefined);
        const left = await store.getStream('key');
        assert.ok(left.kind === 'found');
        for await (const _piece of left.body) break;
        // The file of a put is closed soon after it.
        for (let turns = 0; open > 0 && turns < 1000; turns++) await new Promise(setImmediate);
        assert.equal(open, 0);

        const abort = new AbortController();
        await store.getStream('key', { signal: abort.signal });
        assert.equal(open, 1);
        abort.abort();
        const hasty = new AbortController();
        const given = store.getStream('key', { signal: hasty.signal });
        hasty.abort();
        await assert.rejects(given);
        await store.getStream('key');
        assert.ok(folders > 0);
        await store.close();
        assert.deepEqual({ open, folders }, { open: 0, folders: 0 });
      },
      { fileSystem },
    );

    async function* failing(): AsyncGenerator<Uint8Array> {
      yield await Promise.resolve(bytes('x'));
      throw new Error('no more');
    }
  });
});
