import type { Catalog, CreateTable, LoadedTable, TableIdentifier } from '../../iceberg/catalog.ts';
import { EmbeddedCatalog } from '../../iceberg/catalogs/embedded/embedded-catalog.ts';
import { CatalogError } from '../../iceberg/errors.ts';
import type { TableRequirement, TableUpdate } from '../../iceberg/table-update.ts';
import type { SimulatedProcess } from '../../runtime/simulated-process.ts';
import type { VirtualRandom } from '../../runtime/virtual-random.ts';
import type { VirtualTime } from '../../runtime/virtual-time.ts';
import type { SimulatedStore } from '../../store/simulated/simulated-store.ts';

/** A server of the catalog: a process that nobody kills, and that requests reach late, or that answers in vain. */
export class CatalogServer {
  readonly process: SimulatedProcess;
  readonly catalog: Catalog;
  readonly time: VirtualTime;
  readonly random: VirtualRandom;
  /** Of requests, of answers, and of requests that arrive long after the client has given up. */
  share = 0;

  constructor(time: VirtualTime, store: SimulatedStore, random: VirtualRandom) {
    this.time = time;
    this.random = random;
    this.process = time.process('catalog-server');
    const connection = store.connect(this.process, { attemptTimeoutMs: 300 });
    this.catalog = new EmbeddedCatalog(connection, this.process.runtime);
  }

  /** As one process reaches it. */
  connect(from: SimulatedProcess): Catalog {
    return new RemoteCatalog(this, from);
  }
}

/** The catalog's protocol over a network that loses and delays messages: what a REST catalog is to its clients. */
class RemoteCatalog implements Catalog {
  readonly name = 'remote catalog';
  readonly #server: CatalogServer;
  readonly #from: SimulatedProcess;

  constructor(server: CatalogServer, from: SimulatedProcess) {
    this.#server = server;
    this.#from = from;
  }

  ensureNamespace(namespace: readonly string[], signal?: AbortSignal): Promise<void> {
    return this.#call('UNKNOWN_OUTCOME', signal, (catalog) => catalog.ensureNamespace(namespace));
  }

  loadTable(table: TableIdentifier, signal?: AbortSignal): Promise<LoadedTable> {
    return this.#call('UNAVAILABLE', signal, (catalog) => catalog.loadTable(table));
  }

  createTable(table: TableIdentifier, request: CreateTable, signal?: AbortSignal): Promise<LoadedTable> {
    return this.#call('UNKNOWN_OUTCOME', signal, (catalog) => catalog.createTable(table, request));
  }

  commitTable(
    table: TableIdentifier,
    requirements: readonly TableRequirement[],
    updates: readonly TableUpdate[],
    signal?: AbortSignal,
  ): Promise<LoadedTable> {
    return this.#call('UNKNOWN_OUTCOME', signal, (catalog) =>
      catalog.commitTable(table, requirements, updates),
    );
  }

  #call<T>(
    unanswered: 'UNKNOWN_OUTCOME' | 'UNAVAILABLE',
    signal: AbortSignal | undefined,
    work: (catalog: Catalog) => Promise<T>,
  ): Promise<T> {
    const { time, random, share, process, catalog } = this.#server;
    return new Promise((resolve, reject) => {
      const giveUp = (why: string): void => {
        reject(new CatalogError(unanswered, `the catalog does not answer: ${why}`));
      };
      const cancel = this.#from.runtime.after(random.pick([150, 500]), () => {
        giveUp('time-out');
      });
      signal?.addEventListener(
        'abort',
        () => {
          cancel();
          giveUp('given up');
        },
        { once: true },
      );
      const answer = (settle: () => void): void => {
        process.send(() => {
          if (random.chance(share)) return;
          time.environment.after(random.between(0.1, 4), () => {
            this.#from.receive(() => {
              cancel();
              settle();
            });
          });
        });
      };
      const arrive = (): void => {
        process.receive(() => {
          work(catalog).then(
            (value) => {
              answer(() => {
                resolve(value);
              });
            },
            (error: unknown) => {
              answer(() => {
                reject(error instanceof Error ? error : new Error(String(error)));
              });
            },
          );
        });
      };
      this.#from.send(() => {
        if (random.chance(share)) return;
        const delayMs = random.chance(share) ? random.logBetween(100, 8_000) : random.between(0.1, 4);
        time.environment.after(delayMs, arrive);
      });
    });
  }
}
