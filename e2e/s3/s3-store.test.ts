import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { realRuntime } from '../../dataplane/runtime/real-runtime.ts';
import { describeStoreContract } from '../../dataplane/store/contract.ts';
import { createOnce } from '../../dataplane/store/create-once.ts';
import { StoreError } from '../../dataplane/store/errors.ts';
import type { S3StoreOptions } from '../../dataplane/store/s3/s3-options.ts';
import { createS3Store } from '../../dataplane/store/s3/s3-store.ts';
import type { S3Store } from '../../dataplane/store/s3/s3-store.ts';
import { startFaultProxy } from '../faults/fault-proxy.ts';
import type { FaultProxy } from '../faults/fault-proxy.ts';
import { s3Errors } from '../faults/fault-rule.ts';
import type { FaultRule } from '../faults/fault-rule.ts';
import { skipUnless } from '../tools/real-part.ts';
import { startS3Server } from '../tools/s3-server.ts';
import type { S3Server } from '../tools/s3-server.ts';

const bucket = 'firn-store';

function openStore(server: S3Server, more: Partial<S3StoreOptions> = {}): S3Store {
  const { endpoint, region, accessKeyId, secretAccessKey } = server;
  return createS3Store({
    bucket,
    endpoint,
    region,
    credentials: { accessKeyId, secretAccessKey },
    runtime: realRuntime,
    ...more,
  });
}

async function failureOf(call: Promise<unknown>): Promise<StoreError> {
  const error = await call.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  assert.ok(error instanceof StoreError, `expected a StoreError, got ${String(error)}`);
  return error;
}

for (const kind of ['versitygw', 'minio'] as const) {
  describe(`the S3 store over ${kind}`, { skip: await skipUnless(kind) }, () => {
    let server: S3Server;
    let opened = 0;

    before(async () => {
      server = await startS3Server(kind);
      await server.createBucket(bucket);
    });
    after(async () => {
      await server.stop();
    });

    describeStoreContract(
      kind,
      () => {
        // Each test has a prefix of its own, which is empty.
        const prefix = `test-${++opened}`;
        const [store, second] = [openStore(server, { prefix }), openStore(server, { prefix })];
        const dispose = async (): Promise<void> => {
          await store.close();
          await second.close();
        };
        return Promise.resolve({ store, second, dispose });
      },
      // These servers' ETags are hashes: where the bodies of a later round repeat those of an earlier one, an ETag comes back.
      { raceRounds: 1 },
    );

    it('tells a missing bucket and wrong credentials from a missing object', async () => {
      const nowhere = openStore(server, { bucket: 'firn-nowhere' });
      const missing = [
        () => nowhere.put('key', Buffer.from('x'), { ifAbsent: true }),
        () => nowhere.get('key'),
        () => nowhere.head('key'),
        () => nowhere.list(''),
        () => nowhere.delete('key'),
      ];
      for (const call of missing) assert.equal((await failureOf(call())).code, 'NO_SUCH_STORE');
      await nowhere.close();
      const stranger = openStore(server, { credentials: { accessKeyId: 'firn', secretAccessKey: 'wrong' } });
      const denied = [
        () => stranger.put('key', Buffer.from('x'), { ifAbsent: true }),
        () => stranger.get('key'),
        () => stranger.head('key'),
      ];
      for (const call of denied) assert.equal((await failureOf(call())).code, 'ACCESS_DENIED');
      await stranger.close();
    });

    it('accepts signed payloads, and bodies without checksums', async () => {
      for (const options of [{ signPayload: true }, { checksums: false }]) {
        const store = openStore(server, { ...options, prefix: `options-${++opened}` });
        const pieces = [Buffer.alloc(100_000, 'a'), Buffer.alloc(5, 'b')];
        assert.equal((await store.put('key', pieces, { ifAbsent: true })).kind, 'written');
        const result = await store.get('key');
        assert.ok(result.kind === 'found');
        assert.equal(Buffer.compare(result.body, Buffer.concat(pieces)), 0);
        assert.deepEqual(await store.deleteMany(['key']), []);
        await store.close();
      }
    });

    it('corrects its clock by the server', async () => {
      const runtime = { ...realRuntime, wallMs: () => realRuntime.wallMs() - 3_600_000 };
      const store = openStore(server, { runtime, prefix: `clock-${++opened}` });
      assert.equal(await store.head('key'), undefined);
      assert.equal((await store.put('key', Buffer.from('x'), { ifAbsent: true })).kind, 'written');
      await store.close();
    });
  });
}

describe('the S3 store over versitygw behind a fault proxy', { skip: await skipUnless('versitygw') }, () => {
  let server: S3Server;
  let proxy: FaultProxy;
  let store: S3Store;

  before(async () => {
    server = await startS3Server('versitygw');
    await server.createBucket(bucket);
  });
  after(async () => {
    await server.stop();
  });

  async function behind(rules: readonly FaultRule[], more: Partial<S3StoreOptions> = {}): Promise<void> {
    proxy = await startFaultProxy({ target: server.endpoint, rules });
    store = openStore(server, { endpoint: proxy.url, ...more });
  }
  async function end(): Promise<void> {
    await store.close();
    await proxy.stop();
  }

  const puts = { methods: ['PUT'], count: 1 } as const;
  const lost: Record<string, FaultRule['fault']> = {
    'a reset instead of the answer': { kind: 'reset', effect: 'applied' },
    'a 500 instead of the answer': s3Errors.internalErrorAfterEffect,
    'no answer': { kind: 'black-hole', effect: 'applied' },
    'a reset before the request': { kind: 'reset', effect: 'none' },
    'a 409': s3Errors.conflict,
    'a 503': s3Errors.slowDown,
  };
  for (const [what, fault] of Object.entries(lost)) {
    it(`createOnce writes once, whatever it was told: ${what}`, async () => {
      await behind([{ ...puts, name: 'lost', fault }], { limits: { headMs: 200 } });
      const key = `once/${what}`;
      const failures: string[] = [];
      const body = Buffer.alloc(200_000, what);
      const options = {
        id: 'me',
        runtime: realRuntime,
        onRetry: (error: StoreError) => failures.push(error.landed),
      };
      assert.equal((await createOnce(store, key, body, options)).kind, 'written');
      const landed = 'effect' in fault && fault.effect === 'none' && fault.kind === 'error' ? 'no' : 'maybe';
      assert.deepEqual(failures, [landed]);
      const rival = await createOnce(store, key, Buffer.from('x'), { id: 'rival', runtime: realRuntime });
      assert.equal(rival.kind, 'foreign');
      const result = await store.get(key);
      assert.ok(result.kind === 'found');
      assert.equal(result.info.id, 'me');
      assert.equal(Buffer.compare(result.body, body), 0);
      await end();
    });
  }

  it('finds damaged and cut bodies and reads again', async () => {
    await behind([
      { name: 'sent damaged', ...puts, fault: { kind: 'corrupt-body', of: 'request', atByte: 70_000 } },
      {
        name: 'read damaged',
        methods: ['GET'],
        count: 1,
        fault: { kind: 'corrupt-body', of: 'answer', atByte: 70_000 },
      },
      {
        name: 'cut',
        methods: ['GET'],
        skip: 1,
        count: 1,
        fault: { kind: 'truncate', afterBytes: 100_000, ending: 'close' },
      },
      {
        name: 'reset',
        methods: ['GET'],
        skip: 2,
        count: 1,
        fault: { kind: 'truncate', afterBytes: 100_000, ending: 'reset' },
      },
    ]);
    const body = Buffer.alloc(300_000, 'abcdefg');
    await store.put('damaged', body);
    const result = await store.get('damaged');
    assert.ok(result.kind === 'found');
    assert.equal(Buffer.compare(result.body, body), 0);
    await end();
  });
});
