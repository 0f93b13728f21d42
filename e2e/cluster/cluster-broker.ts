import assert from 'node:assert/strict';
import { startFirn } from '../broker/firn-process.ts';
import type { FirnProcess } from '../broker/firn-process.ts';
import type { FaultProxy } from '../faults/fault-proxy.ts';

/** How a broker reaches the store that all share. */
export interface BrokerStore {
  readonly url: string;
  readonly env: Readonly<Record<string, string>>;
  /** What its requests pass through, and nobody else's. */
  readonly proxy: FaultProxy | undefined;
}

export interface ClusterBrokerOptions {
  readonly zone: string;
  readonly logFile: string;
  readonly store: BrokerStore;
  readonly args?: readonly string[] | undefined;
}

/** One broker of a {@link FirnCluster}: a process that comes back where it was, and the faults it can have. */
export class ClusterBroker {
  readonly zone: string;
  readonly id: number;
  readonly #options: ClusterBrokerOptions;
  #firn: FirnProcess;
  #isPaused = false;

  private constructor(options: ClusterBrokerOptions, firn: FirnProcess, id: number) {
    this.zone = options.zone;
    this.id = id;
    this.#options = options;
    this.#firn = firn;
  }

  static async start(options: ClusterBrokerOptions): Promise<ClusterBroker> {
    const firn = await startFirn(options.store.url, { ...options, ...launch(options) });
    const [, id] = /^broker (\d+) is ready/m.exec(await firn.output()) ?? [];
    assert(id !== undefined, 'firn up says which broker is ready');
    return new ClusterBroker(options, firn, Number(id));
  }

  /** The process as last started. */
  get firn(): FirnProcess {
    return this.#firn;
  }

  /** kill -9. */
  kill(): Promise<void> {
    return this.#firn.process.kill();
  }

  /** Stands still, with its connections open and its port taken, until {@link resume}. */
  pause(): void {
    process.kill(this.#firn.process.pid, 'SIGSTOP');
    this.#isPaused = true;
  }

  resume(): void {
    process.kill(this.#firn.process.pid, 'SIGCONT');
    this.#isPaused = false;
  }

  /** SIGTERM: it hands over what it serves, and ends. */
  async drain(): Promise<void> {
    process.kill(this.#firn.process.pid, 'SIGTERM');
    const code = await this.#firn.process.exited;
    assert.equal(code, 0, `broker ${this.id} ended with ${code} instead of handing over`);
  }

  /** Where it was before, after {@link kill} or {@link drain}. Resolves when it is ready. */
  async restart(): Promise<void> {
    const port = ['--port', String(this.#firn.port)];
    this.#firn = await startFirn(this.#options.store.url, {
      ...this.#options,
      ...launch(this.#options, port),
    });
  }

  /** Its requests to the store are swallowed, whether they have an effect or not, until {@link rejoinStore}. */
  cutFromStore(effect: 'none' | 'applied'): void {
    this.#proxy.setRules([{ name: 'cut', fault: { kind: 'black-hole', effect } }]);
  }

  rejoinStore(): void {
    this.#proxy.setRules([]);
  }

  /** Whatever state it is in. */
  async end(): Promise<void> {
    if (this.#isPaused && !this.#firn.process.hasExited) this.resume();
    await this.#firn.process.kill();
  }

  get #proxy(): FaultProxy {
    const { proxy } = this.#options.store;
    assert(proxy !== undefined, 'only brokers over S3 can be cut from the store');
    return proxy;
  }
}

function launch(
  { zone, store, args = [] }: ClusterBrokerOptions,
  more: readonly string[] = [],
): { readonly env: Readonly<Record<string, string>>; readonly args: readonly string[] } {
  return { env: store.env, args: ['--zone', zone, ...args, ...more] };
}
