import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import path from 'node:path';
import { describe, it } from 'node:test';
import { promisify } from 'node:util';
import { installRealPart, skipUnless } from '../tools/real-part.ts';
import { serveCatalog } from './catalog-fixture.ts';
import type { Ground, ServedCatalog } from './catalog-fixture.ts';
import { readWithIcebird } from './read-with-icebird.ts';
import { appendOrders, createOrdersTable, orderOf, ordersTable } from './orders-table.ts';

const run = promisify(execFile);

interface ReadOrders {
  readonly rows: readonly (readonly unknown[])[];
  /** Count, least and greatest offset, greatest timestamp. */
  readonly kafka: readonly number[];
  /** Rows that a filter leaves, which lets readers use bounds to skip files. */
  readonly few: number;
}

const grounds: readonly Ground[] = ['directory', 'versitygw'];

async function python(program: string, ...args: readonly string[]): Promise<string> {
  const file = path.join(import.meta.dirname, 'python', program);
  const { stdout } = await run(await installRealPart('pythonTables'), [file, ...args], {
    maxBuffer: 64 * 1024 * 1024,
  });
  return stdout;
}

function optionsOf({ url, s3 }: ServedCatalog): string {
  const { endpoint, region, accessKeyId, secretAccessKey } = s3 ?? {};
  return JSON.stringify({
    url,
    namespace: ordersTable.namespace.join('.'),
    table: ordersTable.name,
    ...(s3 === undefined ? {} : { s3: { endpoint, region, accessKeyId, secretAccessKey } }),
  });
}

for (const ground of grounds) {
  const parts =
    ground === 'directory' ? (['pythonTables'] as const) : (['pythonTables', 'versitygw'] as const);
  describe(
    `tables in ${ground === 'directory' ? 'a directory' : 'versitygw'}`,
    { skip: await skipUnless(...parts) },
    () => {
      it('are read by DuckDB, pyiceberg and icebird as they were written', async (t) => {
        await using served = await serveCatalog(ground);
        await createOrdersTable(served);
        await appendOrders(served, 0, 0, { 'firn.epoch': '1' });
        const bounds = [0, 300, 301, 1000] as const;
        for (const [at, from] of bounds.slice(0, -1).entries())
          await appendOrders(served, from, bounds[at + 1] ?? 0);
        const rows = Array.from({ length: 1000 }, (_, i) => {
          const { id, customer, note, amount } = orderOf(i);
          return [id, customer, note, amount];
        });
        for (const engine of ['duckdb', 'pyiceberg']) {
          const read = JSON.parse(await python('read_orders.py', engine, optionsOf(served))) as ReadOrders;
          assert.deepEqual(read, { rows, kafka: [1000, 0, 999, 1_700_000_000_999], few: 500 }, engine);
        }
        const read = await readWithIcebird(t, served, '/v1/namespaces/shop/tables/orders.v1');
        const byId = read.toSorted((a, b) => Number(a['id']) - Number(b['id']));
        assert.deepEqual(
          byId.map(({ id, customer, note, amount }) => [Number(id), customer, note ?? null, amount]),
          rows,
        );
      });

      it('are read when their manifests have been merged', async (t) => {
        await using served = await serveCatalog(ground);
        const { catalog } = served;
        await createOrdersTable(served);
        const updates = { 'commit.manifest.min-count-to-merge': '3' };
        await catalog.commitTable(ordersTable, [], [{ action: 'set-properties', updates }]);
        for (let from = 0; from < 700; from += 100) await appendOrders(served, from, from + 100);
        for (const engine of ['duckdb', 'pyiceberg']) {
          const read = JSON.parse(await python('read_orders.py', engine, optionsOf(served))) as ReadOrders;
          assert.deepEqual(
            { ...read, rows: read.rows.length },
            { rows: 700, kafka: [700, 0, 699, 1_700_000_000_699], few: 200 },
          );
        }
        const rows = await readWithIcebird(t, served, '/v1/namespaces/shop/tables/orders.v1');
        assert.equal(new Set(rows.map(({ id }) => id)).size, 700);
      });

      it('are made, filled, evolved and dropped by pyiceberg', async () => {
        await using served = await serveCatalog(ground);
        const stdout = await python('write_with_pyiceberg.py', optionsOf(served));
        assert.equal(stdout.match(/^ok /gm)?.length, 8, stdout);
      });
    },
  );
}
