/** Why the coordinator of a table does not go on. `needsPerson`: nothing that happens by itself changes that. */
export const tableStopCodes = {
  /** A coordinator with a higher epoch has claimed the table. */
  SUPERSEDED: { needsPerson: false },
  /** The table was filled by another topic, or by another cluster. */
  TABLE_OWNED_BY_OTHER: { needsPerson: true },
  /** There was a table once, and there is none now. */
  TABLE_DROPPED: { needsPerson: true },
  /** There is a table of that name, but it is not the one that this topic has filled. */
  TABLE_RECREATED: { needsPerson: true },
  /** The tag that says how far the topic has been ingested is gone. */
  TAG_MISSING: { needsPerson: true },
  /** The tag was moved by somebody who is no coordinator of this topic. */
  TAG_MOVED: { needsPerson: true },
  /** `main` no longer contains the last ingest snapshot. */
  TABLE_ROLLED_BACK: { needsPerson: true },
  /** The summary of the ingest snapshot cannot be read. */
  BAD_INGEST_STATE: { needsPerson: true },
  /** The table has something that this release cannot write (a partition spec). */
  UNSUPPORTED_TABLE: { needsPerson: true },
  /** The catalog says that a request is wrong. */
  CATALOG_REFUSED: { needsPerson: true },
  /** No columns can be made of the topic's schema. */
  UNSUPPORTED_SCHEMA: { needsPerson: true },
} as const satisfies Record<string, { needsPerson: boolean }>;

export type TableStopCode = keyof typeof tableStopCodes;

/** Nothing more is committed to a table. The message is for people: what was found, and what they can do. */
export class TableStop extends Error {
  readonly code: TableStopCode;

  constructor(code: TableStopCode, message: string, cause?: unknown) {
    super(message, { cause });
    this.name = 'TableStop';
    this.code = code;
  }
}

/** A broken rule of our own code. */
export function invariant(condition: boolean, message: string): asserts condition {
  if (!condition) throw new Error(`broken invariant: ${message}`);
}
