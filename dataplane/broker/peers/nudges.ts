import { inBackground } from '../../runtime/in-background.ts';
import { nudgeMethod } from './cluster-methods.ts';
import { PeerError } from './peer-error.ts';
import type { Peers } from './peers.ts';

const answerMs = 2_000;

/**
 * Tells the others that `meta/cluster` has changed, so that they need not wait for their next poll. One message at a time to
 * each, with the newest version there is when it leaves: a burst of changes makes few messages. What does not arrive is made
 * good by the poll.
 */
export class Nudges {
  readonly #peers: Peers;
  /** By broker: the newest version it has not been told of, while a message to it is under way. */
  readonly #untold = new Map<number, number | undefined>();

  constructor(peers: Peers) {
    this.#peers = peers;
  }

  changed(version: number): void {
    for (const broker of this.#peers.reachable) {
      if (this.#untold.has(broker)) this.#untold.set(broker, version);
      else inBackground(this.#tell(broker, version));
    }
  }

  async #tell(broker: number, first: number): Promise<void> {
    for (let version: number | undefined = first; version !== undefined; version = this.#untold.get(broker)) {
      this.#untold.set(broker, undefined);
      try {
        await this.#peers.request(broker, nudgeMethod, { version }, { timeoutMs: answerMs });
      } catch (error) {
        if (!(error instanceof PeerError)) throw error;
      }
    }
    this.#untold.delete(broker);
  }
}
