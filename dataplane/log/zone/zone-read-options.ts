/** Tunables of reading what other brokers have written. Every bound on what it costs the store is here. */
export interface ZoneReadOptions {
  /** A group that nobody has fetched from for so long is not followed any more. */
  readonly idleMs: number;
  /** Groups followed at a time; of more, the one is given up that was read least recently. */
  readonly maxGroups: number;
  /**
   * How often at most, and at least, the next slot of a session is looked for where its broker cannot be asked to tell
   * when it is there: the less comes, the less often.
   */
  readonly pollMinMs: number;
  readonly pollMaxMs: number;
  /** How long the broker of a session is asked to wait for its next slot. After that the store is looked at once. */
  readonly durableWaitMs: number;
  /** A slot that does not come is looked for behind the session's trim this often. */
  readonly trimCheckMs: number;
}

export const defaultZoneReadOptions: ZoneReadOptions = {
  idleMs: 30_000,
  maxGroups: 10_000,
  pollMinMs: 100,
  pollMaxMs: 1_000,
  durableWaitMs: 10_000,
  trimCheckMs: 10_000,
};

/**
 * Waits until a slot above `slot` of a session of another broker is durable, `waitMs` at most; resolves with the last slot
 * that is, or `undefined`: the broker cannot be asked, or has another session.
 */
export type DurableWait = (
  broker: number,
  sid: string,
  slot: number,
  waitMs: number,
  signal: AbortSignal,
) => Promise<number | undefined>;
