import type { VirtualRandom } from '../../runtime/virtual-random.ts';
import type { VirtualTime } from '../../runtime/virtual-time.ts';
import type { History } from './history.ts';
import type { SimulatedClient } from './simulated-client.ts';

/** What simulated clients see of the world they live in. */
export interface BrokerSimulation {
  readonly time: VirtualTime;
  readonly random: VirtualRandom;
  readonly history: History;
  readonly partitions: number;
  /** Clients finish what they have begun. */
  readonly isEnding: boolean;
  /** Nothing more is to be done. */
  readonly isOver: boolean;
  newClient(name: string): SimulatedClient;
  /** A bootstrap address: of any broker, running or not. */
  anyAddress(): string;
  sleep(ms: number): Promise<void>;
  /** Runs a client's loop: what it throws ends the simulation. */
  run(work: Promise<void>): void;
  note(what: string): void;
}
