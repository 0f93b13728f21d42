import { EmbeddedCatalog } from '../../iceberg/catalogs/embedded/embedded-catalog.ts';
import { createRestCatalogHandler, refuseCatalogClient } from '../../iceberg/rest/rest-catalog-handler.ts';
import { tokenEndpoint, tokenEndpointPath } from '../../iceberg/rest/token-endpoint.ts';
import type { BrokerLog } from '../../log/broker-log.ts';
import type { HttpHandler } from '../../runtime/http-exchange.ts';
import type { Runtime } from '../../runtime/runtime.ts';
import { refuseRegistryClient, registryHandler } from '../../schema/registry/http/registry-handler.ts';
import type { Registry } from '../../schema/registry/registry.ts';
import type { SchemaLookup } from '../../schema/registry/schema-lookup.ts';
import type { ObjectStore } from '../../store/object-store.ts';
import { CrashPointStore } from '../../table/crash-point-store.ts';
import type { CrashPoints } from '../../table/crash-points.ts';
import { rowFileWriters } from '../../table/row-file-writers.ts';
import { TableService } from '../../table/table-service.ts';
import type { TableWorkers } from '../../table/table-workers.ts';
import type { ApiMounts } from '../http/api-mount.ts';
import { clusterRegistryHandler } from '../registry/cluster-registry-handler.ts';
import type { RemoteRegistry } from '../registry/cluster-registry-handler.ts';
import type { RegistryDirectory } from '../registry/registry-directory.ts';
import { tableSubjectCheck } from '../registry/table-subjects.ts';
import { TableGate } from './table-gate.ts';
import { tableSettingsOf } from './table-settings-of.ts';

/** What makes topics tables in one broker: the embedded catalog, the workers and coordinators, and what is refused early. */
export class BrokerTables {
  readonly service: TableService;
  readonly #store: ObjectStore;
  readonly #catalog: EmbeddedCatalog;
  /** The registry of this broker alone. */
  readonly registryHandler: HttpHandler;
  readonly #registryOfCluster: HttpHandler;
  readonly #gate: TableGate;
  readonly #signal: AbortSignal;

  constructor(parts: {
    readonly log: BrokerLog;
    readonly registry: Registry;
    readonly directory: RegistryDirectory;
    /** `undefined`: there are no other brokers. */
    readonly askRegistry?: RemoteRegistry | undefined;
    /** Of the whole cluster. */
    readonly schemas: SchemaLookup;
    readonly store: ObjectStore;
    readonly runtime: Runtime;
    /** Of this program: data files say who wrote them. */
    readonly version: string;
    readonly onProblem: (what: string, error: unknown) => void;
    /** The table workers of another broker; `undefined`: it cannot be asked. */
    readonly peers?: ((broker: number) => TableWorkers | undefined) | undefined;
    readonly crashPoint?: CrashPoints | undefined;
    /** Aborts when the broker stops. */
    readonly signal: AbortSignal;
  }) {
    const {
      log,
      registry,
      directory,
      askRegistry,
      schemas,
      store,
      runtime,
      version,
      onProblem,
      peers,
      crashPoint,
      signal,
    } = parts;
    this.#store = store;
    this.#signal = signal;
    const catalogStore = crashPoint === undefined ? store : new CrashPointStore(store, crashPoint);
    this.#catalog = new EmbeddedCatalog(catalogStore, runtime);
    this.#gate = new TableGate({ cluster: log.cluster, schemas, catalog: this.#catalog });
    this.registryHandler = registryHandler({
      registry,
      checkRegistration: tableSubjectCheck(
        () => log.cluster.current,
        (topic, signal) => this.#gate.columnsOf(topic, signal),
      ),
    });
    this.#registryOfCluster =
      askRegistry === undefined
        ? this.registryHandler
        : clusterRegistryHandler({ here: this.registryHandler, directory, remote: askRegistry, runtime });
    this.service = new TableService({
      log,
      store,
      runtime,
      catalog: this.#catalog,
      schemas,
      settings: tableSettingsOf,
      writers: rowFileWriters(version),
      peers,
      crashPoint,
      onProblem,
    });
  }

  /** Says why a topic cannot be a table; `undefined`: it can, as far as is known. */
  readonly whyNoTable = (topic: string): Promise<string | undefined> =>
    this.#gate.whyNoTable(topic, this.#signal);

  /** From which offset on retention deletes nothing: what the table has not got yet. */
  readonly retentionHold = (topicId: string, partition: number): number =>
    this.service.committedFloor(topicId, partition) ?? 0;

  get apiMounts(): ApiMounts {
    return {
      '/registry': {
        handle: this.#registryOfCluster,
        refuse: refuseRegistryClient,
      },
      '/catalog': {
        handle: createRestCatalogHandler({ catalog: this.#catalog, s3Access: this.#store.s3Access }),
        refuse: refuseCatalogClient,
        tokens: { path: tokenEndpointPath, handle: tokenEndpoint },
      },
    };
  }
}
