import { EmbeddedCatalog } from '../iceberg/catalogs/embedded/embedded-catalog.ts';
import { pointerKey } from '../iceberg/catalogs/embedded/catalog-keys.ts';
import { ingestTag } from '../iceberg/append.ts';
import type { TableMetadata } from '../iceberg/table-metadata.ts';
import { startBroker, topicId } from '../log/one-broker-fixture.ts';
import type { OneBroker } from '../log/one-broker-fixture.ts';
import type { LogOptions } from '../log/options.ts';
import type { Runtime } from '../runtime/runtime.ts';
import { keyOfLocation } from '../store/locations.ts';
import type { ObjectStore } from '../store/object-store.ts';
import { encodeOrder, orderBatch, orderSchemas } from './sim/order.ts';
import type { Order } from './sim/order.ts';
import { SimulatedRegistry } from './sim/simulated-registry.ts';
import { TableView } from './sim/table-view.ts';
import type { TableRow } from './sim/table-rows.ts';
import { TableService } from './table-service.ts';
import type { TableServiceOptions } from './table-service.ts';
import type { TableSettings } from './table-settings.ts';
import { defaultTableSettings } from './table-settings.ts';
import type { TableStatus } from './table-status.ts';

/** For tests: one broker in virtual time, whose topic `t` is a table. */
export class TableFixture {
  readonly broker: OneBroker;
  readonly registry = new SimulatedRegistry();
  readonly problems: string[] = [];
  readonly identifier = { namespace: ['default'], name: 't' };
  readonly store: ObjectStore;
  readonly runtime: Runtime;
  readonly catalog: EmbeddedCatalog;
  readonly view: TableView;
  settings: TableSettings = { ...defaultTableSettings('t', true), commitIntervalMs: 1_000 };
  tables: TableService;
  #sent = 0;

  constructor(broker: OneBroker, options: Partial<TableServiceOptions>) {
    this.broker = broker;
    const process = broker.time.process('tables');
    this.runtime = process.runtime;
    this.store = broker.store.connect(process);
    this.catalog = new EmbeddedCatalog(this.store, this.runtime);
    this.view = new TableView(broker.store, (location) => keyOfLocation(this.store, location) ?? location);
    this.tables = this.newService(options);
  }

  static async start(
    options: Partial<TableServiceOptions> = {},
    log: Partial<LogOptions> = {},
  ): Promise<TableFixture> {
    return new TableFixture(await startBroker(log), options);
  }

  newService(options: Partial<TableServiceOptions> = {}, store: ObjectStore = this.store): TableService {
    const { runtime, catalog, registry, problems } = this;
    return new TableService({
      log: this.broker.log,
      store,
      runtime,
      catalog,
      schemas: registry.connect(runtime),
      settings: () => this.settings,
      options: { stoppedCheckMs: 100, ...options },
      onProblem: (what, error) => problems.push(`${what}: ${error instanceof Error ? error.message : ''}`),
    });
  }

  /** Registers the first schema as the subject's latest. */
  registerSchema(): void {
    this.registry.register(1, orderSchemas[1] ?? '', true);
  }

  order(): Order {
    this.#sent += 1;
    return { name: `order ${this.#sent}`, amount: this.#sent, note: null };
  }

  /** Appends values, or so many orders, as one batch. */
  async append(what: number | readonly (Buffer | null)[], partition = 0): Promise<void> {
    const values =
      typeof what === 'number' ? Array.from({ length: what }, () => encodeOrder(this.order(), 1)) : what;
    const { time, log } = this.broker;
    const batch = orderBatch(values, time.environment.wallMs(), 'none');
    await time.drive(() => log.append(topicId, partition, batch));
  }

  get status(): TableStatus {
    const [status] = this.tables.status;
    if (status === undefined) throw new Error('the broker has no table');
    return status;
  }

  committed(partition = 0): number | undefined {
    return this.status.partitions[partition]?.committed;
  }

  async until(holds: () => boolean, withinMs = 60_000): Promise<void> {
    const { time } = this.broker;
    const { reason } = await time.run({ until: holds, untilMs: time.nowMs + withinMs });
    if (reason !== 'until')
      throw new Error(`not within ${withinMs} ms: ${holds.toString()}; ${this.problems.join('; ')}`);
  }

  async pass(ms: number): Promise<void> {
    const { time } = this.broker;
    await time.run({ untilMs: time.nowMs + ms });
  }

  get table(): TableMetadata {
    const metadata = this.view.table(pointerKey(this.identifier));
    if (metadata === undefined) throw new Error('there is no table');
    return metadata;
  }

  /** The summary of the snapshot that the tag names. */
  get summary(): Readonly<Record<string, string>> {
    const { refs, snapshots } = this.table;
    const tag = refs[ingestTag]?.snapshotId;
    return snapshots.find(({ snapshotId }) => snapshotId === tag)?.summary ?? {};
  }

  /** Of `main`, in the order of partitions and offsets. */
  async rows(): Promise<readonly TableRow[]> {
    const { currentSnapshotId, snapshots } = this.table;
    const main = snapshots.find(({ snapshotId }) => snapshotId === currentSnapshotId);
    if (main === undefined) return [];
    const files = await Promise.all(this.view.dataFiles(main).map((file) => this.view.rows(file)));
    return files.flat().toSorted((a, b) => a.partition - b.partition || a.offset - b.offset);
  }

  async stop(): Promise<void> {
    const { time, log } = this.broker;
    await time.drive(() => this.tables.stop());
    await time.drive(() => log.stop());
  }
}
