import { setTimeout as sleep } from 'node:timers/promises';
import { realRuntime } from '../../dataplane/runtime/real-runtime.ts';
import { listAll } from '../../dataplane/store/list-all.ts';
import type { Body, ObjectStore, PutOptions } from '../../dataplane/store/object-store.ts';
import { createS3Store } from '../../dataplane/store/s3/s3-store.ts';

export const bucket = 'bench';

export interface S3Shared {
  readonly [key: string]: string;
  readonly endpoint: string;
  readonly region: string;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
}

/** Both sides of a comparison use this client, with the checksums that are its default. */
export function openStore(shared: S3Shared, prefix: string): ObjectStore {
  const { endpoint, region, accessKeyId, secretAccessKey } = shared;
  const credentials = { accessKeyId, secretAccessKey };
  return createS3Store({
    bucket,
    prefix,
    endpoint,
    region,
    credentials,
    maxConnections: 64,
    runtime: realRuntime,
  });
}

/** The same store; `onPut` sees every PUT as it is sent. */
export function watchPuts(store: ObjectStore, onPut: (key: string, body: Body) => void): ObjectStore {
  return wrapped(store, {
    put: (key: string, body: Body, options?: PutOptions) => {
      onPut(key, body);
      return store.put(key, body, options);
    },
  });
}

/** The same store but for the calls that are given. */
export function wrapped(store: ObjectStore, calls: Partial<ObjectStore>): ObjectStore {
  return {
    name: store.name,
    put: store.put.bind(store),
    get: store.get.bind(store),
    getStream: store.getStream.bind(store),
    head: store.head.bind(store),
    list: store.list.bind(store),
    delete: store.delete.bind(store),
    deleteMany: store.deleteMany.bind(store),
    close: store.close.bind(store),
    ...calls,
  };
}

export async function emptied(store: ObjectStore): Promise<void> {
  const keys: string[] = [];
  for await (const { key } of listAll(store, '')) keys.push(key);
  const failures = await store.deleteMany(keys);
  if (failures.length > 0) throw new Error(`${failures.length} objects could not be deleted`);
}

export async function until(what: string, condition: () => boolean): Promise<void> {
  const endMs = performance.now() + 60_000;
  while (!condition()) {
    if (performance.now() > endMs) throw new Error(`after 60 s it is still not so that ${what}`);
    await sleep(2);
  }
}

/** Runs `work(0)` to `work(count - 1)`, so many at a time. */
export async function atATime(
  width: number,
  count: number,
  work: (i: number) => Promise<unknown>,
): Promise<void> {
  let next = 0;
  const worker = async (): Promise<void> => {
    while (next < count) await work(next++);
  };
  await Promise.all(Array.from({ length: width }, worker));
}

/** Wall seconds and CPU seconds of this process. */
export async function timed(
  work: () => Promise<void>,
): Promise<{ readonly seconds: number; readonly cpuSeconds: number }> {
  const startMs = performance.now();
  const startCpu = process.cpuUsage();
  await work();
  const { user, system } = process.cpuUsage(startCpu);
  return { seconds: (performance.now() - startMs) / 1000, cpuSeconds: (user + system) / 1e6 };
}
