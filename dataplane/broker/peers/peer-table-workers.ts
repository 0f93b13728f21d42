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
/** Of one question: an answer has room for a few files of each. */
const maxPartitions = 250;

/** The table workers of another broker. */
export class PeerTableWorkers implements TableWorkers {
  readonly #peers: Pick<Peers, 'request'>;
  readonly #broker: number;

  constructor(peers: Pick<Peers, 'request'>, broker: number) {
    this.#peers = peers;
    this.#broker = broker;
  }

  async collect(request: CollectRequest, signal?: AbortSignal): Promise<CollectAnswer> {
    const options = { timeoutMs: (request.finish ? request.waitMs : 0) + answerMs, signal };
    const questions: CollectRequest[] = [];
    for (let at = 0; at === 0 || at < request.partitions.length; at += maxPartitions)
      questions.push({ ...request, partitions: request.partitions.slice(at, at + maxPartitions) });
    const settled = await Promise.allSettled(
      questions.map((question) => this.#peers.request(this.#broker, collectMethod, question, options)),
    );
    signal?.throwIfAborted();
    const answers = settled.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []));
    // What has come is worth more than what has not, which comes with the next question.
    const [failure] = settled.flatMap((one) => (one.status === 'rejected' ? [one.reason as unknown] : []));
    if (answers.length === 0) throw failure;
    const stale = answers.find((answer) => answer.kind === 'stale-epoch');
    if (stale !== undefined) return stale;
    return {
      kind: 'collected',
      partitions: answers.flatMap((answer) => (answer.kind === 'collected' ? answer.partitions : [])),
    };
  }

  async committed(request: CommittedRequest, signal?: AbortSignal): Promise<void> {
    await this.#peers.request(this.#broker, committedMethod, request, { timeoutMs: answerMs, signal });
  }
}
