import type {
  CollectAnswer,
  CollectRequest,
  CommittedRequest,
  TableWorkers,
} from '../../table/table-workers.ts';
import type { Peers } from './peers.ts';
import { collectMethod, committedMethod } from './table-methods.ts';

/** Beyond what the question itself may wait. */
const answerMs = 5_000;

/** The table workers of another broker. */
export class PeerTableWorkers implements TableWorkers {
  readonly #peers: Peers;
  readonly #broker: number;

  constructor(peers: Peers, broker: number) {
    this.#peers = peers;
    this.#broker = broker;
  }

  collect(request: CollectRequest, signal?: AbortSignal): Promise<CollectAnswer> {
    const timeoutMs = (request.finish ? request.waitMs : 0) + answerMs;
    return this.#peers.request(this.#broker, collectMethod, request, { timeoutMs, signal });
  }

  async committed(request: CommittedRequest, signal?: AbortSignal): Promise<void> {
    await this.#peers.request(this.#broker, committedMethod, request, { timeoutMs: answerMs, signal });
  }
}
