import { groupPrefix, parseKey, segmentPrefix } from '../format/keys.ts';
import type { GroupCheck } from './group-check.ts';
import type { VerifyContext } from './verify-context.ts';

/** Names of the objects of one group that a manifest reaches. */
export interface ReachedObjects {
  readonly segments: ReadonlySet<string>;
  readonly pages: ReadonlySet<string>;
  readonly snapshot: string | undefined;
}

/** Says how many objects of a group no manifest reaches, with one of them as an example. */
export async function reportOrphans(
  group: GroupCheck,
  reached: ReachedObjects,
  context: VerifyContext,
): Promise<void> {
  for (const prefix of [segmentPrefix(group.id), groupPrefix(group.id)]) {
    let count = 0;
    let bytes = 0;
    let example: string | undefined;
    for await (const { key, sizeBytes } of context.reader.list(prefix)) {
      if (!isOrphan(key, reached)) continue;
      count += 1;
      bytes += sizeBytes;
      example ??= key;
    }
    // A newer manifest may name them; who verifies again when it is quieter learns of them.
    if (example === undefined || (await group.hasChanged())) continue;
    const what = `${count} ${count === 1 ? 'object' : 'objects'} (${bytes} bytes) that its manifest does not name, among them ${example}`;
    context.findings.add('ORPHANS', prefix, what);
  }
}

function isOrphan(key: string, { segments, pages, snapshot }: ReachedObjects): boolean {
  const place = parseKey(key);
  if (place?.kind === 'segment') return !segments.has(place.object);
  if (place?.kind === 'page') return !pages.has(place.object);
  return place?.kind === 'snapshot' && place.object !== snapshot;
}
