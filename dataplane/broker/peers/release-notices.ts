import { inBackground } from '../../runtime/in-background.ts';
import { releasedMethod } from './cluster-methods.ts';
import type { ReleasedGroup } from './cluster-methods.ts';
import { PeerError } from './peer-error.ts';
import type { Peers } from './peers.ts';

const answerMs = 2_000;
/** About 100 KB. */
const maxGroups = 1_000;

/**
 * Tells the next owners of groups that these were released: they wait for it, and would learn it from `meta/cluster` one write
 * and one read later. One message at a time to each, with all that has come together: a broker that drains releases
 * thousands. What does not arrive is made good by `meta/cluster`.
 */
export class ReleaseNotices {
  readonly #peers: Pick<Peers, 'request'>;
  readonly #untold = new Map<number, ReleasedGroup[]>();

  constructor(peers: Pick<Peers, 'request'>) {
    this.#peers = peers;
  }

  released(to: number, group: ReleasedGroup): void {
    const waiting = this.#untold.get(to);
    if (waiting !== undefined) {
      waiting.push(group);
      return;
    }
    this.#untold.set(to, [group]);
    inBackground(this.#tell(to));
  }

  async #tell(to: number): Promise<void> {
    // What is released in one go is told in one message.
    await Promise.resolve();
    const waiting = this.#untold.get(to) ?? [];
    while (waiting.length > 0) {
      const groups = waiting.splice(0, maxGroups);
      try {
        await this.#peers.request(to, releasedMethod, { groups }, { timeoutMs: answerMs });
      } catch (error) {
        if (!(error instanceof PeerError)) throw error;
      }
    }
    this.#untold.delete(to);
  }
}
