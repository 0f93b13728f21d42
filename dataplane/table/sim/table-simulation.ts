import type { VirtualRandom } from '../../runtime/virtual-random.ts';
import type { VirtualTime } from '../../runtime/virtual-time.ts';
import type { SimulatedStore } from '../../store/simulated/simulated-store.ts';
import type { TableIdentifier } from '../../iceberg/catalog.ts';
import type { RecordHistory } from './record-history.ts';
import type { SimulatedRegistry } from './simulated-registry.ts';
import type { TableChecker } from './table-checker.ts';
import type { TableNode } from './table-node.ts';
import type { TableProfile } from './table-profile.ts';

/** A topic of the simulation, with its table. */
export interface SimulatedTopic {
  readonly name: string;
  readonly topicId: string;
  readonly partitions: number;
  readonly identifier: TableIdentifier;
  readonly pointerKey: string;
  readonly history: RecordHistory;
}

/** What clients, engines and chaos see of the world they live in. */
export interface TableSimulation {
  readonly time: VirtualTime;
  readonly random: VirtualRandom;
  readonly profile: TableProfile;
  readonly store: SimulatedStore;
  readonly checker: TableChecker;
  readonly registry: SimulatedRegistry;
  readonly topics: readonly SimulatedTopic[];
  readonly nodes: readonly TableNode[];
  /** Clients finish what they have begun. */
  readonly isEnding: boolean;
  /** Whom a client asks. */
  findLeader(topicId: string, partition: number): TableNode | undefined;
  startNode(id: number): TableNode;
  kill(node: TableNode): void;
  count(what: 'pauses' | 'moves' | 'unawares' | 'compactions' | 'expiries' | 'columns' | 'harms'): void;
  note(what: string): void;
  sleep(ms: number): Promise<void>;
  /** Work outside of all processes: what it throws ends the simulation. */
  run(work: Promise<void>): void;
}
