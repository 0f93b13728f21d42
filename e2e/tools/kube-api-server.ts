/** A real kube-apiserver with its etcd for tests, on the loopback interface and free ports: no node, no container. */
import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { request } from 'node:https';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { freePort } from './free-port.ts';
import { logTail, startLeashed } from './leashed-process.ts';
import type { LeashedProcess } from './leashed-process.ts';
import { installRealPart } from './real-part.ts';

export interface KubeApiServerOptions {
  /**
   * Also run the controller-manager: garbage collection, StatefulSets, the end of deleted namespaces. Default: false, and
   * then nothing but its clients changes what the API server holds.
   */
  readonly controllerManager?: boolean | undefined;
  /** Users besides `admin`, by name, with their groups; nobody but `admin` may do anything without RBAC objects. */
  readonly users?: Readonly<Record<string, readonly string[]>> | undefined;
  /** More flags for the API server, e.g. `--watch-cache=false`. */
  readonly flags?: readonly string[] | undefined;
}

export interface KubeApiServer {
  /** `https://127.0.0.1:PORT`. */
  readonly url: string;
  /** PEM: what signs the server's certificate. */
  readonly ca: string;
  /** Of the user `admin`, in the group `system:masters`. */
  readonly token: string;
  /** Bearer tokens by user name: those of `users`, and `admin`. */
  readonly tokens: Readonly<Record<string, string>>;
  /** A kubeconfig file for `admin`; removed by `stop`. */
  readonly kubeconfig: string;
  /** From the start of etcd to the first `ok` of /readyz. */
  readonly readyMs: number;
  /** Of the API server itself: may be stopped with SIGSTOP, measured under /proc. */
  readonly pid: number;
  /** Ends the API server as a crash would and starts it again over the same etcd, at the same URL. */
  restart(): Promise<void>;
  /** Ends everything and removes what was made for it. May be called twice. */
  stop(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

const host = '127.0.0.1';
/** Far above what a loaded machine needs: under 10 s alone. */
const readyWithinMs = 180_000;

/**
 * Resolves once /readyz says ok. Installs the part `kube` when needed (see `skipUnless`, which a test asks first).
 *
 * The API server makes its own certificate, users come with static tokens, and service accounts are signed with a key made
 * here: no openssl is needed.
 */
export async function startKubeApiServer(options: KubeApiServerOptions = {}): Promise<KubeApiServer> {
  const hyper = await installRealPart('kube');
  const folder = await mkdtemp(path.join(os.tmpdir(), 'firn-kube-'));
  const server = new Server(hyper, folder, options);
  try {
    // A port that was free a moment ago may be taken by the time a server binds it: then it exits and we try others.
    for (let attempt = 1; ; attempt++) {
      if (await server.start()) break;
      if (attempt === 3) throw new Error(`no kube-apiserver came up; last words:\n${server.lastWords()}`);
      await server.end();
    }
    return await server.handle();
  } catch (error) {
    await server.stop();
    throw error;
  }
}

class Server {
  readonly #hyper: string;
  readonly #folder: string;
  readonly #options: KubeApiServerOptions;
  readonly #tokens: Readonly<Record<string, string>>;
  #etcd: LeashedProcess | undefined;
  #api: LeashedProcess | undefined;
  #manager: LeashedProcess | undefined;
  #flags: readonly string[] = [];
  #port = 0;
  #readyMs = 0;

  constructor(hyper: string, folder: string, options: KubeApiServerOptions) {
    this.#hyper = hyper;
    this.#folder = folder;
    this.#options = options;
    this.#tokens = Object.fromEntries(
      ['admin', ...Object.keys(options.users ?? {})].map((user) => [user, randomBytes(16).toString('hex')]),
    );
  }

  /** False: one of them ended before it served. */
  async start(): Promise<boolean> {
    const beganMs = performance.now();
    const [client, peer, port] = [await freePort(), await freePort(), await freePort()];
    this.#port = port;
    await this.#writeFiles();
    this.#etcd = await this.#launch('etcd', etcdFlags(this.#file('etcd'), client, peer));
    this.#flags = this.#apiServerFlags(client, port);
    this.#api = await this.#launch('kube-apiserver', this.#flags);
    if (!(await this.#becomesReady())) return false;
    this.#readyMs = performance.now() - beganMs;
    if (this.#options.controllerManager === true) {
      // Only now: it ends when it cannot read what the API server makes as it becomes ready.
      this.#manager = await this.#launch('kube-controller-manager', this.#managerFlags());
    }
    return true;
  }

  /** Ends all processes. Clients first. */
  async end(): Promise<void> {
    await this.#manager?.kill();
    await this.#api?.kill();
    await this.#etcd?.kill();
    await rm(this.#file('etcd'), { recursive: true, force: true });
  }

  async stop(): Promise<void> {
    await this.end();
    await rm(this.#folder, { recursive: true, force: true });
  }

  async restart(): Promise<void> {
    await this.#api?.kill();
    this.#api = await this.#launch('kube-apiserver', this.#flags);
    if (!(await this.#becomesReady())) throw new Error(`no kube-apiserver came back:\n${this.lastWords()}`);
  }

  lastWords(): string {
    return ['etcd', 'kube-apiserver']
      .map((name) => `${name}: ${logTail(this.#file(`${name}.log`), 1_500)}`)
      .join('\n');
  }

  async handle(): Promise<KubeApiServer> {
    const stop = (): Promise<void> => this.stop();
    const pid = (): number => this.#api?.pid ?? 0;
    return {
      url: `https://${host}:${this.#port}`,
      ca: await readFile(this.#file('pki/apiserver.crt'), 'utf8'),
      token: this.#tokens['admin'] ?? '',
      tokens: this.#tokens,
      kubeconfig: this.#file('admin.kubeconfig'),
      readyMs: this.#readyMs,
      get pid() {
        return pid();
      },
      restart: () => this.restart(),
      stop,
      [Symbol.asyncDispose]: stop,
    };
  }

  #file(name: string): string {
    return path.join(this.#folder, name);
  }

  #launch(name: string, flags: readonly string[]): Promise<LeashedProcess> {
    const logFile = this.#file(`${name}.log`);
    return startLeashed({ command: this.#hyper, args: [name, ...flags], cwd: this.#folder, logFile });
  }

  async #writeFiles(): Promise<void> {
    await mkdir(this.#file('pki'), { recursive: true });
    const { publicKey, privateKey } = generateKeyPairSync('rsa', {
      modulusLength: 2048,
      publicKeyEncoding: { type: 'spki', format: 'pem' },
      privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
    });
    await writeFile(this.#file('pki/sa.pub'), publicKey);
    await writeFile(this.#file('pki/sa.key'), privateKey, { mode: 0o600 });
    const groups: Readonly<Record<string, readonly string[]>> = {
      admin: ['system:masters'],
      ...this.#options.users,
    };
    const users = Object.entries(this.#tokens).map(
      ([user, token]) => `${token},${user},${user},"${(groups[user] ?? []).join(',')}"\n`,
    );
    await writeFile(this.#file('pki/tokens.csv'), users.join(''), { mode: 0o600 });
    await writeFile(this.#file('admin.kubeconfig'), this.#kubeconfig(), { mode: 0o600 });
  }

  #kubeconfig(): string {
    const cluster = {
      server: `https://${host}:${this.#port}`,
      'certificate-authority': this.#file('pki/apiserver.crt'),
    };
    // JSON is YAML.
    return JSON.stringify({
      apiVersion: 'v1',
      kind: 'Config',
      'current-context': 'test',
      contexts: [{ name: 'test', context: { cluster: 'test', user: 'admin' } }],
      clusters: [{ name: 'test', cluster }],
      users: [{ name: 'admin', user: { token: this.#tokens['admin'] } }],
    });
  }

  #apiServerFlags(etcdPort: number, port: number): readonly string[] {
    return [
      `--etcd-servers=http://${host}:${etcdPort}`,
      `--bind-address=${host}`,
      `--advertise-address=${host}`,
      `--secure-port=${port}`,
      // Into this folder it writes a certificate that it signs itself.
      `--cert-dir=${this.#file('pki')}`,
      `--token-auth-file=${this.#file('pki/tokens.csv')}`,
      '--authorization-mode=RBAC',
      '--service-cluster-ip-range=10.96.0.0/16',
      '--service-account-issuer=https://kubernetes.default.svc.cluster.local',
      `--service-account-key-file=${this.#file('pki/sa.pub')}`,
      `--service-account-signing-key-file=${this.#file('pki/sa.key')}`,
      // It would refuse to publish a loopback address.
      '--endpoint-reconciler-type=none',
      ...(this.#options.flags ?? []),
    ];
  }

  #managerFlags(): readonly string[] {
    const kubeconfig = this.#file('admin.kubeconfig');
    return [
      `--kubeconfig=${kubeconfig}`,
      `--authentication-kubeconfig=${kubeconfig}`,
      `--authorization-kubeconfig=${kubeconfig}`,
      `--bind-address=${host}`,
      '--secure-port=0',
      '--leader-elect=false',
      '--use-service-account-credentials',
      `--service-account-private-key-file=${this.#file('pki/sa.key')}`,
      `--root-ca-file=${this.#file('pki/apiserver.crt')}`,
    ];
  }

  async #becomesReady(): Promise<boolean> {
    const deadline = performance.now() + readyWithinMs;
    const isOver = (): boolean =>
      this.#etcd?.hasExited === true || this.#api?.hasExited === true || performance.now() > deadline;
    while (!isOver()) {
      if (await this.#isReady()) return true;
      await sleep(100);
    }
    return false;
  }

  async #isReady(): Promise<boolean> {
    const certificate = this.#file('pki/apiserver.crt');
    if (!existsSync(certificate)) return false;
    const ca = await readFile(certificate, 'utf8');
    const headers = { authorization: `Bearer ${this.#tokens['admin']}` };
    return await new Promise((resolve) => {
      const asked = request({ host, port: this.#port, path: '/readyz', ca, headers, timeout: 10_000 });
      asked.on('response', (answer) => {
        answer.resume();
        answer.on('close', () => resolve(answer.statusCode === 200));
      });
      asked.on('timeout', () => asked.destroy());
      // Not listening yet.
      asked.on('error', () => resolve(false));
      asked.end();
    });
  }
}

function etcdFlags(folder: string, clientPort: number, peerPort: number): readonly string[] {
  const [client, peer] = [`http://${host}:${clientPort}`, `http://${host}:${peerPort}`];
  return [
    `--data-dir=${folder}`,
    '--name=test',
    `--listen-client-urls=${client}`,
    `--advertise-client-urls=${client}`,
    `--listen-peer-urls=${peer}`,
    `--initial-advertise-peer-urls=${peer}`,
    `--initial-cluster=test=${peer}`,
    // Nothing is worth keeping over a power cut.
    '--unsafe-no-fsync',
    '--log-level=warn',
  ];
}
