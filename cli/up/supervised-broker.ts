import { fork } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import path from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { RunningState } from '../../dataplane/runtime/running-state.ts';
import { realRuntime } from '../../dataplane/runtime/real-runtime.ts';
import type { Cancel } from '../../dataplane/runtime/runtime.ts';
import type { CommandIo } from '../command.ts';
import type { BrokerReady } from './broker-ready.ts';
import { replacedCode } from './supervisor-message.ts';
import type { ChildMessage, SupervisorMessage } from './supervisor-message.ts';
import type { UpSettings } from './up-settings.ts';

/** The same extension as this file: TypeScript in a checkout, JavaScript in the package. */
const program = path.join(import.meta.dirname, `broker-child${path.extname(import.meta.filename)}`);

/** Who has been up for so long is started again soon, however often that was necessary before. */
const steadyMs = 30_000;
/** Who has not ended so long after its time for handing over is killed. */
const killMs = 10_000;

/** A broker in a process of its own, which is started again when it ends without having been asked to. */
export class SupervisedBroker {
  readonly #io: Pick<CommandIo, 'out' | 'err' | 'cwd'>;
  readonly #name: string;
  readonly #running = new RunningState(realRuntime, { initialMs: 500, maxMs: 10_000 });
  readonly #firstReady = Promise.withResolvers<BrokerReady | undefined>();
  #settings: UpSettings;
  #child: ChildProcess | undefined;
  #isDraining = false;
  #ready: BrokerReady | undefined;

  constructor(settings: UpSettings, io: Pick<CommandIo, 'out' | 'err' | 'cwd'>) {
    this.#settings = settings;
    this.#io = io;
    this.#name = settings.ordinal === 0 ? settings.zone : `${settings.zone}/${settings.ordinal}`;
  }

  /** When it is ready for the first time; `undefined`: it ended before that. */
  get firstReady(): Promise<BrokerReady | undefined> {
    return this.#firstReady.promise;
  }

  /**
   * Resolves with whether it ended well: when it has been drained, could not even be started once, or has lost its id to
   * another process.
   */
  async run(): Promise<boolean> {
    while (!this.#isDraining) {
      const beganMs = realRuntime.monotonicMs();
      const code = await this.#runOnce();
      const ready = this.#ready;
      if (ready === undefined) this.#firstReady.resolve(undefined);
      if (this.#isDraining) return code === 0;
      if (ready === undefined) return false;
      const who = `broker ${ready.id} (zone ${this.#name})`;
      if (code === replacedCode) {
        this.#io.err(`firn up: ${who} is not started again: another process has its place\n`);
        return false;
      }
      const how = code === null ? 'was killed' : `has ended with ${code}`;
      this.#io.err(`firn up: the process of ${who} ${how}: it is started again\n`);
      if (realRuntime.monotonicMs() - beganMs > steadyMs) this.#running.resetBackoff();
      await this.#running.backoff();
    }
    return true;
  }

  /** Asks it to hand over and end. */
  drain(): void {
    this.#isDraining = true;
    this.#running.stop();
    this.#firstReady.resolve(undefined);
    this.#send({ kind: 'drain' });
    const child = this.#child;
    if (child === undefined || hasEnded(child)) return;
    const limitMs = this.#settings.drainTimeoutMs + killMs;
    const cancel: Cancel = realRuntime.after(limitMs, () => {
      this.#io.err(
        `firn up: the process of zone ${this.#name} has not ended within ${limitMs / 1_000} s and is killed; nothing that was ` +
          'acknowledged is lost\n',
      );
      child.kill('SIGKILL');
    });
    child.once('close', cancel);
  }

  #send(message: SupervisorMessage): void {
    if (this.#child?.connected === true) this.#child.send(message);
  }

  /** Resolves with its exit code; `null`: it was killed. */
  #runOnce(): Promise<number | null> {
    const child = fork(program, [this.#name], {
      cwd: this.#io.cwd,
      serialization: 'advanced',
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    });
    this.#child = child;
    if (child.stdout !== null) this.#passOn(child.stdout, (line) => this.#io.out(line));
    if (child.stderr !== null) this.#passOn(child.stderr, (line) => this.#io.err(line));
    child.on('message', (message: ChildMessage) => {
      this.#onReady(message.ready);
    });
    this.#send({ kind: 'start', settings: this.#settings });
    return new Promise((resolve) => {
      child.on('error', (error) => {
        // Also when it ended before it took what was sent to it: then it closes, too.
        if (child.pid !== undefined) return;
        this.#io.err(`firn up: a process for zone ${this.#name} could not be started: ${error.message}\n`);
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
    const { listeners, admin, api, internal } = this.#settings;
    // When it is started again it has the same addresses, whatever was free the first time.
    this.#settings = {
      ...this.#settings,
      listeners: listeners.map((listener, at) => ({
        ...listener,
        port: portOf(ready.listeners[at]?.advertised ?? ''),
      })),
      admin: { ...admin, port: portOf(ready.adminUrl) },
      api: { ...api, port: portOf(ready.apiUrl) },
      internal: { ...internal, port: portOf(ready.internal) },
    };
    this.#firstReady.resolve(ready);
    if (!isFirst) this.#io.out(`broker ${ready.id} (zone ${this.#name}) is ready again, pid ${ready.pid}\n`);
  }

  #passOn(lines: Readable, write: (line: string) => void): void {
    createInterface({ input: lines }).on('line', (line) => {
      write(`${this.#name}: ${line}\n`);
    });
  }
}

/** Of `host:port`, or of a URL that ends with it. */
function portOf(address: string): number {
  return Number(address.slice(address.lastIndexOf(':') + 1));
}

function hasEnded({ exitCode, signalCode }: ChildProcess): boolean {
  return exitCode !== null || signalCode !== null;
}
