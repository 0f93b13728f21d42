import type { Cancel } from '../../runtime/runtime.ts';
import type { VirtualRandom } from '../../runtime/virtual-random.ts';
import type { VirtualTime } from '../../runtime/virtual-time.ts';
import type { SimulatedStore } from '../../store/simulated/simulated-store.ts';
import type { BrokerNode } from './broker-node.ts';
import type { LogChecker } from './checker.ts';
import type { SimulationProfile } from './profile.ts';

/** What clients and chaos see of the simulated cluster they live in. */
export interface Simulation {
  readonly time: VirtualTime;
  readonly random: VirtualRandom;
  readonly profile: SimulationProfile;
  readonly store: SimulatedStore;
  readonly checker: LogChecker;
  /** Processes that run, or are believed to. */
  readonly nodes: readonly BrokerNode[];
  /** Probability that a request, or an answer, is lost between client and broker. */
  readonly clientLoss: number;
  readonly clientTimeoutMs: number;
  readonly isOver: boolean;
  /** A timer of the world outside of all processes. */
  after(delayMs: number, callback: () => void): Cancel;
  /** A line of the trace. */
  note(what: string): void;
  /** Whom a client asks: mostly the node that the newest cluster state names, sometimes any that claims to serve. */
  findLeader(topicId: string, partition: number): BrokerNode | undefined;
  startNode(id: number): BrokerNode;
  retire(node: BrokerNode): void;
}
