import { abortReason } from '../../dataplane/runtime/runtime.ts';
import type { Cancel } from '../../dataplane/runtime/runtime.ts';
import type { SimulatedProcess } from '../../dataplane/runtime/simulated-process.ts';
import type { VirtualTime } from '../../dataplane/runtime/virtual-time.ts';
import { ApiError } from '../errors.ts';
import type { WatchEvent, WatchOptions } from '../kubernetes-api.ts';
import type { KubernetesObject } from '../kubernetes-object.ts';

type Item =
  | { readonly kind: 'event'; readonly event: WatchEvent<KubernetesObject> }
  | { readonly kind: 'end' }
  | { readonly kind: 'failure'; readonly error: Error };

const bookmarkMs = 60_000;

/** One watch between the simulated API server and a process: in order, with a latency, until it ends or breaks. */
export class SimulatedWatch {
  readonly plural: string;
  readonly #time: VirtualTime;
  readonly #process: SimulatedProcess;
  readonly #options: WatchOptions;
  readonly #arrived: Item[] = [];
  readonly #cancels: Cancel[] = [];
  #cancelIdle: Cancel = () => {};
  #wake = Promise.withResolvers<void>();
  #isSilent = false;
  #isClosed = false;
  #lastArrivalMs = 0;

  constructor(
    time: VirtualTime,
    process: SimulatedProcess,
    plural: string,
    options: WatchOptions,
    onBookmark: () => void,
  ) {
    this.#time = time;
    this.#process = process;
    this.plural = plural;
    this.#options = options;
    const bookmark = (): void => {
      if (this.#isClosed) return;
      onBookmark();
      time.environment.after(bookmarkMs, bookmark);
    };
    time.environment.after(bookmarkMs * (0.75 + 0.25 * time.random.fraction()), bookmark);
    // The real one says how far it is two seconds before it ends.
    if (options.timeoutMs > 2_000) time.environment.after(options.timeoutMs - 2_000, onBookmark);
    this.#cancels.push(time.environment.after(options.timeoutMs, () => this.end()));
    const onAbort = (): void => this.#arrive({ kind: 'failure', error: abortReason(options.signal) });
    options.signal?.addEventListener('abort', onAbort, { once: true });
    this.#cancels.push(() => options.signal?.removeEventListener('abort', onAbort));
    this.#restartIdle();
  }

  push(event: WatchEvent<KubernetesObject>): void {
    this.#send({ kind: 'event', event });
  }

  fail(error: Error): void {
    this.#send({ kind: 'failure', error });
  }

  /** The server has said all there was. */
  end(): void {
    this.#send({ kind: 'end' });
  }

  /** Half-open: nothing arrives any more, and nobody is told. */
  fallSilent(): void {
    this.#isSilent = true;
  }

  /** `undefined`: the server has ended it. */
  async next(): Promise<WatchEvent<KubernetesObject> | undefined> {
    for (;;) {
      const item = this.#arrived.shift();
      if (item?.kind === 'event') return item.event;
      if (item?.kind === 'end') return undefined;
      if (item?.kind === 'failure') throw item.error;
      this.#wake = Promise.withResolvers();
      await this.#wake.promise;
    }
  }

  close(): void {
    this.#isClosed = true;
    this.#cancelIdle();
    for (const cancel of this.#cancels) cancel();
  }

  #send(item: Item): void {
    if (this.#isSilent || this.#isClosed) return;
    const { environment, random } = this.#time;
    // One connection: what is sent later does not arrive sooner.
    const arrivalMs = Math.max(this.#lastArrivalMs, this.#time.nowMs + random.logBetween(1, 50));
    this.#lastArrivalMs = arrivalMs;
    environment.after(arrivalMs - this.#time.nowMs, () =>
      this.#process.receive(() => {
        this.#restartIdle();
        this.#arrive(item);
      }),
    );
  }

  #arrive(item: Item): void {
    if (this.#isClosed) return;
    this.#arrived.push(item);
    this.#wake.resolve();
  }

  #restartIdle(): void {
    this.#cancelIdle();
    if (this.#isClosed) return;
    this.#cancelIdle = this.#process.runtime.after(this.#options.idleMs, () =>
      this.#arrive({ kind: 'failure', error: new ApiError('NoAnswer', 'simulated: nothing comes') }),
    );
  }
}
