import { ingestTag } from '../iceberg/append.ts';
import type { Snapshot, TableMetadata } from '../iceberg/table-metadata.ts';
import { TableStop } from './errors.ts';
import type { IngestSource, IngestState } from './ingest-state.ts';
import { decodeIngestHead, isSameSource, summaryKeys } from './ingest-state.ts';

/** What a coordinator holds a table against that it has loaded again. */
export interface Expected {
  /** For messages. */
  readonly name: string;
  readonly uuid: string;
  readonly source: IngestSource;
  readonly epoch: number;
  /** What the tag named before; `undefined`: there was none, because the table was never claimed. */
  readonly tag: bigint | undefined;
  /** Snapshots that we have asked the catalog for, since then, for one and the same change. */
  readonly attempts: ReadonlySet<bigint>;
}

export type Verdict =
  /** One of the attempts is the tag's snapshot: no other one will be applied any more. */
  | 'applied'
  /** The tag is where it was: no attempt was applied, and every one still may be. */
  | 'unchanged'
  /** Somebody else, who was allowed to, has moved the tag: no attempt was applied, and none will. */
  | 'moved';

/**
 * What became of a change whose outcome is not known, or that was refused (tables.md §7, 5 and 6).
 *
 * @throws TableStop when nothing may be written any more
 */
export function judge(metadata: TableMetadata, expected: Expected): Verdict {
  const { name, uuid, source, epoch } = expected;
  if (metadata.tableUuid !== uuid) {
    throw new TableStop(
      'TABLE_RECREATED',
      `table ${name} has uuid ${metadata.tableUuid}, the one that this topic fills has ${uuid}: it was dropped and ` +
        'created anew; drop the new one and bring the old one back, or give the topic another table.topic.namespace',
    );
  }
  const tag = metadata.refs[ingestTag]?.snapshotId;
  if (tag === undefined) {
    if (expected.tag === undefined && metadata.lastSequenceNumber === 0) return 'unchanged';
    throw tagMissing(name);
  }
  const head = decodeIngestHead(tagSnapshot(metadata, tag, name).summary);
  if (!isSameSource(head.source, source)) throw ownedByOther(name, head, source);
  if (expected.attempts.has(tag)) {
    requireDescent(metadata, tag, name);
    return 'applied';
  }
  if (head.epoch > epoch) {
    throw new TableStop(
      'SUPERSEDED',
      `table ${name} was claimed by the coordinator of epoch ${head.epoch}; this one has epoch ${epoch}`,
    );
  }
  if (tag !== expected.tag) return 'moved';
  requireDescent(metadata, tag, name);
  return 'unchanged';
}

/**
 * Requires that `main` contains the tag's snapshot, and after it none of ours: what the tag says is what the table has.
 *
 * Where snapshots in between have expired that cannot be seen, and the sequence numbers, which only ever grow, have the
 * say: a `main` of a higher one than the tag's is believed.
 *
 * @throws TableStop TABLE_ROLLED_BACK, TAG_MOVED
 */
export function requireDescent(metadata: TableMetadata, tag: bigint, name: string): void {
  const snapshots = new Map(metadata.snapshots.map((snapshot) => [snapshot.snapshotId, snapshot]));
  const wanted = snapshots.get(tag);
  let at = metadata.refs['main']?.snapshotId;
  while (at !== tag) {
    if (wanted === undefined || at === undefined) throw rolledBack(tag, name);
    const snapshot: Snapshot | undefined = snapshots.get(at);
    if (snapshot === undefined) return;
    if (snapshot.sequenceNumber <= wanted.sequenceNumber) throw rolledBack(tag, name);
    if (snapshot.summary[summaryKeys.commitSeq] !== undefined) throw tagMoved(name);
    at = snapshot.parentSnapshotId;
  }
}

function rolledBack(tag: bigint, name: string): TableStop {
  return new TableStop(
    'TABLE_ROLLED_BACK',
    `branch main of table ${name} no longer contains snapshot ${tag}, the last one that this topic was ingested with: it ` +
      'was rolled back, and going on would lose the rows in between; set main back to a snapshot that contains it, or give ' +
      'the topic another table.topic.namespace',
  );
}

export function tagMoved(name: string): TableStop {
  return new TableStop(
    'TAG_MOVED',
    `tag ${ingestTag} of table ${name} was moved by somebody who is no coordinator of this topic; set it back to the newest ` +
      'snapshot of main whose summary has firn.offsets',
  );
}

/** @throws TableStop BAD_INGEST_STATE */
export function tagSnapshot(metadata: TableMetadata, tag: bigint, name: string): Snapshot {
  const snapshot = metadata.snapshots.find(({ snapshotId }) => snapshotId === tag);
  if (snapshot !== undefined) return snapshot;
  throw new TableStop(
    'BAD_INGEST_STATE',
    `tag ${ingestTag} of table ${name} names snapshot ${tag}, which the table does not have`,
  );
}

export function tagMissing(name: string): TableStop {
  return new TableStop(
    'TAG_MISSING',
    `table ${name} has no tag ${ingestTag}, so how far the topic is in it is not known; set the tag back to the newest ` +
      'snapshot whose summary has firn.offsets, or give the topic another table.topic.namespace',
  );
}

export function ownedByOther(
  name: string,
  head: Pick<IngestState, 'source'>,
  source: IngestSource,
): TableStop {
  return new TableStop(
    'TABLE_OWNED_BY_OTHER',
    `table ${name} is filled by topic id ${head.source.topicId} of cluster ${head.source.clusterId}; this topic has id ` +
      `${source.topicId}, cluster ${source.clusterId}; drop or rename the table, or give the topic another table.topic.namespace`,
  );
}
