/** What must hold whatever happens (tables.md §7); the words that a violation is reported with. */
export const invariants = [
  /** No offset is in the table twice. */
  'no duplicates',
  /** No offset below the committed one is missing. */
  'no gaps',
  /** A row is what the record at its offset was, and stays so. */
  'content',
  /** The summary of our last snapshot says as much as the table has. */
  'offsets',
  /** What the table references exists. */
  'reference safety',
  /** The tag, epochs and offsets never go back by our doing. */
  'monotone tag',
  /** When a coordinator has begun to commit, none of a lower epoch commits any more. */
  'fencing',
  /** Nothing is written to a table that was dropped, rolled back or replaced. */
  'no revival',
  /** When the faults have stopped, every acknowledged record becomes a row. */
  'liveness',
  /** A broken `invariant(…)` of the production code. */
  'assertion',
] as const;
export type Invariant = (typeof invariants)[number];

export class TableViolation extends Error {
  readonly invariant: Invariant;

  constructor(invariant: Invariant, what: string, options?: ErrorOptions) {
    super(`${what} (${invariant})`, options);
    this.name = 'TableViolation';
    this.invariant = invariant;
  }
}

/** The invariant that an error says is broken, however deep it is wrapped. */
export function brokenInvariant(error: unknown): Invariant | undefined {
  for (let cause: unknown = error; cause instanceof Error; cause = cause.cause) {
    if (cause instanceof TableViolation) return cause.invariant;
    if (cause.message.startsWith('broken invariant: ')) return 'assertion';
  }
  return undefined;
}
