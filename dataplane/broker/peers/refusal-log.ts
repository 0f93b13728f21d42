import type { Logger } from '../../runtime/logger.ts';
import type { Runtime } from '../../runtime/runtime.ts';

const everyMs = 10_000;

/** Says which connections were refused: whoever can connect must not be able to fill the log. */
export class RefusalLog {
  readonly #runtime: Runtime;
  readonly #logger: Logger;
  #saidAtMs = Number.NEGATIVE_INFINITY;
  #unsaid = 0;

  constructor(runtime: Runtime, logger: Logger) {
    this.#runtime = runtime;
    this.#logger = logger;
  }

  add(remoteAddress: string, why: string): void {
    const nowMs = this.#runtime.monotonicMs();
    if (nowMs - this.#saidAtMs < everyMs) {
      this.#unsaid += 1;
      return;
    }
    this.#logger.warn('a connection to the internal listener was refused', {
      peer: remoteAddress,
      why,
      ...(this.#unsaid === 0 ? {} : { othersBefore: this.#unsaid }),
    });
    this.#saidAtMs = nowMs;
    this.#unsaid = 0;
  }
}
