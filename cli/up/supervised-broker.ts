import { fork } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import path from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { RunningState } from '../../dataplane/runtime/running-state.ts';
import { realRuntime } from '../../dataplane/runtime/real-runtime.ts';
import type { CommandIo } from '../command.ts';
import type { BrokerReady } from './broker-ready.ts';
import type { ChildMessage, SupervisorMessage } from './supervisor-message.ts';
import type { UpSettings } from './up-settings.ts';

/** The same extension as this file: TypeScript in a checkout, JavaScript in the package. */
const program = path.join(import.meta.dirname, `broker-child${path.extname(import.meta.filename)}`);

/** Who has been up for so long is started again at once. */
const steadyMs = 30_000;

/** A broker in a process of its own, which is started again when it ends without having been asked to. */
export class SupervisedBroker {
  readonly #io: Pick<CommandIo, 'out' | 'err'>;
  readonly #name: string;
  readonly #running = new RunningState(realRuntime, { initialMs: 500, maxMs: 10_000 });
  readonly #firstReady = Promise.withResolvers<BrokerReady>();
  #settings: UpSettings;
  #child: ChildProcess | undefined;
  #isDraining = false;
  #ready: BrokerReady | undefined;

  constructor(settings: UpSettings, io: Pick<CommandIo, 'out' | 'err'>) {
    this.#settings = settings;
    this.#io = io;
    this.#name = settings.ordinal === 0 ? settings.zone : `${settings.zone}/${settings.ordinal}`;
    this.#firstReady.promise.catch(() => undefined);
  }

  /** Resolves when it is ready for the first time; rejects when it ends before. */
  get firstReady(): Promise<BrokerReady> {
    return this.#firstReady.promise;
  }

  /** Resolves with whether it ended well: when it has been drained, or could not even be started once. */
  async run(): Promise<boolean> {
    for (;;) {
      const beganMs = realRuntime.monotonicMs();
      const code = await this.#runOnce();
      if (this.#isDraining) return code === 0;
      if (this.#ready === undefined) {
        this.#firstReady.reject(new Error(`the broker of zone ${this.#name} did not start`));
        return false;
      }
      this.#io.err(
        `firn up: the process of broker ${this.#ready.id} (zone ${this.#name}) has ended${code === null ? ', killed' : ` with ${code}`}: it is started again\n`,
      );
      if (realRuntime.monotonicMs() - beganMs > steadyMs) this.#running.resetBackoff();
      await this.#running.backoff();
      if (this.#isDraining) return true;
    }
  }

  /** Asks it to hand over and end. */
  drain(): void {
    this.#isDraining = true;
    this.#running.stop();
    this.#send({ kind: 'drain' });
  }

  #send(message: SupervisorMessage): void {
    if (this.#child?.connected === true) this.#child.send(message);
  }

  #runOnce(): Promise<number | null> {
    const child = fork(program, { stdio: ['ignore', 'pipe', 'pipe', 'ipc'] });
    this.#child = child;
    if (child.stdout !== null) this.#passOn(child.stdout, (line) => this.#io.out(line));
    if (child.stderr !== null) this.#passOn(child.stderr, (line) => this.#io.err(line));
    child.on('message', (message: ChildMessage) => {
      this.#onReady(message.ready);
    });
    this.#send({ kind: 'start', settings: this.#settings });
    return new Promise((resolve) => {
      child.once('error', (error) => {
        this.#io.err(`firn up: ${error.message}\n`);
        resolve(1);
      });
      // Its last lines have come by then.
      child.once('close', (code) => {
        resolve(code);
      });
    });
  }

  #onReady(ready: BrokerReady): void {
    const isFirst = this.#ready === undefined;
    this.#ready = ready;
    // When it is started again it has the same addresses, whatever was free the first time.
    const portOf = (address: string): number => Number(address.slice(address.lastIndexOf(':') + 1));
    const urlPort = (url: string | undefined): number => Number(new URL(url ?? 'http://localhost:0').port);
    const { listeners, admin, api, internal } = this.#settings;
    this.#settings = {
      ...this.#settings,
      listeners: listeners.map((listener, at) => ({
        ...listener,
        port: portOf(ready.listeners[at]?.advertised ?? ':0'),
      })),
      admin: { ...admin, port: urlPort(ready.adminUrl) },
      api: { ...api, port: urlPort(Object.values(ready.apiUrls)[0]) },
      internal: { ...internal, port: portOf(ready.internal) },
    };
    if (isFirst) this.#firstReady.resolve(ready);
    else this.#io.out(`broker ${ready.id} (zone ${this.#name}) is ready again, pid ${ready.pid}\n`);
  }

  #passOn(lines: Readable, write: (line: string) => void): void {
    createInterface({ input: lines }).on('line', (line) => {
      write(`${this.#name}: ${line}\n`);
    });
  }
}
