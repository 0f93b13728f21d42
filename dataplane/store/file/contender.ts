import { realRuntime } from '../../runtime/real-runtime.ts';
import { openFileStore } from './open-file-store.ts';

/** What the test tells a contender to do. */
export type Order =
  /** Create the key with ifAbsent, with the contender's name as bytes and id. */
  | { readonly do: 'create'; readonly key: string }
  /** Add one to the contender's own count in the counter, by compare-and-swap, until told to stop. */
  | { readonly do: 'count'; readonly key: string }
  | { readonly do: 'stop' };

export type Report =
  | { readonly kind: 'ready' }
  | { readonly kind: 'created'; readonly won: boolean }
  /** So many increments of this contender have been acknowledged by the store. */
  | { readonly kind: 'counted'; readonly total: number; readonly lost: number }
  | { readonly kind: 'stopped'; readonly total: number };

/** How often each contender has counted. */
export type Counter = Readonly<Record<string, number>>;

/**
 * One of several processes that contend for keys of one directory: for tests, which run this file as a program
 * (`contender.ts ROOT NAME`) and kill it at will. It ends with its parent.
 */
async function contend(root: string, name: string): Promise<void> {
  const store = await openFileStore(root, { runtime: realRuntime });
  let stopped = false;
  process.once('disconnect', () => process.exit(0));

  const create = async (key: string): Promise<void> => {
    const result = await store.put(key, Buffer.from(name), { ifAbsent: true, id: name });
    await report({ kind: 'created', won: result.kind === 'written' });
  };
  const count = async (key: string): Promise<void> => {
    let total = 0;
    let lost = 0;
    while (!stopped) {
      const current = await store.get(key);
      if (current.kind !== 'found') throw new Error(`the counter is ${current.kind}`);
      const counter = JSON.parse(Buffer.from(current.body).toString()) as Counter;
      const next = Buffer.from(JSON.stringify({ ...counter, [name]: (counter[name] ?? 0) + 1 }));
      const result = await store.put(key, next, { ifMatch: current.info.etag, id: `${name} ${total + 1}` });
      if (result.kind === 'written') await report({ kind: 'counted', total: ++total, lost });
      else lost++;
    }
    await report({ kind: 'stopped', total });
  };
  const fail = (error: unknown): void => {
    process.stderr.write(
      `${name}: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`,
    );
    process.exit(1);
  };
  process.on('message', (order: Order) => {
    if (order.do === 'stop') stopped = true;
    else if (order.do === 'create') create(order.key).catch(fail);
    else count(order.key).catch(fail);
  });
  await report({ kind: 'ready' });
}

/** Resolves when the report is on its way whatever happens to this process. */
function report(message: Report): Promise<void> {
  return new Promise((resolve, reject) => {
    process.send?.(message, (error: Error | null) => {
      if (error === null) resolve();
      else reject(error);
    });
  });
}

if (import.meta.main) {
  const [root = '', name = ''] = process.argv.slice(2);
  await contend(root, name);
}
