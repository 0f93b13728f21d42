import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { icebergRead } from 'icebird';

/** Sums over a table, as an engine that is not ours has computed them. */
export interface Answer {
  readonly rows: number;
  /** By country: orders, and their amounts. */
  readonly byCountry: ReadonlyMap<string, { readonly orders: number; readonly amount: number }>;
}

/** Reads the whole table with icebird: its metadata from the catalog, the rest from where the metadata says. */
export async function askIcebird(catalog: string, namespace: string, table: string): Promise<Answer> {
  const answer = await fetch(`${catalog}/v1/namespaces/${namespace}/tables/${table}`);
  if (!answer.ok) throw new Error(`the catalog says ${answer.status}: ${await answer.text()}`);
  const { metadata } = (await answer.json()) as { metadata: Parameters<typeof icebergRead>[0]['metadata'] };
  if (metadata === undefined) throw new Error('the catalog answered without metadata');
  const rows = await withFileUrls(() => icebergRead({ tableUrl: metadata.location, metadata }));
  const byCountry = new Map<string, { orders: number; amount: number }>();
  for (const { country, amount } of rows) {
    const sum = byCountry.get(String(country)) ?? { orders: 0, amount: 0 };
    byCountry.set(String(country), { orders: sum.orders + 1, amount: sum.amount + Number(amount) });
  }
  return { rows: rows.length, byCountry };
}

/** icebird reads by `fetch`, which knows no `file:` URLs: here it does, ranges and HEAD too. */
async function withFileUrls<T>(work: () => Promise<T>): Promise<T> {
  const original = globalThis.fetch;
  globalThis.fetch = async (input, init) => {
    const url = typeof input === 'string' ? input : input instanceof URL ? input.href : input.url;
    if (!url.startsWith('file:')) return await original(input, init);
    const bytes = await readFile(fileURLToPath(url));
    const range = /^bytes=(\d+)-(\d+)?$/.exec(new Headers(init?.headers).get('range') ?? '');
    if (range === null)
      return new Response(init?.method === 'HEAD' ? null : bytes, {
        headers: { 'content-length': String(bytes.length) },
      });
    const end = range[2] === undefined ? bytes.length : Number(range[2]) + 1;
    return new Response(bytes.subarray(Number(range[1]), end), { status: 206 });
  };
  try {
    return await work();
  } finally {
    globalThis.fetch = original;
  }
}

/** The same count by pyiceberg, where Python has it; `undefined`: it has not. */
export async function askPyiceberg(catalog: string, identifier: string): Promise<number | undefined> {
  const program = `
import sys
try:
    from pyiceberg.catalog import load_catalog
except ImportError:
    sys.exit(77)
table = load_catalog("firn", type="rest", uri=${JSON.stringify(catalog)}).load_table(${JSON.stringify(identifier)})
print(table.scan().to_arrow().num_rows)
`;
  try {
    const { stdout } = await promisify(execFile)('python3', ['-c', program]);
    return Number(stdout);
  } catch (error) {
    const { code } = error as { code?: unknown };
    if (code === 77 || code === 'ENOENT') return undefined;
    throw error;
  }
}
