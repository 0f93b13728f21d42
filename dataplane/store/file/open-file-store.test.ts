import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { realRuntime } from '../../runtime/real-runtime.ts';
import { describeStoreContract } from '../contract.ts';
import { openFileStore } from './open-file-store.ts';

describeStoreContract('the file store', async () => {
  const root = await mkdtemp(path.join(tmpdir(), 'firn-file-store-'));
  const store = await openFileStore(root, { runtime: realRuntime });
  const second = await openFileStore(root, { runtime: realRuntime });
  const dispose = async (): Promise<void> => {
    await store.close();
    await second.close();
    await rm(root, { recursive: true });
  };
  return { store, second, dispose };
});
