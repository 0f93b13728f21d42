import assert from 'node:assert/strict';
import { after, before, suite, test } from 'node:test';
import {
  GetObjectCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  S3Client,
  S3ServiceException,
} from '@aws-sdk/client-s3';
import { startFaultProxy } from '../faults/fault-proxy.ts';
import type { FaultProxy } from '../faults/fault-proxy.ts';
import { s3Errors } from '../faults/fault-rule.ts';
import { skipUnless } from '../tools/real-part.ts';
import { startVersitygw } from '../tools/s3-server.ts';
import type { S3Server } from '../tools/s3-server.ts';

const Bucket = 'faults';

suite('fault proxy in front of a real S3 server', { skip: await skipUnless('versitygw') }, () => {
  let server: S3Server;
  let proxy: FaultProxy;
  let client: S3Client;

  before(async () => {
    server = await startVersitygw();
    await server.createBucket(Bucket);
    proxy = await startFaultProxy({ target: server.endpoint });
    const { region, accessKeyId, secretAccessKey } = server;
    client = new S3Client({
      endpoint: proxy.url,
      region,
      forcePathStyle: true,
      credentials: { accessKeyId, secretAccessKey },
      maxAttempts: 1,
    });
  });

  after(async () => {
    client.destroy();
    await proxy.stop();
    await server.stop();
  });

  test('signed requests pass: objects of all sizes, odd keys, lists', async () => {
    for (const [Key, sizeBytes] of [
      ['empty', 0],
      ['a b+c/é=%25', 1000],
      ['large', 6_000_000],
    ] as const) {
      await client.send(new PutObjectCommand({ Bucket, Key, Body: Buffer.alloc(sizeBytes, Key) }));
      const { Body } = await client.send(new GetObjectCommand({ Bucket, Key }));
      const bytes = await Body?.transformToByteArray();
      assert.ok(bytes !== undefined && Buffer.alloc(sizeBytes, Key).equals(bytes), Key);
    }
    const list = await client.send(new ListObjectsV2Command({ Bucket, Prefix: 'a b' }));
    assert.deepEqual(
      list.Contents?.map(({ Key }) => Key),
      ['a b+c/é=%25'],
    );
  });

  test('an answer lost on its way: the object is there, and the repeated create gets 412', async () => {
    const put = new PutObjectCommand({ Bucket, Key: 'lost', Body: 'once', IfNoneMatch: '*' });
    proxy.setRules([
      { name: 'lost', condition: 'if-none-match', count: 1, fault: { kind: 'reset', effect: 'applied' } },
    ]);
    await assert.rejects(client.send(put), (error) => statusOf(error) === undefined);
    await client.send(new HeadObjectCommand({ Bucket, Key: 'lost' }));
    await assert.rejects(client.send(put), (error) => statusOf(error) === 412);
    assert.deepEqual(proxy.counts().rules, { lost: { matched: 2, hit: 1 } });
  });

  test('a late create lands after its client was reset, and after another one has won it does not', async () => {
    proxy.setRules([
      {
        name: 'late',
        condition: 'if-none-match',
        count: 2,
        fault: { kind: 'late', delay: Infinity, client: 'reset' },
      },
    ]);
    const create = (Key: string, Body: string): Promise<unknown> =>
      client.send(new PutObjectCommand({ Bucket, Key, Body, IfNoneMatch: '*' }));
    await assert.rejects(create('late/alone', 'late'), (error) => statusOf(error) === undefined);
    await assert.rejects(create('late/beaten', 'late'), (error) => statusOf(error) === undefined);
    await create('late/beaten', 'first');
    await proxy.release();
    assert.equal(await textOf('late/alone'), 'late');
    assert.equal(await textOf('late/beaten'), 'first');
  });

  test('409, 503 and 500 reach the client as S3 errors', async () => {
    proxy.setRules([
      { name: '409', path: /conflict$/, fault: s3Errors.conflict },
      { name: '503', path: /busy$/, fault: s3Errors.slowDown },
      { name: '500', path: /broken$/, fault: s3Errors.internalErrorAfterEffect },
    ]);
    for (const [Key, name, status, landed] of [
      ['e/conflict', 'ConditionalRequestConflict', 409, false],
      ['e/busy', 'SlowDown', 503, false],
      ['e/broken', 'InternalError', 500, true],
    ] as const) {
      await assert.rejects(
        client.send(new PutObjectCommand({ Bucket, Key, Body: 'x' })),
        (error) => error instanceof S3ServiceException && error.name === name && statusOf(error) === status,
      );
      const found = await client.send(new ListObjectsV2Command({ Bucket, Prefix: Key }));
      assert.equal(found.KeyCount, landed ? 1 : 0);
    }
  });

  async function textOf(Key: string): Promise<string | undefined> {
    const { Body } = await client.send(new GetObjectCommand({ Bucket, Key }));
    return await Body?.transformToString();
  }
});

function statusOf(error: unknown): number | undefined {
  return error instanceof S3ServiceException ? error.$metadata.httpStatusCode : undefined;
}
