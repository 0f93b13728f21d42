/**
 * Everything `firn log verify` can find: how bad it is, what it means for the data, and what to do. `docs/log.md` explains
 * each of them further.
 *
 *  - error: records are lost, damaged or unreadable, or will be; exit code 1
 *  - warning: something is not as it should be, and no record is known to be affected
 *  - info: how it should be, or of no consequence; said because people look at buckets and wonder
 */
export const findingCodes = {
  CLUSTER_MISSING: {
    severity: 'error',
    meaning:
      'nobody knows the topics of this bucket, nor who owns what; brokers would begin an empty cluster',
    advice: 'stop all brokers; restore meta/cluster from the newest copy of the bucket',
  },
  UNREADABLE: {
    severity: 'error',
    meaning: 'what this object says is lost unless there is a copy of it',
    advice: 'do not delete or overwrite it; restore this object from a copy of the bucket',
  },
  FUTURE_VERSION: {
    severity: 'error',
    meaning: 'this release of firn cannot read the object; the object itself may be in order',
    advice: 'run the release that wrote it, or a newer one, brokers and `firn log verify` alike',
  },
  WRONG_PLACE: {
    severity: 'error',
    meaning:
      'the content of another object stands under this key, so what belongs here is lost unless it stands elsewhere',
    advice: 'look who copied or renamed objects; restore both objects from a copy of the bucket',
  },
  MANIFEST_MISSING: {
    severity: 'error',
    meaning:
      'all records of this partition group are out of reach; brokers refuse to serve it, unless meta/cluster does not know yet that it has been served: then one starts it empty',
    advice: 'restore the manifest from the newest copy of the bucket, with all brokers stopped',
  },
  MANIFEST_MISPLACED: {
    severity: 'error',
    meaning: 'brokers refuse to serve this partition group',
    advice:
      'find out which of the two was restored from a copy, and restore the other one of the same moment',
  },
  CLUSTER_WENT_BACK: {
    severity: 'error',
    meaning:
      'meta/cluster is older than this manifest: brokers take its orders for stale and do not serve the group',
    advice: 'restore meta/cluster from a newer copy of the bucket',
  },
  PAGE_MISSING: {
    severity: 'error',
    meaning: 'the records in the segments it lists are out of reach, though their objects may exist',
    advice:
      'restore the object from a copy of the bucket; until then retention and clean-up of this group stand still',
  },
  PAGE_MISMATCH: {
    severity: 'error',
    meaning: 'readers of these offsets get errors; which records are affected cannot be told from here',
    advice: 'restore the object from a copy of the bucket',
  },
  SEGMENT_MISSING: {
    severity: 'error',
    meaning:
      'these records are lost unless there is a copy of the object; readers get an error when they come to them',
    advice:
      'restore the object from a copy of the bucket (versioned buckets keep deleted ones); look for lifecycle rules and clean-up jobs that delete below seg/',
  },
  SEGMENT_MISMATCH: {
    severity: 'error',
    meaning: 'readers of these offsets get errors, or would get other records than were appended',
    advice: 'restore the object from a copy of the bucket',
  },
  SNAPSHOT_MISSING: {
    severity: 'error',
    meaning:
      'no record is lost, but the next owner of this group cannot start without the state of its producers',
    advice: 'restore the object from a copy of the bucket',
  },
  SNAPSHOT_MISMATCH: {
    severity: 'error',
    meaning:
      'no record is lost, but after the next change of owner retries of producers may be refused or appended twice',
    advice:
      'report it with the output of `firn log inspect URL KEY`; move producers to new producer ids (restart them)',
  },
  SLOT_MISSING: {
    severity: 'error',
    meaning:
      'acknowledged records in this slot, and in those after it, are out of reach; no broker can take their groups over',
    advice:
      'restore the slot from a copy of the bucket (versioned buckets keep deleted ones); look for lifecycle rules and clean-up jobs that delete below wal/',
  },
  FENCE_MISSING: {
    severity: 'error',
    meaning:
      'no record is lost yet, but a broker of this session that was paused or cut off could wake up and acknowledge records that nobody will ever read',
    advice:
      'make sure that no process of this session exists any more; look for lifecycle rules and clean-up jobs that delete below wal/',
  },
  CHAIN_BROKEN: {
    severity: 'error',
    meaning:
      'one of the two slots is not what its session wrote there; no broker takes over groups that need them',
    advice: 'look who copied or renamed objects below wal/; restore both slots from a copy of the bucket',
  },
  OFFSETS_NOT_DENSE: {
    severity: 'error',
    meaning:
      'records between these offsets are missing, or stand there twice; no broker can take this group over',
    advice:
      'restore the slots in between from a copy of the bucket; report it if nothing was deleted by hand',
  },
  TRIM_TOO_HIGH: {
    severity: 'error',
    meaning:
      'slots were given up before their records were in segments: these records are lost unless their slots still exist',
    advice: 'stop the brokers; keep all of wal/ as it is; report it',
  },
  EPOCH_WRONG: {
    severity: 'error',
    meaning:
      'two sessions wrote under one leader epoch, or epochs went back: consumers may have read records that are not in the log',
    advice: 'report it with the output of `firn log inspect URL KEY` for this object and the manifest',
  },
  SEQUENCE_BROKEN: {
    severity: 'error',
    meaning:
      'records of an idempotent producer are missing before this batch, or this batch was appended twice',
    advice: 'compare with the source of this producer; report it',
  },
  CHECKPOINT_MISMATCH: {
    severity: 'error',
    meaning: 'a takeover that uses this checkpoint would read another log than the session wrote',
    advice: 'delete nothing by hand; report it',
  },
  FENCE_IN_LIVE_SESSION: {
    severity: 'error',
    meaning:
      'no record is lost, but the broker of this session can write nothing any more and will begin a new session',
    advice: 'none if the broker recovers by itself; report it if it happens again',
  },
  RECORDS_DAMAGED: {
    severity: 'error',
    meaning: 'these records are damaged; readers get an error when they come to them, never wrong records',
    advice: 'do not delete or overwrite it; restore this object from a copy of the bucket',
  },
  SLOT_GAP: {
    severity: 'warning',
    meaning:
      'usual for a moment while slots are being written, and after a crash until the session is fenced: what lies beyond the gap was never acknowledged. If somebody deleted the missing slot, acknowledged records are lost from there on',
    advice:
      'run `firn log verify` again in a minute; if it stays, find out whether something deletes objects below wal/',
  },
  NO_SESSION_RECORD: {
    severity: 'warning',
    meaning: 'no record is affected, but what this session leaves behind is never cleaned up',
    advice: 'restore the record from a copy of the bucket if the space matters',
  },
  UNKNOWN_GROUP: {
    severity: 'warning',
    meaning: 'meta/cluster has no such topic, so nobody serves or deletes these records',
    advice:
      'if the topic should exist, meta/cluster was replaced by an older copy: restore the newest one; else delete these objects once you are sure',
  },
  UNKNOWN_KEY: {
    severity: 'warning',
    meaning: 'firn does not write such keys, and never touches them',
    advice: 'find out who writes into the folders of firn, and move it elsewhere',
  },
  FOREIGN_KEYS: {
    severity: 'info',
    meaning: 'not part of the log; firn never touches them',
    advice: 'none',
  },
  ORPHANS: {
    severity: 'info',
    meaning: 'no manifest names them: left by an interrupted flush, or being written at this moment',
    advice: 'none: the owner of the group deletes them',
  },
  TRIMMED_SLOTS: {
    severity: 'info',
    meaning: 'their records are in segments',
    advice: 'none: a clean-up that did not finish, they go when the session is swept',
  },
  SLOTS_ABOVE_FENCE: {
    severity: 'info',
    meaning:
      'written by a broker that did not know yet that it was fenced; never acknowledged, not part of the log',
    advice: 'none: they go when the session is swept',
  },
  MOVING: {
    severity: 'info',
    meaning: 'what was seen of it was in order, but it changed faster than it could be read',
    advice: 'run `firn log verify` again if you want certainty',
  },
} as const satisfies Record<string, { severity: Severity; meaning: string; advice: string }>;

export type Severity = 'error' | 'warning' | 'info';
export type FindingCode = keyof typeof findingCodes;

export interface Finding {
  readonly code: FindingCode;
  readonly severity: Severity;
  /** The object's key; of several objects, what their keys start with. */
  readonly key: string;
  /** What is wrong. */
  readonly what: string;
  /** What it means for the data. */
  readonly meaning: string;
  /** What to do. */
  readonly advice: string;
}

/** Findings of one code that are told one by one; beyond that they are only counted. */
const toldPerCode = 200;

/** Takes findings as they come. Tells about each once, and keeps counts: a bucket full of trouble takes no memory. */
export class FindingSink {
  readonly counts: Record<Severity, number> = { error: 0, warning: 0, info: 0 };
  readonly #byCode = new Map<FindingCode, number>();
  readonly #told = new Set<string>();
  readonly #tell: (finding: Finding) => void;

  constructor(tell: (finding: Finding) => void) {
    this.#tell = tell;
  }

  /** Codes of which there were more findings than were told, with the number of those that were not. */
  get untold(): ReadonlyMap<FindingCode, number> {
    return new Map(
      [...this.#byCode]
        .filter(([, count]) => count > toldPerCode)
        .map(([code, count]) => [code, count - toldPerCode]),
    );
  }

  countOf(code: FindingCode): number {
    return this.#byCode.get(code) ?? 0;
  }

  /** @param meaning what it means for the data, where more can be said than the code says */
  add(code: FindingCode, key: string, what: string, meaning?: string): void {
    // Only the told ones are remembered, so the same thing found again in a second pass is rarely counted twice.
    const name = `${code} ${key} ${what}`;
    if (this.#told.has(name)) return;
    const { severity, advice, meaning: usual } = findingCodes[code];
    const count = this.countOf(code) + 1;
    this.#byCode.set(code, count);
    this.counts[severity] += 1;
    if (count > toldPerCode) return;
    this.#told.add(name);
    this.#tell({ code, severity, key, what, meaning: meaning ?? usual, advice });
  }
}
