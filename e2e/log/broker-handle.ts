import { fork } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import type { Answer, BrokerSettings, OperationName, Operations, Report } from './broker-protocol.ts';

/** The broker refused, did not answer in time (`TIMEOUT`), or its process is gone (`GONE`). */
export class BrokerCallError extends Error {
  readonly code: string;
  readonly retriable: boolean;

  constructor(code: string, message: string, retriable: boolean) {
    super(message);
    this.name = 'BrokerCallError';
    this.code = code;
    this.retriable = retriable;
  }
}

export interface CallOptions<K extends OperationName> {
  /** Default 3000. The broker may work on it all the same. */
  readonly timeoutMs?: number | undefined;
  /** Told about a positive answer whenever it comes, also after the time-out. */
  readonly onAnswer?: ((answer: Operations[K]['answer']) => void) | undefined;
}

interface PendingCall {
  readonly settle: (answer: Answer) => void;
  readonly gone: () => void;
}

const keptComplaints = 60;

/** One broker process as its clients and its executioner see it. A restart makes another one. */
export class BrokerHandle {
  readonly id: number;
  /** Resolves when it serves; rejects when it ends before. */
  readonly started: Promise<void>;
  /** The last lines it complained with. */
  readonly complaints: string[] = [];
  readonly #child: ChildProcess;
  readonly #exited: Promise<unknown>;
  readonly #pending = new Map<number, PendingCall>();
  #calls = 0;
  #state: 'running' | 'stopped' | 'ending' | 'ended' = 'running';
  #failure: string | undefined;

  constructor(settings: BrokerSettings, env: Readonly<Record<string, string>>) {
    this.id = settings.id;
    this.#child = fork(path.join(import.meta.dirname, 'broker-process.ts'), [JSON.stringify(settings)], {
      execArgv: [],
      env: { ...process.env, ...env },
      serialization: 'advanced',
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    });
    this.#exited = once(this.#child, 'exit');
    this.#child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.complaints.push(...text.trimEnd().split('\n'));
      this.complaints.splice(0, this.complaints.length - keptComplaints);
    });
    const started = Promise.withResolvers<void>();
    this.started = started.promise;
    // Whoever kills it before does not wait for it.
    this.started.catch(() => undefined);
    this.#child.on('message', (report: Report) => {
      if (report.kind === 'started') started.resolve();
      else if (report.kind === 'answer') this.#answered(report.answer);
      else if (this.#state === 'running') this.#state = 'ending';
    });
    this.#child.on('exit', (code, signal) => {
      if (this.#state === 'running')
        this.#failure = `broker ${this.id} ended by itself with ${signal ?? `code ${String(code)}`}`;
      this.#state = 'ended';
      started.reject(new BrokerCallError('GONE', `broker ${this.id} ended before it served`, true));
      for (const { gone } of this.#pending.values()) gone();
    });
  }

  /** Whether a client may hope for an answer. */
  get isRunning(): boolean {
    return this.#state === 'running';
  }

  /** Set when it ended and nobody wanted it to. */
  get failure(): string | undefined {
    return this.#failure;
  }

  /** Calls of one broker arrive in the order in which they were made. */
  async call<K extends OperationName>(
    operation: K,
    request: Operations[K]['request'],
    options: CallOptions<K> = {},
  ): Promise<Operations[K]['answer']> {
    const what = `${operation} at broker ${this.id}`;
    if (!this.#child.connected) throw new BrokerCallError('GONE', `${what}: its process is gone`, true);
    const number = ++this.#calls;
    const { promise, resolve, reject } = Promise.withResolvers<Operations[K]['answer']>();
    const timer = setTimeout(() => {
      reject(new BrokerCallError('TIMEOUT', `${what}: no answer`, true));
    }, options.timeoutMs ?? 3_000);
    // It stays when the time is over: an acknowledgement that comes later counts as well.
    this.#pending.set(number, {
      settle: (answer) => {
        if (answer.ok) {
          const value = answer.value as Operations[K]['answer'];
          options.onAnswer?.(value);
          resolve(value);
        } else reject(new BrokerCallError(answer.code, `${what}: ${answer.message}`, answer.retriable));
      },
      gone: () => {
        reject(new BrokerCallError('GONE', `${what}: its process is gone`, true));
      },
    });
    this.#child.send({ number, do: operation, request }, (error) => {
      if (error !== null) reject(new BrokerCallError('GONE', `${what}: ${error.message}`, true));
    });
    try {
      return await promise;
    } finally {
      clearTimeout(timer);
    }
  }

  #answered(answer: Answer): void {
    this.#pending.get(answer.number)?.settle(answer);
    this.#pending.delete(answer.number);
  }

  /** SIGSTOP: it does nothing at all any more, its connections stay open. */
  stop(): void {
    this.#child.kill('SIGSTOP');
    if (this.#state === 'running') this.#state = 'stopped';
  }

  /** SIGCONT. */
  continue(): void {
    if (this.#state === 'stopped') this.#state = 'running';
    this.#child.kill('SIGCONT');
  }

  /** SIGKILL; resolves when it is gone. */
  async kill(): Promise<void> {
    if (this.#state !== 'ended') this.#state = 'ending';
    this.#child.kill('SIGKILL');
    await this.#exited;
  }

  /** Hands over and ends. */
  async drain(timeoutMs: number): Promise<void> {
    this.#state = 'ending';
    await this.call('drain', {}, { timeoutMs });
    await this.#exited;
  }
}
