import type { OpenDataFile } from './data-file-writer.ts';
import type { OpenFileHolder } from './open-files-memory.ts';
import type { CommittableFile } from './table-workers.ts';
import type { WorkerContext } from './worker-context.ts';

/**
 * Encodes an open data file and puts it into the store, under a name that nobody else uses (create if absent). Whatever fails
 * here leaves at most a file that no table refers to. `undefined`: it is not wanted any more.
 */
export async function finishDataFile(
  { pace, memory, files, counters, crashPoint }: WorkerContext,
  request: {
    readonly file: OpenDataFile;
    readonly holder: OpenFileHolder;
    /** What its location begins with. */
    readonly folder: string;
    readonly isWanted: () => boolean;
    readonly signal: AbortSignal;
  },
): Promise<Omit<CommittableFile, 'schemaId' | 'specId' | 'maxTimestampMs'> | undefined> {
  const { file, holder, folder, isWanted, signal } = request;
  while (!pace.hasTime) await pace.rest();
  if (!isWanted()) return undefined;
  const { pieces, sizeBytes, recordCount, metrics } = await file.finish();
  crashPoint('worker.file.encoded');
  if (!isWanted()) return undefined;
  memory.update(holder, sizeBytes);
  while (isWanted()) {
    const path = `${folder}-${files.uniqueName()}.parquet`;
    crashPoint('worker.file.put.before');
    const isWritten = await files.create(path, pieces, signal);
    crashPoint('worker.file.put.after');
    if (!isWritten) continue;
    if (!isWanted()) return undefined;
    counters.rows += recordCount;
    counters.files += 1;
    counters.fileBytes += sizeBytes;
    return { path, sizeBytes, recordCount, metrics };
  }
  return undefined;
}
