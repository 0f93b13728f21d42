import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { realRuntime } from '../../runtime/real-runtime.ts';
import { describeStoreContract } from '../contract.ts';
import { openFileStore } from './open-file-store.ts';
import { realFileSystem } from './real-file-system.ts';
import { tmpfsFileSystem } from './tmpfs-file-system.ts';

for (const [name, fileSystem] of Object.entries({ realFileSystem, tmpfsFileSystem })) {
  // The second one works on any disk, too, where it only keeps the event loop waiting.
  describeStoreContract(`the file store with ${name}`, async () => {
    const root = await mkdtemp(path.join(tmpdir(), 'firn-file-store-'));
    const store = await openFileStore(root, { runtime: realRuntime, fileSystem });
    const second = await openFileStore(root, { runtime: realRuntime, fileSystem });
    const dispose = async (): Promise<void> => {
      await store.close();
      await second.close();
      await rm(root, { recursive: true });
    };
    return { store, second, dispose };
  });
}
