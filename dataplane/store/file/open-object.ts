import type { ETag, ObjectInfo } from '../object-store.ts';
import { unlessErrno } from './file-system.ts';
import type { FileStat, FileSystem, OpenFile } from './file-system.ts';
import type { MetadataLinks } from './metadata.ts';

/** One version of an object, held open: its bytes and what is known of them stay, whatever becomes of its names. */
export interface OpenObject extends AsyncDisposable {
  readonly file: OpenFile;
  readonly inode: bigint;
  readonly info: ObjectInfo;
}

/** Opens the version that `path` names now; `undefined` when it names no plain file. */
export async function openObject(
  fs: FileSystem,
  metadataLinks: MetadataLinks,
  path: string,
): Promise<OpenObject | undefined> {
  for (;;) {
    const file = await unlessErrno(fs.openToRead(path), 'ENOENT', 'ENOTDIR', 'ELOOP', 'ENXIO');
    if (file === undefined) return undefined;
    let kept = false;
    try {
      const stat = await file.stat();
      if (stat.kind !== 'file') return undefined;
      const metadata = await metadataLinks.read(stat);
      // Without metadata either somebody else put the file here, or it was deleted after it was opened.
      if (metadata === undefined && (await file.stat()).links === 0) continue;
      kept = true;
      return {
        file,
        inode: stat.inode,
        info: {
          sizeBytes: stat.sizeBytes,
          etag: (metadata?.token ?? foreignToken(stat)) as ETag,
          id: metadata?.id,
          lastModifiedMs: Number(stat.modifiedNs / 1_000_000n),
        },
        [Symbol.asyncDispose]: () => file.close(),
      };
    } finally {
      if (!kept) await file.close();
    }
  }
}

/** For files that this store did not write. As good as it gets: an equal file in the same place may look the same. */
function foreignToken(stat: FileStat): string {
  return `foreign-${stat.inode}-${stat.sizeBytes}-${stat.modifiedNs}`;
}
