import type { Runtime } from '../../runtime/runtime.ts';

interface Direction {
  cutUntilMs: number;
  extraDelayMs: number;
  readonly waiting: (() => void)[];
}

/** A host that no fault of a link concerns: clients are outside of all of them. */
export type Host = string | undefined;

/**
 * The network between the hosts of brokers, by direction: what the one sends may vanish while what it is sent arrives.
 * Nothing here knows of connections: what they make of it is `simulated-connection.ts`.
 */
export class SimulatedLinks {
  readonly #world: Runtime;
  readonly #directions = new Map<string, Direction>();

  constructor(world: Runtime) {
    this.#world = world;
  }

  /** What `from` sends to `to` vanishes for so long, counted from now. Cuts that overlap end together. */
  cut(from: string, to: string, durationMs: number): void {
    const direction = this.#of(from, to);
    const untilMs = this.#world.monotonicMs() + durationMs;
    if (untilMs <= direction.cutUntilMs) return;
    direction.cutUntilMs = untilMs;
    this.#world.after(durationMs, () => {
      if (!this.isCut(from, to)) this.#opened(direction);
    });
  }

  /** So much longer takes what `from` sends to `to`, until somebody says otherwise. */
  slow(from: string, to: string, extraDelayMs: number): void {
    this.#of(from, to).extraDelayMs = extraDelayMs;
  }

  /** All links are as they should be again. */
  heal(): void {
    for (const direction of this.#directions.values()) {
      direction.extraDelayMs = 0;
      direction.cutUntilMs = Number.NEGATIVE_INFINITY;
      this.#opened(direction);
    }
  }

  isCut(from: Host, to: Host): boolean {
    const direction = this.#known(from, to);
    return direction !== undefined && this.#world.monotonicMs() < direction.cutUntilMs;
  }

  extraDelayMs(from: Host, to: Host): number {
    return this.#known(from, to)?.extraDelayMs ?? 0;
  }

  /** Calls back once, when that direction is not cut any more. */
  whenOpen(from: string, to: string, callback: () => void): void {
    if (this.isCut(from, to)) this.#of(from, to).waiting.push(callback);
    else callback();
  }

  #opened(direction: Direction): void {
    for (const callback of direction.waiting.splice(0)) callback();
  }

  #known(from: Host, to: Host): Direction | undefined {
    return this.#directions.get(`${from ?? ''}>${to ?? ''}`);
  }

  #of(from: string, to: string): Direction {
    const name = `${from}>${to}`;
    const known = this.#directions.get(name);
    if (known !== undefined) return known;
    const direction = { cutUntilMs: Number.NEGATIVE_INFINITY, extraDelayMs: 0, waiting: [] };
    this.#directions.set(name, direction);
    return direction;
  }
}
