import { after, before, describe } from 'node:test';
import { realRuntime } from '../../dataplane/runtime/real-runtime.ts';
import { describeStoreContract } from '../../dataplane/store/contract.ts';
import { createS3Store } from '../../dataplane/store/s3/s3-store.ts';
import { skipUnless } from '../tools/real-part.ts';
import { startS3Server } from '../tools/s3-server.ts';
import type { S3Server } from '../tools/s3-server.ts';

const bucket = 'firn-contract';

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

    describeStoreContract(kind, () => {
      const options = {
        bucket,
        // Each test has a prefix of its own, which is empty.
        prefix: `test-${++opened}`,
        endpoint: server.endpoint,
        credentials: { accessKeyId: server.accessKeyId, secretAccessKey: server.secretAccessKey },
        runtime: realRuntime,
      };
      const [store, second] = [createS3Store(options), createS3Store(options)];
      const dispose = async (): Promise<void> => {
        await store.close();
        await second.close();
      };
      return Promise.resolve({ store, second, dispose });
    });
  });
}
