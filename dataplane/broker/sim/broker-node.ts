import { Metrics } from '../../runtime/metrics.ts';
import { createLogger } from '../../runtime/logger.ts';
import type { SimulatedProcess } from '../../runtime/simulated-process.ts';
import type { VirtualTime } from '../../runtime/virtual-time.ts';
import type { SimulatedStore } from '../../store/simulated/simulated-store.ts';
import { LogError } from '../../log/errors.ts';
import type { LogOptions } from '../../log/options.ts';
import { Broker } from '../broker.ts';
import type { SimulatedNetwork } from './simulated-network.ts';

export interface NodeEvents {
  readonly exited: (node: BrokerNode) => void;
  readonly logged: (node: BrokerNode, line: string) => void;
}

/** One broker process of the simulation: the production broker over simulated store and network. */
export class BrokerNode {
  readonly id: number;
  readonly address: string;
  readonly process: SimulatedProcess;
  readonly broker: Broker;

  constructor(
    world: {
      readonly time: VirtualTime;
      readonly store: SimulatedStore;
      readonly network: SimulatedNetwork;
      readonly options: Partial<LogOptions>;
      readonly attemptTimeoutMs: number;
    },
    id: number,
    events: NodeEvents,
  ) {
    const { time, store, network } = world;
    this.id = id;
    this.address = `broker-${id}:9092`;
    this.process = time.process(`broker-${id}`, {
      wallSkewMs: time.random.between(-5_000, 5_000),
      clockRate: time.random.between(0.98, 1.02),
    });
    const { runtime } = this.process;
    const internal = network.listen(this.process, 'internal', `broker-${id}:9093`);
    this.broker = new Broker({
      store: store.connect(this.process, { attemptTimeoutMs: world.attemptTimeoutMs }),
      runtime,
      logger: createLogger({
        runtime,
        level: 'info',
        write: (line) => {
          events.logged(this, line);
        },
      }),
      metrics: new Metrics(),
      identity: {
        id,
        zone: `zone-${id % 3}`,
        address: internal.advertised,
        podUid: `${this.process.name}-${this.process.incarnation}`,
        version: 'sim',
      },
      acceptors: [network.listen(this.process, 'PLAINTEXT', this.address)],
      internal: { acceptor: internal, dialer: network.dialer(this.process) },
      options: {
        log: world.options,
        groups: { initialRebalanceDelayMs: 100, snapshotMinBytes: 3_000, loadRetryMs: 100 },
        offsetsTopicPartitions: 2,
        pollMs: 100,
        // Whole seeds take some ten seconds: what brokers wait for in earnest would not come.
        placement: {
          intervalMs: 300,
          maxUnderWay: 3,
          timings: { steadyAfterMs: 600, strayAfterMs: 2_000, slowHandoverMs: 1_500 },
        },
      },
      onReplaced: () => {
        this.process.kill();
        events.exited(this);
      },
    });
    // Who looks at it after it was given back is found out by its clients.
    this.broker.log.cold.memory.onFree = (memory) => memory.fill(0xee);
    this.process.receive(() => {
      this.broker.start().catch((error: unknown) => {
        if (!(error instanceof LogError)) time.fail(error);
      });
    });
  }

  get isAlive(): boolean {
    return this.process.isAlive;
  }
}
