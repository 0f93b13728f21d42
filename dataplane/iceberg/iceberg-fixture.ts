import type { FileMetrics } from '../columnar/data-file.ts';
import { realRuntime } from '../runtime/real-runtime.ts';
import type { Runtime } from '../runtime/runtime.ts';
import type { StructType } from '../schema/table-type.ts';
import { createMemoryStore } from '../store/memory.ts';
import type { ObjectStore } from '../store/object-store.ts';
import type { LoadedTable, TableIdentifier } from './catalog.ts';
import { EmbeddedCatalog } from './catalogs/embedded/embedded-catalog.ts';
import { StoreFileIo } from './file-io.ts';
import type { FileIo } from './file-io.ts';
import type { AddedFile } from './manifest/manifest-entry.ts';

/** For tests. */
export const orders: TableIdentifier = { namespace: ['shop'], name: 'orders' };

export const ordersStruct: StructType = {
  kind: 'struct',
  fields: [
    { id: 1, name: 'id', required: true, type: { kind: 'long' } },
    { id: 2, name: 'amount', required: false, type: { kind: 'double' } },
  ],
};

export const noMetrics: FileMetrics = {
  columnSizes: new Map(),
  valueCounts: new Map(),
  nullValueCounts: new Map(),
  nanValueCounts: new Map(),
  lowerBounds: new Map(),
  upperBounds: new Map(),
  splitOffsets: [],
};

export interface CatalogFixture {
  readonly store: ObjectStore;
  readonly runtime: Runtime;
  readonly catalog: EmbeddedCatalog;
  readonly io: FileIo;
}

export function catalogFixture(
  store: ObjectStore = createMemoryStore({ runtime: realRuntime }),
  runtime: Runtime = realRuntime,
): CatalogFixture {
  return { store, runtime, catalog: new EmbeddedCatalog(store, runtime), io: new StoreFileIo(store) };
}

/** An empty table `shop.orders`. */
export async function createOrders(
  { catalog }: CatalogFixture,
  properties: Readonly<Record<string, string>> = {},
): Promise<LoadedTable> {
  await catalog.ensureNamespace(orders.namespace);
  return await catalog.createTable(orders, { struct: ordersStruct, properties });
}

export function addedFile(location: string, recordCount = 10): AddedFile {
  const metrics = {
    ...noMetrics,
    columnSizes: new Map([
      [1, 80],
      [2, 90],
    ]),
    valueCounts: new Map([
      [1, recordCount],
      [2, recordCount],
    ]),
    nullValueCounts: new Map([
      [1, 0],
      [2, 3],
    ]),
    nanValueCounts: new Map([[2, 1]]),
    lowerBounds: new Map([[1, Uint8Array.of(1, 0, 0, 0, 0, 0, 0, 0)]]),
    upperBounds: new Map([[1, Uint8Array.of(255, 255, 255, 255, 255, 255, 255, 127)]]),
    splitOffsets: [4, 2 ** 40],
  };
  return { location, recordCount, sizeBytes: 1234, metrics };
}
