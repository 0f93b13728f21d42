/** The catalog over HTTP, with tables in a directory or on an S3 server: what engines are pointed at. */
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { ApiServer } from '../../dataplane/broker/http/api-server.ts';
import { EmbeddedCatalog } from '../../dataplane/iceberg/catalogs/embedded/embedded-catalog.ts';
import { StoreFileIo } from '../../dataplane/iceberg/file-io.ts';
import type { FileIo } from '../../dataplane/iceberg/file-io.ts';
import {
  createRestCatalogHandler,
  refuseCatalogClient,
} from '../../dataplane/iceberg/rest/rest-catalog-handler.ts';
import { silentLogger } from '../../dataplane/runtime/logger.ts';
import { realRuntime } from '../../dataplane/runtime/real-runtime.ts';
import type { ObjectStore } from '../../dataplane/store/object-store.ts';
import { openStore } from '../../dataplane/store/open.ts';
import { createS3Store } from '../../dataplane/store/s3/s3-store.ts';
import { startVersitygw } from '../tools/s3-server.ts';
import type { S3Server } from '../tools/s3-server.ts';

export interface ServedCatalog {
  readonly catalog: EmbeddedCatalog;
  readonly io: FileIo;
  readonly store: ObjectStore;
  /** Of the REST catalog; `/v1/…` follows. */
  readonly url: string;
  /** Undefined: the tables lie in a directory. */
  readonly s3: S3Server | undefined;
  [Symbol.asyncDispose](): Promise<void>;
}

export type Ground = 'directory' | 'versitygw';

export async function serveCatalog(ground: Ground): Promise<ServedCatalog> {
  const { store, s3, remove } = ground === 'directory' ? await directory() : await bucket();
  const catalog = new EmbeddedCatalog(store, realRuntime);
  const handler = createRestCatalogHandler({ catalog, s3Access: store.s3Access });
  const server = await ApiServer.listen({
    host: '127.0.0.1',
    port: 0,
    mounts: { '/catalog': { handle: handler, refuse: refuseCatalogClient } },
    access: 'anonymous',
    logger: silentLogger,
  });
  return {
    catalog,
    io: new StoreFileIo(store),
    store,
    url: `http://127.0.0.1:${server.port}/catalog`,
    s3,
    [Symbol.asyncDispose]: async () => {
      await server.close();
      await store.close();
      await remove();
    },
  };
}

export function storeOf(s3: S3Server): ObjectStore {
  const { endpoint, region, accessKeyId, secretAccessKey } = s3;
  const credentials = { accessKeyId, secretAccessKey };
  return createS3Store({
    bucket: 'lake',
    prefix: 'warehouse',
    endpoint,
    region,
    credentials,
    runtime: realRuntime,
  });
}

interface GroundHandle {
  readonly store: ObjectStore;
  readonly s3: S3Server | undefined;
  readonly remove: () => Promise<void>;
}

async function directory(): Promise<GroundHandle> {
  // A blank in the path: what engines make of a location must not depend on how they read URLs.
  const folder = await mkdtemp(path.join(os.tmpdir(), 'firn tables-'));
  const store = await openStore(`file://${folder}`, { runtime: realRuntime });
  return { store, s3: undefined, remove: () => rm(folder, { recursive: true, force: true }) };
}

async function bucket(): Promise<GroundHandle> {
  // Arrow's S3 client in Python ends one in a few multipart uploads on a reused connection with versitygw's "An error
  // occurred when parsing the HTTP request"; on connections of their own they all succeed.
  const s3 = await startVersitygw({ keepAlive: false });
  await s3.createBucket('lake');
  const store = storeOf(s3);
  assert.ok(store.s3Access?.pathStyle);
  return { store, s3, remove: () => s3.stop() };
}
