/** The store broke a promise. The message is a clause without a full stop: what was done and what came of it. */
export class Violation extends Error {
  override readonly name = 'Violation';
}

/** Errors and time-outs kept the store from showing whether it keeps a promise. The message says which. */
export class Inconclusive extends Error {
  override readonly name = 'Inconclusive';
}

/** A probe record is not one this version can read. The message names the field and says what to do. */
export class ProbeRecordError extends Error {
  override readonly name = 'ProbeRecordError';
}
