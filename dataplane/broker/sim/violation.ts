/** What must hold whatever happens; the words that a violation is reported with. */
export type Invariant =
  | 'durability'
  | 'immutability'
  | 'exactly once'
  | 'order'
  | 'dense offsets'
  | 'valid positions'
  | 'committed offsets'
  | 'one owner'
  | 'answers'
  /** Whoever runs, reaches the store and accepts connections is not taken over, whatever the links between brokers do. */
  | 'no needless death'
  | 'liveness';

export class BrokerViolation extends Error {
  override readonly name = 'BrokerViolation';
  readonly invariant: Invariant;

  constructor(invariant: Invariant, what: string) {
    super(`${what} (${invariant})`);
    this.invariant = invariant;
  }
}

/** The invariant that an error says is broken, however deep it is wrapped. */
export function brokenInvariant(error: unknown): Invariant | undefined {
  for (let current: unknown = error; current instanceof Error; current = current.cause)
    if (current instanceof BrokerViolation) return current.invariant;
  return undefined;
}
