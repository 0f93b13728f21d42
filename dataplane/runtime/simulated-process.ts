import type { Cancel, Runtime } from './runtime.ts';
import type { VirtualRandom } from './virtual-random.ts';
import type { QueuedEvent } from './event-queue.ts';

export interface ProcessOptions {
  /** How far its wall clock is from the simulation's at the start. Default 0. */
  readonly wallSkewMs?: number | undefined;
  /** How fast its clocks run: 1.0001 is 100 ppm too fast. Timers follow it. Default 1. */
  readonly clockRate?: number | undefined;
}

/** Where an action set with `atCrossing` strikes: just before something leaves, just after it left, just before a timer or an answer arrives. */
export type Crossing = 'before-send' | 'after-send' | 'before-delivery';

/** @internal An event that belongs to a process is held while that process is paused and vanishes when it is killed. */
export interface ProcessEvent extends QueuedEvent {
  readonly process: SimulatedProcess | undefined;
}

/** @internal What a process needs of the virtual time it lives in. */
export interface Timeline {
  nowMs(): number;
  schedule(process: SimulatedProcess | undefined, timeMs: number, callback: () => void): ProcessEvent;
  cancel(event: ProcessEvent): void;
  forget(process: SimulatedProcess): void;
}

/**
 * One operating system process in virtual time. Code of the process is started by the test (synchronously or through
 * {@link receive}) and lives on what reaches it through this object: timers of {@link runtime}, and whatever the
 * environment hands in with {@link receive} (answers of the simulated store, messages of a simulated network).
 *
 * A process is only ever stopped at its borders. That loses no generality: what it computes between two crossings is
 * invisible to everybody else, so stopping it in between is the same as stopping it at the next crossing.
 */
export class SimulatedProcess {
  readonly name: string;
  /** How many processes of this name there were before. */
  readonly incarnation: number;
  readonly runtime: Runtime;
  /** The same stream as `runtime.random`, with more methods. */
  readonly random: VirtualRandom;
  readonly #time: Timeline;
  #state: 'running' | 'paused' | 'killed' = 'running';
  #pausedUntilMs = 0;
  readonly #inbox: ProcessEvent[] = [];
  readonly #outbox: (() => void)[] = [];
  readonly #onKilled: (() => void)[] = [];

  #clockSetAtMs: number;
  #monotonicAtSetMs: number;
  #clockRate: number;
  #wallOffsetMs: number;
  #wallFrozenAtMs: number | undefined;

  #crossings = 0;
  #nextActionAt = Infinity;
  #actions: { readonly at: number; readonly action: (crossing: Crossing) => void }[] = [];

  /** @internal Use `VirtualTime.process`. */
  constructor(
    time: Timeline,
    name: string,
    incarnation: number,
    random: VirtualRandom,
    startWallMs: number,
    options: ProcessOptions,
  ) {
    this.#time = time;
    this.name = name;
    this.incarnation = incarnation;
    this.random = random;
    this.#clockRate = checkedRate(options.clockRate ?? 1);
    this.#clockSetAtMs = time.nowMs();
    // Monotonic clocks of two processes have nothing in common: code that compares them is to be found out.
    this.#monotonicAtSetMs = Math.floor(random.fraction() * 1e9);
    this.#wallOffsetMs = startWallMs + time.nowMs() + (options.wallSkewMs ?? 0) - this.#monotonicAtSetMs;
    this.runtime = {
      wallMs: () => this.#wallFrozenAtMs ?? Math.floor(this.#monotonicMs() + this.#wallOffsetMs),
      monotonicMs: () => this.#monotonicMs(),
      after: (delayMs, callback) => this.#after(delayMs, callback),
      random,
    };
  }

  get state(): 'running' | 'paused' | 'killed' {
    return this.#state;
  }

  get isAlive(): boolean {
    return this.#state !== 'killed';
  }

  /**
   * `kill -9`: its timers never fire, nothing that is under way to it ever arrives, nothing it still tries to send
   * leaves. What it has sent already takes effect. Code of it that runs at this moment goes on to its next `await`.
   */
  kill(): void {
    if (this.#state === 'killed') return;
    this.#state = 'killed';
    this.#inbox.length = 0;
    this.#outbox.length = 0;
    this.#actions = [];
    this.#nextActionAt = Infinity;
    this.#time.forget(this);
    for (const callback of this.#onKilled.splice(0)) callback();
  }

  /** Calls back when the process is killed: that is how connections of a simulated network notice. */
  onKilled(callback: () => void): void {
    if (this.#state === 'killed') callback();
    else this.#onKilled.push(callback);
  }

  /**
   * SIGSTOP, for `durationMs` or until {@link resume}. Timers that come due and whatever arrives is held and delivered
   * in order after the resume; what it tries to send leaves then. Its clocks go on. Pauses that overlap end together.
   */
  pause(durationMs = Infinity): void {
    if (this.#state === 'killed') return;
    this.#state = 'paused';
    const untilMs = this.#time.nowMs() + durationMs;
    this.#pausedUntilMs = Math.max(this.#pausedUntilMs, untilMs);
    if (durationMs === Infinity) return;
    this.#time.schedule(undefined, untilMs, () => {
      if (this.#state === 'paused' && this.#time.nowMs() >= this.#pausedUntilMs) this.resume();
    });
  }

  /** A blocked event loop, a long garbage collection: the same as a pause, shorter. */
  stall(durationMs: number): void {
    this.pause(durationMs);
  }

  /** SIGCONT. */
  resume(): void {
    if (this.#state !== 'paused') return;
    this.#state = 'running';
    this.#pausedUntilMs = 0;
    for (const leave of this.#outbox.splice(0)) leave();
    for (const event of this.#inbox.splice(0)) {
      const callback = event.callback;
      if (callback === undefined) continue; // cancelled while it was held
      // The timer's owner may still cancel the event it knows: the callback is looked up when its turn comes.
      this.#time.schedule(this, this.#time.nowMs(), () => {
        const late = event.callback;
        event.callback = undefined;
        late?.();
      });
    }
  }

  /** Lets something leave the process: at once, after the pause, or never when it is dead. */
  send(leave: () => void): void {
    if (this.#state === 'killed') return;
    if (++this.#crossings >= this.#nextActionAt) this.#act('before-send');
    this.#sendNow(leave);
    if (++this.#crossings >= this.#nextActionAt) this.#act('after-send');
  }

  /** Lets something arrive at the process: at once, after the pause, or never when it is dead. */
  receive(callback: () => void): void {
    if (this.#state === 'running') {
      if (++this.#crossings >= this.#nextActionAt) {
        this.#act('before-delivery');
        this.#receiveNow(callback);
      } else callback();
    } else this.#receiveNow(callback);
  }

  /** @internal A due timer. False when it has to wait or is void. */
  admits(event: ProcessEvent): boolean {
    if (this.#state === 'running' && ++this.#crossings >= this.#nextActionAt) this.#act('before-delivery');
    return this.#holdOrAdmit(event);
  }

  /** Times anything has gone in or out so far: what `atCrossing` counts. */
  get crossings(): number {
    return this.#crossings;
  }

  /**
   * Runs `action` (usually a kill or a pause of this process) at the `nth` crossing from now (≥ 1). With n running over
   * all crossings of a scenario, the process is stopped at every place where it makes a difference.
   */
  atCrossing(nth: number, action: (crossing: Crossing) => void): void {
    this.#actions.push({ at: this.#crossings + nth, action });
    this.#nextActionAt = Math.min(this.#nextActionAt, this.#crossings + nth);
  }

  /** A step of its wall clock. Timers and the monotonic clock do not notice. */
  jumpWallClock(byMs: number): void {
    this.#wallOffsetMs += byMs;
    if (this.#wallFrozenAtMs !== undefined) this.#wallFrozenAtMs += byMs;
  }

  /** Its wall clock stands still until {@link unfreezeWallClock}, and goes on from there. */
  freezeWallClock(): void {
    this.#wallFrozenAtMs ??= this.runtime.wallMs();
  }

  unfreezeWallClock(): void {
    if (this.#wallFrozenAtMs === undefined) return;
    this.#wallOffsetMs = this.#wallFrozenAtMs - this.#monotonicMs();
    this.#wallFrozenAtMs = undefined;
  }

  /** Changes the speed of both clocks. Timers armed before keep the instant they were armed for. */
  setClockRate(rate: number): void {
    const monotonicMs = this.#monotonicMs();
    this.#clockRate = checkedRate(rate);
    this.#clockSetAtMs = this.#time.nowMs();
    this.#monotonicAtSetMs = monotonicMs;
  }

  #monotonicMs(): number {
    return this.#monotonicAtSetMs + (this.#time.nowMs() - this.#clockSetAtMs) * this.#clockRate;
  }

  #after(delayMs: number, callback: () => void): Cancel {
    if (this.#state === 'killed') return nothing;
    if (!(delayMs >= 0)) throw new RangeError(`a timer of ${delayMs} ms was asked for: it must be 0 or more`);
    const time = this.#time;
    const event = time.schedule(this, time.nowMs() + delayMs / this.#clockRate, callback);
    return () => {
      time.cancel(event);
    };
  }

  #sendNow(leave: () => void): void {
    if (this.#state === 'running') leave();
    else if (this.#state === 'paused') this.#outbox.push(leave);
  }

  #receiveNow(callback: () => void): void {
    if (this.#state === 'running') callback();
    else if (this.#state === 'paused')
      this.#inbox.push({ timeMs: this.#time.nowMs(), sequence: 0, callback, process: this, isQueued: false });
  }

  #holdOrAdmit(event: ProcessEvent): boolean {
    if (this.#state === 'running') return true;
    if (this.#state === 'paused') this.#inbox.push(event);
    return false;
  }

  #act(crossing: Crossing): void {
    const due = this.#actions.filter(({ at }) => at <= this.#crossings);
    this.#actions = this.#actions.filter(({ at }) => at > this.#crossings);
    this.#nextActionAt = Math.min(Infinity, ...this.#actions.map(({ at }) => at));
    for (const { action } of due) action(crossing);
  }
}

function nothing(): void {
  // the timer of a dead process: there is nothing to cancel
}

function checkedRate(rate: number): number {
  if (!(rate > 0 && rate < 1000)) throw new RangeError(`the clock rate ${rate} is not between 0 and 1000`);
  return rate;
}
