/** Real S3 servers for tests and benches, on the loopback interface and free ports. */
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { freePort } from './free-port.ts';
import { logTail, startLeashed } from './leashed-process.ts';
import type { LeashedProcess } from './leashed-process.ts';
import { installRealPart } from './real-part.ts';
import type { RealPartName } from './real-part.ts';

export interface S3ServerOptions {
  /** Where the server keeps its data; created when missing and left in place. Without it: a temporary folder, removed by `stop`. */
  readonly dir?: string | undefined;
  /** A port to listen on, to come back where a server was that has been stopped. Default: a free one. */
  readonly port?: number | undefined;
  /** Let the server log each request to `logFile`. Default: false, because it costs CPU in a bench. */
  readonly logRequests?: boolean | undefined;
  /** versitygw: several requests on one connection. Default true; see `serveCatalog` for who must not have it. */
  readonly keepAlive?: boolean | undefined;
}

export interface S3Server {
  readonly kind: S3ServerKind;
  /** `http://127.0.0.1:PORT`; path-style addressing. */
  readonly endpoint: string;
  readonly port: number;
  readonly region: string;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  /** Of the server itself: may be stopped with SIGSTOP, measured under /proc. */
  readonly pid: number;
  readonly dir: string;
  /** What the server printed; removed by `stop`. */
  readonly logFile: string;
  /** Creates a bucket; succeeds when it exists already. */
  createBucket(name: string): Promise<void>;
  /** Ends the server (SIGTERM, then SIGKILL) and removes what was made for it. May be called twice. */
  stop(): Promise<void>;
  /** Ends the server as a power cut would (SIGKILL) and keeps its data: start another with the same `dir`. */
  kill(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

export type S3ServerKind = 'versitygw' | 'minio' | 'moto';

const region = 'us-east-1';
const accessKeyId = 'firn';
const secretAccessKey = 'firnsecret';
/** Far above what a loaded machine needs (MinIO took 10 s at load 60). */
const readyWithinMs = 120_000;

interface Launch {
  readonly part: RealPartName;
  args(port: number, dir: string, options: S3ServerOptions): Promise<readonly string[]>;
  readonly env: Readonly<Record<string, string>>;
  /** Answers any status below 500 to a GET once the server serves. */
  readonly readyPath: string;
}

const launches: Readonly<Record<S3ServerKind, Launch>> = {
  versitygw: {
    part: 'versitygw',
    args(port, dir, { logRequests = false, keepAlive = true }) {
      const flags = [...(logRequests ? [] : ['--quiet']), ...(keepAlive ? ['--keep-alive'] : [])];
      const listen = `127.0.0.1:${port}`;
      const options = ['--port', listen, '--region', region, '--health', '/health', ...flags];
      return Promise.resolve([...options, 'posix', dir]);
    },
    env: { ROOT_ACCESS_KEY: accessKeyId, ROOT_SECRET_KEY: secretAccessKey },
    readyPath: '/health',
  },
  minio: {
    part: 'minio',
    async args(port, dir) {
      const consoleAddress = `127.0.0.1:${await freePort()}`;
      return ['server', dir, '--address', `127.0.0.1:${port}`, '--console-address', consoleAddress];
    },
    env: {
      MINIO_ROOT_USER: accessKeyId,
      MINIO_ROOT_PASSWORD: secretAccessKey,
      MINIO_REGION_NAME: region,
      MINIO_CI_CD: '1',
      MINIO_BROWSER: 'off',
    },
    readyPath: '/minio/health/ready',
  },
  moto: {
    part: 'moto',
    args(port) {
      return Promise.resolve(['-m', 'moto.server', '-H', '127.0.0.1', '-p', String(port)]);
    },
    env: { MOTO_CALL_RESET_API: 'false' },
    readyPath: '/moto-api/',
  },
};

/** versitygw: the S3 server that races are decided on. `dir`'s file system must have extended attributes. */
export function startVersitygw(options: S3ServerOptions = {}): Promise<S3Server> {
  return startS3Server('versitygw', options);
}

/** MinIO: the second opinion. Slow at races on one key: give it time. */
export function startMinio(options: S3ServerOptions = {}): Promise<S3Server> {
  return startS3Server('minio', options);
}

/** moto: keeps its data in memory, and lets two writers win one `If-Match` now and then: a store that must be refused. */
export function startMoto(options: S3ServerOptions = {}): Promise<S3Server> {
  return startS3Server('moto', options);
}

/** Resolves once the server answers. Installs it when needed (see `skipUnless`, which a test asks first). */
export async function startS3Server(kind: S3ServerKind, options: S3ServerOptions = {}): Promise<S3Server> {
  const launch = launches[kind];
  const executable = await installRealPart(launch.part);
  const scratch = await mkdtemp(path.join(os.tmpdir(), `firn-${kind}-`));
  const dir = options.dir ?? path.join(scratch, 'data');
  const logFile = path.join(scratch, 'server.log');
  await mkdir(dir, { recursive: true });
  // A port that was free a moment ago may be taken by the time the server binds it: then the server exits and we try another.
  for (let attempt = 1; ; attempt++) {
    const port = options.port ?? (await freePort());
    const process = await startLeashed({
      command: executable,
      args: await launch.args(port, dir, options),
      env: launch.env,
      cwd: scratch,
      logFile,
    });
    const endpoint = `http://127.0.0.1:${port}`;
    if (await becomesReady(process, `${endpoint}${launch.readyPath}`)) {
      return serverHandle({ kind, endpoint, port, dir, logFile }, process, scratch);
    }
    await process.kill();
    if (attempt === 3 || options.port !== undefined) {
      const tail = logTail(logFile);
      await rm(scratch, { recursive: true, force: true });
      throw new Error(`${kind} did not answer at ${endpoint}${launch.readyPath}; its last words:\n${tail}`);
    }
  }
}

function serverHandle(
  facts: Pick<S3Server, 'kind' | 'endpoint' | 'port' | 'dir' | 'logFile'>,
  process: LeashedProcess,
  scratch: string,
): S3Server {
  const stop = async (): Promise<void> => {
    await process.stop();
    await rm(scratch, { recursive: true, force: true });
  };
  return {
    ...facts,
    region,
    accessKeyId,
    secretAccessKey,
    pid: process.pid,
    createBucket: (name) => createBucket(facts.endpoint, name),
    stop,
    kill: () => process.kill(),
    [Symbol.asyncDispose]: stop,
  };
}

async function becomesReady(process: LeashedProcess, url: string): Promise<boolean> {
  const deadline = performance.now() + readyWithinMs;
  while (!process.hasExited && performance.now() < deadline) {
    try {
      const response = await fetch(url, { signal: AbortSignal.timeout(10_000) });
      await response.arrayBuffer();
      if (response.status < 500) return true;
    } catch {
      // Not listening yet.
    }
    await sleep(50);
  }
  return false;
}

async function createBucket(endpoint: string, name: string): Promise<void> {
  // Loaded on demand: the SDK takes a while to import, and most users of this module make their buckets themselves.
  const sdk = await import('@aws-sdk/client-s3');
  const client = new sdk.S3Client({
    endpoint,
    region,
    forcePathStyle: true,
    credentials: { accessKeyId, secretAccessKey },
  });
  try {
    await client.send(new sdk.CreateBucketCommand({ Bucket: name }));
  } catch (error) {
    if (!(error instanceof sdk.BucketAlreadyOwnedByYou || error instanceof sdk.BucketAlreadyExists))
      throw error;
  } finally {
    client.destroy();
  }
}
