import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import type { Agent as HttpAgent } from 'node:http';
import { Agent as HttpsAgent } from 'node:https';
import { isIPv6 } from 'node:net';
import os from 'node:os';
import path from 'node:path';
import type { Runtime } from '../dataplane/runtime/runtime.ts';
import { ClusterAccessError } from './errors.ts';

/** Where the API server is, and how this process proves who it is. */
export interface ClusterAccess {
  /** `https://HOST:PORT`, perhaps with a path before Kubernetes' own. */
  readonly server: URL;
  /** The namespace that this process, or the kubeconfig's context, is in. */
  readonly namespace: string;
  /** For one request; cheap to call for each. Rejects with a {@link ClusterAccessError}. */
  credentials(): Promise<Credentials>;
  /** The API server did not accept them: what is cached is read anew for the next request. */
  refused(): void;
  /** Closes the idle connections. Requests under way go on. */
  close(): void;
}

export interface Credentials {
  readonly headers: Readonly<Record<string, string>>;
  readonly agent: HttpAgent;
}

/** What TLS needs, as `node:tls` names it. */
export interface TlsIdentity {
  readonly ca?: string | Buffer | undefined;
  readonly cert?: string | Buffer | undefined;
  readonly key?: string | Buffer | undefined;
  readonly servername?: string | undefined;
  readonly rejectUnauthorized?: boolean | undefined;
}

/**
 * As kubectl and client-go decide: a kubeconfig that was named (`file`, `$KUBECONFIG`), else the service account of the pod
 * this process runs in, else `~/.kube/config`.
 */
export async function openClusterAccess(options: {
  readonly runtime: Runtime;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly file?: string | undefined;
}): Promise<ClusterAccess> {
  const { runtime, env, file } = options;
  const home = path.join(env['HOME'] ?? os.homedir(), '.kube', 'config');
  const named = file !== undefined || (env['KUBECONFIG'] ?? '') !== '';
  if (!named && (env['KUBERNETES_SERVICE_HOST'] ?? '') !== '') {
    return await ServiceAccountAccess.open(runtime, env);
  }
  if (!named && !existsSync(home)) {
    throw new ClusterAccessError(
      `found no Kubernetes cluster: this process runs in no pod (KUBERNETES_SERVICE_HOST is not set), KUBECONFIG is not set, and there is no ${home}; set KUBECONFIG or name a kubeconfig file`,
    );
  }
  // Loaded only here: the package takes about 85 MB of memory, which a process in a pod does not need.
  const { KubeconfigAccess } = await import('./kubeconfig-access.ts');
  return KubeconfigAccess.open(file ?? (named ? undefined : home));
}

/** Tokens of service accounts are replaced on disk, an hour before they end by default; client-go looks as often. */
const rereadMs = 60_000;

/** The service account that the kubelet mounts into a pod: a token, the cluster's CA and the namespace. */
export class ServiceAccountAccess implements ClusterAccess {
  readonly server: URL;
  readonly namespace: string;
  readonly #runtime: Runtime;
  readonly #folder: string;
  readonly #agents = new TlsAgents();
  #credentials: Credentials | undefined;
  #readAtMs = 0;

  private constructor(server: URL, namespace: string, runtime: Runtime, folder: string) {
    this.server = server;
    this.namespace = namespace;
    this.#runtime = runtime;
    this.#folder = folder;
  }

  static async open(
    runtime: Runtime,
    env: Readonly<Record<string, string | undefined>>,
    folder = '/var/run/secrets/kubernetes.io/serviceaccount',
  ): Promise<ServiceAccountAccess> {
    const host = env['KUBERNETES_SERVICE_HOST'] ?? '';
    const port = env['KUBERNETES_SERVICE_PORT'] ?? '443';
    const server = new URL(`https://${isIPv6(host) ? `[${host}]` : host}:${port}`);
    const namespace = await readSecretFile(path.join(folder, 'namespace'));
    const access = new ServiceAccountAccess(server, namespace, runtime, folder);
    await access.credentials();
    return access;
  }

  async credentials(): Promise<Credentials> {
    const nowMs = this.#runtime.monotonicMs();
    if (this.#credentials !== undefined && nowMs - this.#readAtMs < rereadMs) return this.#credentials;
    const token = await readSecretFile(path.join(this.#folder, 'token'));
    const ca = await readSecretFile(path.join(this.#folder, 'ca.crt'));
    const agent = this.#agents.for({ ca });
    this.#credentials = { headers: { authorization: `Bearer ${token}` }, agent };
    this.#readAtMs = nowMs;
    return this.#credentials;
  }

  refused(): void {
    this.#credentials = undefined;
  }

  close(): void {
    this.#agents.close();
  }
}

/** One agent, with its pool of connections, for as long as the identity stays the same. */
export class TlsAgents {
  #identity = '';
  #agent: HttpAgent | undefined;

  for(identity: TlsIdentity): HttpAgent {
    const key = JSON.stringify(identity);
    if (this.#agent === undefined || key !== this.#identity) {
      // Connections of the old identity that are in use end by themselves; idle ones go now.
      this.close();
      this.#agent = new HttpsAgent({ ...poolOptions, ...definedOf(identity) });
      this.#identity = key;
    }
    return this.#agent;
  }

  close(): void {
    closeIdle(this.#agent);
  }
}

/**
 * Idle connections are kept for less than the 90 s and more after which API servers and load balancers close them, so that
 * a request seldom meets one that is just being closed.
 */
export const poolOptions = {
  keepAlive: true,
  keepAliveMsecs: 30_000,
  maxSockets: 256,
  timeout: 45_000,
} as const;

/** Unlike `destroy` of the agent: what is under way goes on. */
export function closeIdle(agent: HttpAgent | undefined): void {
  for (const sockets of Object.values(agent?.freeSockets ?? {})) {
    for (const socket of sockets ?? []) socket.destroy();
  }
}

function definedOf(identity: TlsIdentity): Record<string, string | Buffer | boolean> {
  const defined: Record<string, string | Buffer | boolean> = {};
  for (const [name, value] of Object.entries(identity) as [string, string | Buffer | boolean | undefined][]) {
    if (value !== undefined) defined[name] = value;
  }
  return defined;
}

async function readSecretFile(file: string): Promise<string> {
  try {
    return (await readFile(file, 'utf8')).trim();
  } catch (cause) {
    throw new ClusterAccessError(
      `cannot read ${file} of the pod's service account: does the pod have automountServiceAccountToken: false?`,
      { cause },
    );
  }
}
