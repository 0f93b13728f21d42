import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { GetObjectCommand, PutObjectCommand, S3Client, S3ServiceException } from '@aws-sdk/client-s3';
import { skipUnless } from '../tools/real-part.ts';
import { startS3Server } from '../tools/s3-server.ts';
import type { S3Server, S3ServerKind } from '../tools/s3-server.ts';

for (const kind of ['versitygw', 'minio', 'moto'] satisfies S3ServerKind[]) {
  test(
    `${kind} starts, honours If-None-Match, and leaves nothing behind`,
    { skip: await skipUnless(kind) },
    async () => {
      const server = await startS3Server(kind);
      try {
        await server.createBucket('bucket');
        await server.createBucket('bucket');
        const client = clientOf(server);
        const put = (): Promise<unknown> =>
          client.send(new PutObjectCommand({ Bucket: 'bucket', Key: 'a/b', Body: 'one', IfNoneMatch: '*' }));
        await put();
        await assert.rejects(
          put(),
          (error) => error instanceof S3ServiceException && error.$metadata.httpStatusCode === 412,
        );
        client.destroy();
      } finally {
        await server.stop();
      }
      assert.ok(!isAlive(server.pid));
      assert.ok(!existsSync(server.dir));
      await server.stop();
    },
  );
}

const skipVersitygw = await skipUnless('versitygw');

test('a killed server comes back on the same port with its data', { skip: skipVersitygw }, async () => {
  const dir = await mkdtemp(path.join(os.tmpdir(), 'firn-restart-'));
  try {
    const first = await startS3Server('versitygw', { dir });
    await first.createBucket('bucket');
    const client = clientOf(first);
    await client.send(new PutObjectCommand({ Bucket: 'bucket', Key: 'kept', Body: 'bytes' }));
    await first.kill();
    await using second = await startS3Server('versitygw', { dir, port: first.port });
    assert.equal(second.endpoint, first.endpoint);
    const answer = await client.send(new GetObjectCommand({ Bucket: 'bucket', Key: 'kept' }));
    assert.equal(await answer.Body?.transformToString(), 'bytes');
    client.destroy();
    await first.stop();
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
});

test('a server ends with a parent that is killed', { skip: skipVersitygw }, async () => {
  const dir = await mkdtemp(path.join(os.tmpdir(), 'firn-orphan-'));
  try {
    const module = path.join(import.meta.dirname, '../tools/s3-server.ts');
    const program = `const { startVersitygw } = await import(${JSON.stringify(module)});
      const server = await startVersitygw({ dir: ${JSON.stringify(dir)} });
      console.log(server.pid, server.logFile);
      setInterval(() => {}, 1000);`;
    const parent = spawn(process.execPath, ['--input-type=module', '-e', program], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const [line] = (await once(parent.stdout, 'data')) as [Buffer];
    const [pidText = '', logFile = ''] = line.toString().trim().split(' ');
    const pid = Number(pidText);
    assert.ok(isAlive(pid));
    parent.kill('SIGKILL');
    await once(parent, 'exit');
    for (let waited = 0; isAlive(pid) && waited < 600; waited++) await sleep(50);
    assert.ok(!isAlive(pid), `versitygw (${pid}) outlived its parent by 30 s`);
    await rm(path.dirname(logFile), { recursive: true, force: true });
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
});

function clientOf(server: S3Server): S3Client {
  const { endpoint, region, accessKeyId, secretAccessKey } = server;
  return new S3Client({
    endpoint,
    region,
    forcePathStyle: true,
    credentials: { accessKeyId, secretAccessKey },
  });
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
