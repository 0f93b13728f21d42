import { buildAppend, ingestTag } from '../iceberg/append.ts';
import { StoreFileIo } from '../iceberg/file-io.ts';
import type { Runtime } from '../runtime/runtime.ts';
import type { ObjectStore } from '../store/object-store.ts';
import type { BuildSnapshot } from './table-commit.ts';

/** Snapshots whose manifests lie in the object store. Every attempt writes its own, which no other one refers to. */
export function snapshotBuilder(store: ObjectStore, runtime: Runtime): BuildSnapshot {
  const io = new StoreFileIo(store);
  return async ({ table: { metadata }, files, summary }, signal) => {
    const { requirements, updates, snapshot, writtenLocations } = await buildAppend(
      io,
      runtime,
      {
        metadata,
        files: files.map(({ path: location, recordCount, sizeBytes, metrics }) => ({
          location,
          recordCount,
          sizeBytes,
          metrics,
        })),
        summary,
        expected: { main: metadata.currentSnapshotId, ingest: metadata.refs[ingestTag]?.snapshotId },
      },
      signal,
    );
    return { snapshotId: snapshot.snapshotId, requirements, updates, written: writtenLocations };
  };
}
