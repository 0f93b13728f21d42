import type { SimulatedProcess } from '../../runtime/simulated-process.ts';
import type { VirtualRandom } from '../../runtime/virtual-random.ts';
import type { VirtualTime } from '../../runtime/virtual-time.ts';
import type { CollectAnswer, CollectRequest, CommittedRequest, TableWorkers } from '../table-workers.ts';

/** What lies between two brokers. */
export interface WorkerNetwork {
  readonly time: VirtualTime;
  readonly random: VirtualRandom;
  /** Of requests, and of answers. */
  readonly lossShare: number;
}

/** The workers of another process: asked by messages that take their time and get lost. */
export class LossyWorkers implements TableWorkers {
  readonly #network: WorkerNetwork;
  readonly #from: SimulatedProcess;
  readonly #to: () => { readonly process: SimulatedProcess; readonly workers: TableWorkers } | undefined;

  constructor(
    network: WorkerNetwork,
    from: SimulatedProcess,
    to: () => { readonly process: SimulatedProcess; readonly workers: TableWorkers } | undefined,
  ) {
    this.#network = network;
    this.#from = from;
    this.#to = to;
  }

  collect(request: CollectRequest): Promise<CollectAnswer> {
    return this.#call(request, request.waitMs + 300, (workers, message) => workers.collect(message));
  }

  committed(request: CommittedRequest): Promise<void> {
    return this.#call(request, 300, (workers, message) => workers.committed(message));
  }

  #call<Request, Answer>(
    request: Request,
    timeoutMs: number,
    work: (workers: TableWorkers, request: Request) => Promise<Answer>,
  ): Promise<Answer> {
    const { time, random, lossShare } = this.#network;
    const message = structuredClone(request);
    return new Promise((resolve, reject) => {
      const cancel = this.#from.runtime.after(timeoutMs, () => {
        reject(new Error('the other broker does not answer'));
      });
      const answer = (settle: () => void): void => {
        if (random.chance(lossShare)) return;
        time.environment.after(random.between(0.1, 3), () => {
          this.#from.receive(() => {
            cancel();
            settle();
          });
        });
      };
      this.#from.send(() => {
        if (random.chance(lossShare)) return;
        const delayMs = random.chance(0.02) ? random.between(50, 2_000) : random.between(0.1, 3);
        time.environment.after(delayMs, () => {
          const to = this.#to();
          to?.process.receive(() => {
            work(to.workers, message).then(
              (value) => {
                to.process.send(() => {
                  const copy = structuredClone(value);
                  answer(() => {
                    resolve(copy);
                  });
                });
              },
              (error: unknown) => {
                to.process.send(() => {
                  answer(() => {
                    reject(error instanceof Error ? error : new Error(String(error)));
                  });
                });
              },
            );
          });
        });
      });
    });
  }
}
