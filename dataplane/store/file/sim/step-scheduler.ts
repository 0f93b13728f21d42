/** A system call that a client is about to make. */
export interface Step {
  readonly client: number;
  /** The call and its arguments: `link /store/a /store/b`. */
  readonly what: string;
}

interface WaitingStep extends Step {
  readonly take: () => void;
}

/** Decides which client takes its next step. A client may have several steps waiting: it takes the first. */
export type Choice = (waiting: readonly Step[]) => number;

/**
 * Lets one client at a time take one step. A step is a system call: the client waits for its turn, then the call happens
 * as a whole. A client that is killed takes no further step, and its promises stay pending for ever.
 */
export class StepScheduler {
  readonly #settle: () => Promise<void>;
  readonly #choose: Choice;
  readonly #trace: string[] = [];
  #waiting: WaitingStep[] = [];
  readonly #dead: Set<number> = new Set();

  /**
   * @param settle resolves when no promise can go on without another step
   * @param choose decides who is next
   */
  constructor(settle: () => Promise<void>, choose: Choice) {
    this.#settle = settle;
    this.#choose = choose;
  }

  /** The steps taken so far, for messages. */
  get trace(): readonly string[] {
    return this.#trace;
  }

  step<T>(client: number, what: string, call: () => T): Promise<T> {
    return new Promise((resolve, reject) => {
      if (this.#dead.has(client)) return;
      const take = (): void => {
        try {
          const result = call();
          this.#trace.push(`${client}: ${what}`);
          resolve(result);
        } catch (error) {
          this.#trace.push(`${client}: ${what} -> ${error instanceof Error ? error.message : String(error)}`);
          reject(error instanceof Error ? error : new Error(String(error)));
        }
      };
      this.#waiting.push({ client, what, take });
    });
  }

  /** Ends a client between two steps, whatever it is doing. */
  kill(client: number): void {
    this.#dead.add(client);
    this.#waiting = this.#waiting.filter((step) => step.client !== client);
    this.#trace.push(`${client}: killed`);
  }

  /**
   * Takes steps until nobody waits for one.
   *
   * @param afterStep called after each step
   */
  async run(afterStep?: (client: number) => void): Promise<void> {
    for (;;) {
      await this.#settle();
      if (this.#waiting.length === 0) return;
      const client = this.#choose(this.#waiting);
      const at = this.#waiting.findIndex((step) => step.client === client);
      const [step] = this.#waiting.splice(at, 1);
      step?.take();
      afterStep?.(client);
    }
  }

  /**
   * Takes steps of one client while the others stand still, until the client waits for none or `stop` says so of its next.
   */
  async runOnly(client: number, stop: (next: Step) => boolean): Promise<void> {
    for (;;) {
      await this.#settle();
      const at = this.#waiting.findIndex((step) => step.client === client);
      const next = this.#waiting[at];
      if (next === undefined || stop(next)) return;
      this.#waiting.splice(at, 1);
      next.take();
    }
  }
}
