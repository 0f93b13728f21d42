import type { Cancel, Runtime } from '../../runtime/runtime.ts';

/** How long those who came first wait for the rest; below the time after which servers and clients give a body up. */
const maxHoldMs = 5_000;

/**
 * Holds the writers of a race just before their last byte until all of them have come so far, or are over. Then they end
 * together, however long it took to send their bodies: on a slow line the first would otherwise be done before the last
 * has begun, and there would be no race.
 */
export class StartGate {
  readonly #runtime: Runtime;
  readonly #opened: Promise<void>;
  readonly #open: () => void;
  #missing: number;
  #cancelTimer: Cancel | undefined;

  constructor(runtime: Runtime, writers: number) {
    this.#runtime = runtime;
    this.#missing = writers;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#opened = promise;
    this.#open = () => {
      this.#cancelTimer?.();
      resolve();
    };
  }

  /** One for each writer. */
  ticket(): GateTicket {
    let counted = false;
    const count = (): void => {
      if (counted) return;
      counted = true;
      this.#missing--;
      if (this.#missing === 0) this.#open();
    };
    return {
      arrive: async () => {
        count();
        this.#cancelTimer ??= this.#runtime.after(maxHoldMs, this.#open);
        await this.#opened;
      },
      leave: count,
    };
  }
}

export interface GateTicket {
  /** The writer has sent all but its last byte. Resolves when it may go on. */
  arrive(): Promise<void>;
  /** The writer is over, whether it has arrived before or not: nobody need wait for it. */
  leave(): void;
}
