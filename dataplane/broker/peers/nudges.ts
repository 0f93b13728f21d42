import { inBackground } from '../../runtime/in-background.ts';
import { nudgeMethod } from './cluster-methods.ts';
import { PeerError } from './peer-error.ts';
import type { Peers } from './peers.ts';

const answerMs = 2_000;

/**
 * Tells the others that `meta/cluster` has changed, so that they need not wait for their next poll. One message at a time to
 * each, with the newest version there is when it leaves: a burst of changes makes few messages. What does not arrive is made
 * good by the poll. A nudge is answered when the other broker knows the version.
 */
export class Nudges {
  readonly #peers: Pick<Peers, 'reachable' | 'request'>;
  readonly #telling = new Set<number>();
  /** By broker: the newest version it knows, or would not be told of. */
  readonly #answered = new Map<number, number>();
  readonly #waiting = new Set<{
    readonly broker: number;
    readonly version: number;
    readonly resolve: () => void;
  }>();
  #version = 0;

  constructor(peers: Pick<Peers, 'reachable' | 'request'>) {
    this.#peers = peers;
  }

  changed(version: number): void {
    this.#version = Math.max(this.#version, version);
    for (const broker of this.#peers.reachable)
      if (!this.#telling.has(broker)) inBackground(this.#tell(broker));
  }

  /** A broker can be asked from now on: it may have missed what was told before, or be new and unknown to others. */
  met(broker: number, version: number): void {
    this.#version = Math.max(this.#version, version);
    if (!this.#telling.has(broker)) inBackground(this.#tell(broker));
  }

  /** Resolves when all that can be asked know `version`; those that do not answer are waited for no longer than a nudge. */
  async known(version: number): Promise<void> {
    const ignorant = this.#peers.reachable.filter((broker) => (this.#answered.get(broker) ?? 0) < version);
    const told = ignorant.map((broker) => {
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#waiting.add({ broker, version, resolve });
      this.met(broker, version);
      return promise;
    });
    await Promise.all(told);
  }

  async #tell(broker: number): Promise<void> {
    this.#telling.add(broker);
    for (let told = 0; told < this.#version;) {
      told = this.#version;
      try {
        await this.#peers.request(broker, nudgeMethod, { version: told }, { timeoutMs: answerMs });
      } catch (error) {
        if (!(error instanceof PeerError)) throw error;
      }
      this.#settle(broker, told);
    }
    this.#telling.delete(broker);
  }

  #settle(broker: number, version: number): void {
    this.#answered.set(broker, version);
    for (const waiting of this.#waiting) {
      if (waiting.broker !== broker || waiting.version > version) continue;
      this.#waiting.delete(waiting);
      waiting.resolve();
    }
  }
}
