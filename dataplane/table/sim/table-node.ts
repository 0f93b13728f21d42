import { BrokerNode } from '../../log/sim/broker-node.ts';
import type { LogOptions } from '../../log/options.ts';
import { EmbeddedCatalog } from '../../iceberg/catalogs/embedded/embedded-catalog.ts';
import type { SimulatedProcess } from '../../runtime/simulated-process.ts';
import type { VirtualTime } from '../../runtime/virtual-time.ts';
import type { SimulatedStore } from '../../store/simulated/simulated-store.ts';
import { CrashPointStore } from '../crash-point-store.ts';
import type { CrashPoint } from '../crash-points.ts';
import { TableService } from '../table-service.ts';
import type { TableServiceOptions } from '../table-service.ts';
import type { TableSettings } from '../table-settings.ts';
import type { TableWorkers } from '../table-workers.ts';
import type { CatalogServer } from './remote-catalog.ts';
import type { SimulatedRegistry } from './simulated-registry.ts';

export interface NodeWorld {
  readonly time: VirtualTime;
  readonly store: SimulatedStore;
  readonly registry: SimulatedRegistry;
  /** `undefined`: every broker serves the catalog itself. */
  readonly catalogServer: CatalogServer | undefined;
  readonly profile: {
    readonly options: Partial<LogOptions>;
    readonly pollMs: number;
    readonly attemptTimeoutMs: number;
    readonly tables: Partial<TableServiceOptions>;
  };
  settingsOf(topic: string): TableSettings;
  /** Workers of the broker with this id, as this process reaches them. */
  peer(from: SimulatedProcess, broker: number): TableWorkers | undefined;
  /** A process has come to a point of its work: it may be killed there. */
  reached(node: TableNode, point: CrashPoint): void;
  problem(node: TableNode, what: string, error: unknown): void;
  exited(node: TableNode): void;
}

/**
 * One broker process of the simulation: the production log, tables and embedded catalog over the simulated store. What
 * tables read and write goes its own way to the store, so that a broker may be cut off from its log and not know it,
 * while its coordinators reach the catalog.
 */
export class TableNode {
  readonly broker: BrokerNode;
  readonly tables: TableService;

  constructor(world: NodeWorld, id: number) {
    const { time, store, registry, profile } = world;
    this.broker = new BrokerNode(time, store, { ...profile, expiresProducers: false }, id, `zone-${id % 3}`, {
      exited: () => {
        world.exited(this);
      },
      problem: (_, what, error) => {
        world.problem(this, what, error);
      },
    });
    const { process } = this.broker;
    const { runtime } = process;
    const crashPoint = (point: CrashPoint): void => {
      world.reached(this, point);
    };
    const connection = store.connect(process, {
      endpoint: `${process.name}/tables`,
      attemptTimeoutMs: profile.attemptTimeoutMs,
    });
    this.tables = new TableService({
      log: this.broker.log,
      store: connection,
      runtime,
      catalog:
        world.catalogServer?.connect(process) ??
        new EmbeddedCatalog(new CrashPointStore(connection, crashPoint), runtime),
      schemas: registry.connect(runtime),
      settings: (topic) => world.settingsOf(topic),
      peers: (broker) => world.peer(process, broker),
      options: profile.tables,
      crashPoint,
      onProblem: (what, error) => {
        world.problem(this, what, error);
      },
    });
    process.receive(() => {
      this.tables.start();
    });
  }

  get id(): number {
    return this.broker.id;
  }

  get process(): SimulatedProcess {
    return this.broker.process;
  }

  get isAlive(): boolean {
    return this.broker.isAlive;
  }
}
