/** What the simulation holds the log to: the invariants of log.md 2.13 by name, and that it neither breaks nor stops. */
export const invariants = [
  'durability',
  'immutability',
  'dense',
  'one writer per epoch',
  'prefix ack',
  'reference safety',
  'monotone manifest',
  'exactly once',
  'offsets',
  'conservation',
  'no needless death',
  /** Records went that neither retention nor DeleteRecords takes, or stayed although they should have gone. */
  'retention',
  /** A session that has ended with END owns something. */
  'planned leave',
  /** More records are held in memory than allowed, or some that were flushed long ago. */
  'back-pressure',
  'liveness',
  /** The log itself says that what the store holds contradicts itself (CORRUPT_LOG), though nobody damaged anything. */
  'readable log',
  /** A broken `invariant(…)` of the production code. */
  'assertion',
] as const;
export type Invariant = (typeof invariants)[number];

export class InvariantViolation extends Error {
  readonly invariant: Invariant;

  constructor(invariant: Invariant, what: string, options?: ErrorOptions) {
    super(`${what} (${invariant})`, options);
    this.name = 'InvariantViolation';
    this.invariant = invariant;
  }
}

/** Which invariant a failed run has broken; `undefined`: it failed otherwise, by a fault of the simulator for instance. */
export function brokenInvariant(error: unknown): Invariant | undefined {
  for (let cause = error; cause instanceof Error; cause = cause.cause) {
    if (cause instanceof InvariantViolation) return cause.invariant;
    if (cause.message.startsWith('broken invariant: ')) return 'assertion';
  }
  return undefined;
}
