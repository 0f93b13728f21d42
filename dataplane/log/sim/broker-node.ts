import type { SimulatedProcess } from '../../runtime/simulated-process.ts';
import type { VirtualTime } from '../../runtime/virtual-time.ts';
import type { SimulatedStore } from '../../store/simulated/simulated-store.ts';
import { BrokerLog } from '../broker-log.ts';
import { LogError } from '../errors.ts';
import type { SimulationProfile } from './profile.ts';

export interface NodeEvents {
  readonly exited: (node: BrokerNode) => void;
  readonly problem: (node: BrokerNode, what: string, error: unknown) => void;
}

/** One broker process of the simulation: the production log over the simulated store. Restarting makes a new node. */
export class BrokerNode {
  readonly id: number;
  readonly zone: string;
  readonly process: SimulatedProcess;
  readonly log: BrokerLog;
  readonly #time: VirtualTime;
  #exited = false;

  constructor(
    time: VirtualTime,
    store: SimulatedStore,
    profile: Pick<SimulationProfile, 'options' | 'pollMs' | 'attemptTimeoutMs' | 'expiresProducers'>,
    id: number,
    zone: string,
    events: NodeEvents,
  ) {
    this.id = id;
    this.zone = zone;
    this.#time = time;
    this.process = time.process(`broker-${id}`, {
      wallSkewMs: time.random.between(-5_000, 5_000),
      clockRate: time.random.between(0.98, 1.02),
    });
    this.log = new BrokerLog({
      store: store.connect(this.process, { attemptTimeoutMs: profile.attemptTimeoutMs }),
      runtime: this.process.runtime,
      identity: {
        id,
        zone,
        address: `broker-${id}:9092`,
        listeners: {},
        podUid: `${this.process.name}-${this.process.incarnation}`,
        version: 'sim',
      },
      options: { ...profile.options, ...(profile.expiresProducers ? { producerIdExpirationMs: 500 } : {}) },
      pollMs: profile.pollMs,
      onProblem: (what, error) => {
        events.problem(this, what, error);
      },
      onReplaced: () => {
        this.exit();
        events.exited(this);
      },
    });
    this.process.receive(() => {
      this.log.start().catch((error: unknown) => {
        if (!(error instanceof LogError)) time.fail(error);
      });
    });
  }

  get isAlive(): boolean {
    return this.process.isAlive && !this.#exited;
  }

  /** The process ends of its own accord: it has been replaced. */
  exit(): void {
    this.#exited = true;
    this.process.kill();
  }

  /**
   * A client's request: travels there, is worked on, and its answer travels back, each of which the caller may never
   * hear of. `answer` is called at most once, in the world outside of the process.
   */
  call<T>(
    delays: { readonly thereMs: number; readonly backMs: number },
    work: (log: BrokerLog) => Promise<T>,
    answer: (result: CallResult<T>) => void,
  ): void {
    this.#time.environment.after(delays.thereMs, () => {
      this.process.receive(() => {
        const respond = (result: CallResult<T>): void => {
          this.process.send(() => {
            this.#time.environment.after(delays.backMs, () => {
              answer(result);
            });
          });
        };
        work(this.log).then(
          (value) => {
            respond({ ok: true, value });
          },
          (error: unknown) => {
            respond({ ok: false, error });
          },
        );
      });
    });
  }
}

export type CallResult<T> =
  { readonly ok: true; readonly value: T } | { readonly ok: false; readonly error: unknown };
