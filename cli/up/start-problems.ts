import type { LogFields, Logger } from '../../dataplane/runtime/logger.ts';
import { StoreError } from '../../dataplane/store/errors.ts';

/**
 * What goes wrong while a broker starts. It tries again for ever, which suits a store that is away for a moment. A person
 * who waits for it wants to know why it is not ready, and what no repetition mends should end it.
 */
export class StartProblems {
  /** Rejects with what no repetition mends. */
  readonly hopeless: Promise<never>;
  readonly #reject: (error: StoreError) => void;
  readonly #tell: (sentence: string) => void;
  readonly #told = new Set<string>();
  #isOver = false;

  constructor(tell: (sentence: string) => void) {
    const { promise, reject } = Promise.withResolvers<never>();
    promise.catch(() => undefined);
    this.hopeless = promise;
    this.#reject = reject;
    this.#tell = tell;
  }

  /** The broker is ready: what comes now is only logged. */
  over(): void {
    this.#isOver = true;
  }

  /** A logger that does what `logger` does, and looks at the errors. */
  watching(logger: Logger): Logger {
    return {
      ...logger,
      warn: (message, fields) => {
        logger.warn(message, fields);
        if (!this.#isOver) this.#note(fields);
      },
    };
  }

  #note(fields: LogFields | undefined): void {
    const error = fields?.['error'];
    if (!(error instanceof StoreError)) return;
    if (!error.retriable) this.#reject(error);
    else if (!this.#told.has(error.code)) {
      this.#told.add(error.code);
      this.#tell(`${error.message}; trying again`);
    }
  }
}
