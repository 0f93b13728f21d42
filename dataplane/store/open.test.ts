import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { describe, it } from 'node:test';
import { promisify } from 'node:util';
import { realRuntime } from '../runtime/real-runtime.ts';
import { StoreError } from './errors.ts';
import { openStore } from './open.ts';

const runtime = realRuntime;

async function refusalOf(url: string): Promise<StoreError> {
  const error: unknown = await openStore(url, { runtime }).then(
    () => undefined,
    (reason: unknown) => reason,
  );
  assert.ok(error instanceof StoreError, `${url} was opened`);
  assert.equal(error.code, 'INVALID_REQUEST');
  assert.equal(error.details.operation, 'open');
  return error;
}

describe('openStore', () => {
  it('opens absolute and relative directories, with escapes, and makes them', async () => {
    const folder = await mkdtemp(path.join(tmpdir(), 'firn-open-'));
    try {
      const relative = path.relative(process.cwd(), folder);
      const urls = [
        `file://${folder}/a%20b/c`,
        `file:${folder}/x`,
        `file:./${relative}/y`,
        `file:${relative}/z`,
      ];
      for (const url of urls) {
        const store = await openStore(url, { runtime });
        await store.put('key', Buffer.from(url), { ifAbsent: true });
        await store.close();
      }
      assert.equal(await readFile(`${folder}/a b/c/key`, 'utf8'), urls[0]);
      for (const name of ['x', 'y', 'z']) await readFile(`${folder}/${name}/key`);
    } finally {
      await rm(folder, { recursive: true });
    }
  });

  it('opens a bucket with what the URL says about it, without sending anything', async () => {
    const store = await openStore('s3://bucket/some/prefix/?endpoint=http://127.0.0.1:9&pathStyle=true', {
      runtime,
      maxConnections: 2,
      s3: { credentials: { accessKeyId: 'id', secretAccessKey: 'secret' } },
    });
    assert.equal(store.name, 's3://bucket/some/prefix (http://127.0.0.1:9)');
    await store.close();
  });

  it('gives the same memory to the same name only', async () => {
    const put = await openStore('memory:shared', { runtime });
    await put.put('key', Buffer.from('x'));
    const sizes = ['memory:shared', 'memory:other', 'memory:'].map(async (url) => {
      const store = await openStore(url, { runtime });
      return (await store.head('key'))?.sizeBytes;
    });
    assert.deepEqual(await Promise.all(sizes), [1, undefined, undefined]);
  });

  const refused: Record<string, RegExp> = {
    '': /no scheme/,
    '/var/lib/firn': /no scheme.*did you mean file:\/\/\/var\/lib\/firn\?/,
    './data': /did you mean file:\.\/data\?/,
    bucket: /no scheme; a store is named by s3:\/\//,
    'gs://bucket': /"gs:" is no kind of store; .*s3:\/\/bucket/,
    'https://s3.example.com/bucket': /s3:\/\/bucket\?endpoint=https:/,
    'file:': /directory is missing; write file:\/\/\//,
    'file://': /directory is missing/,
    'file://data/dir': /host, here "data"/,
    'file://./data': /host, here "\."/,
    'file:///data?create=true': /no parameters.*"\?create=true"; remove/,
    'file:///data#1': /"#1"/,
    'file:///50%': /write it as %25/,
    'file:///': /root of the file system/,
    'memory://x': /letters, digits/,
    's3:': /s3:\/\/bucket\/prefix/,
    's3://': /s3:\/\/bucket\/prefix/,
    's3:///prefix': /s3:\/\/bucket\/prefix/,
    's3://bucket?regoin=eu-west-1': /"regoin"/,
    's3://bucket?endpoint=http://localhost&pathStyle=yes': /pathStyle.*"yes"/,
    's3://bucket?endpoint=localhost:9000': /"localhost:9000" is not an http/,
    's3://bucket/%zz?region=x': /write it as %25/,
  };
  for (const [url, message] of Object.entries(refused)) {
    it(`refuses ${JSON.stringify(url)}, saying why`, async () => {
      assert.match((await refusalOf(url)).message, message);
    });
  }

  it('never repeats credentials that were put into a URL', async () => {
    for (const url of ['s3://AKIA:s3cr3t@bucket/x', 'https://me:s3cr3t@host/']) {
      const error = await refusalOf(url);
      assert.doesNotMatch(error.message, /s3cr3t/);
      assert.doesNotMatch(error.details.store, /s3cr3t/);
    }
  });

  it('loads no S3 client for other stores', async () => {
    const program = `
      import { registerHooks } from 'node:module';
      const loaded = [];
      registerHooks({ load(url, context, next) { loaded.push(url); return next(url, context); } });
      const { openStore } = await import(${JSON.stringify(import.meta.resolve('./open.ts'))});
      const { realRuntime } = await import(${JSON.stringify(import.meta.resolve('../runtime/real-runtime.ts'))});
      await openStore('memory:', { runtime: realRuntime });
      console.log(loaded.filter((url) => /\\/store\\/s3\\/|undici|aws-sdk/.test(url)).join(' ') || 'none');`;
    const { stdout } = await promisify(execFile)(process.execPath, [
      '--input-type=module',
      '--eval',
      program,
    ]);
    assert.equal(stdout, 'none\n');
  });
});
