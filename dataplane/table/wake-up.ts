import type { Runtime } from '../runtime/runtime.ts';

/** Something that calls back once when it has changed. */
export interface Changeable {
  onChange(wake: () => void): () => void;
}

/** A bell for one who works in a loop: rung while nobody waits, it is heard by the next one who does. */
export class WakeUp {
  #isRung = false;
  #hear: (() => void) | undefined;

  ring(): void {
    this.#isRung = true;
    this.#hear?.();
  }

  /** Resolves when it is rung, when `changeable` changes, or after `timeoutMs`. Never rejects. */
  wait(changeable: Changeable | undefined, timeoutMs: number | undefined, runtime: Runtime): Promise<void> {
    if (this.#isRung) {
      this.#isRung = false;
      return Promise.resolve();
    }
    return new Promise((resolve) => {
      const hear = (): void => {
        this.#hear = undefined;
        this.#isRung = false;
        forget?.();
        cancel?.();
        resolve();
      };
      const forget = changeable?.onChange(hear);
      const cancel = timeoutMs === undefined ? undefined : runtime.after(timeoutMs, hear);
      this.#hear = hear;
    });
  }
}
