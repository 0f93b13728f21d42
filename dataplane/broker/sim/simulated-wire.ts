import type { Runtime } from '../../runtime/runtime.ts';
import type { VirtualRandom } from '../../runtime/virtual-random.ts';
import type { SimulatedLinks } from './simulated-links.ts';

/** TCP doubles the time between two attempts to send again what nobody has acknowledged up to this. */
const maxRetransmitMs = 120_000;

/**
 * One direction of one connection: everything arrives once and in order, late. What is sent while the link is cut is sent
 * again as TCP does it: in ever longer intervals, so it may arrive as late after the link is back as it was gone.
 */
export class Wire {
  readonly #world: Runtime;
  readonly #random: VirtualRandom;
  readonly #links: SimulatedLinks;
  readonly #from: string | undefined;
  readonly #to: string | undefined;
  readonly #delayMs: () => number;
  readonly #unacknowledged: (() => void)[] = [];
  #isStalled = false;
  #lastMs = 0;

  constructor(environment: {
    readonly world: Runtime;
    readonly random: VirtualRandom;
    readonly links: SimulatedLinks;
    readonly from: string | undefined;
    readonly to: string | undefined;
    readonly delayMs: () => number;
  }) {
    this.#world = environment.world;
    this.#random = environment.random;
    this.#links = environment.links;
    this.#from = environment.from;
    this.#to = environment.to;
    this.#delayMs = environment.delayMs;
  }

  send(arrive: () => void): void {
    if (!this.#isStalled && !this.#isCut) this.#carry(arrive);
    else {
      this.#unacknowledged.push(arrive);
      if (!this.#isStalled) this.#stall(this.#world.monotonicMs());
    }
  }

  /** The end of a connection: sent again less often than bytes are, and given up at last. */
  sendLast(arrive: () => void): void {
    if (!this.#isStalled && !this.#isCut) this.#carry(arrive);
    else if (this.#random.chance(0.5)) this.send(arrive);
  }

  /** A reset: never sent again, and it overtakes what is. */
  sendOnce(arrive: () => void): void {
    if (this.#isCut) return;
    this.#world.after(this.#carryMs(), arrive);
  }

  get #isCut(): boolean {
    return this.#links.isCut(this.#from, this.#to);
  }

  #carryMs(): number {
    return this.#delayMs() + this.#links.extraDelayMs(this.#from, this.#to);
  }

  #carry(arrive: () => void): void {
    const nowMs = this.#world.monotonicMs();
    this.#lastMs = Math.max(this.#lastMs, nowMs + this.#carryMs());
    this.#world.after(this.#lastMs - nowMs, arrive);
  }

  #stall(sinceMs: number): void {
    this.#isStalled = true;
    this.#links.whenOpen(this.#from ?? '', this.#to ?? '', () => {
      const stalledMs = Math.min(maxRetransmitMs, this.#world.monotonicMs() - sinceMs);
      this.#world.after(this.#random.between(0, stalledMs), () => {
        if (this.#isCut) {
          this.#stall(sinceMs);
          return;
        }
        this.#isStalled = false;
        for (const arrive of this.#unacknowledged.splice(0)) this.#carry(arrive);
      });
    });
  }
}
