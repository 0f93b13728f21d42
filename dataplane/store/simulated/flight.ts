import type { Runtime } from '../../runtime/runtime.ts';
import type { StoreAnswer, StoreRequest } from './request.ts';

/**
 * Who uses a simulated store: a `SimulatedProcess`, or anything that lets requests out and answers in.
 * A paused process holds both back; a killed one drops them.
 */
export interface StoreHost {
  readonly name: string;
  readonly runtime: Runtime;
  readonly state: 'running' | 'paused' | 'killed';
  send(leave: () => void): void;
  receive(arrive: () => void): void;
}

/** A host that is never paused or killed: for benches on the real runtime. */
export function unmanagedHost(name: string, runtime: Runtime): StoreHost {
  return {
    name,
    runtime,
    state: 'running',
    send: (leave) => {
      leave();
    },
    receive: (arrive) => {
      arrive();
    },
  };
}

/** One attempt of one request, from the moment it is sent until nothing of it is under way any more. */
export class Flight {
  readonly host: StoreHost;
  readonly endpoint: string;
  readonly request: StoreRequest;
  readonly timeoutMs: number;
  /** 1 for the first. */
  readonly attempt: number;
  readonly onAnswer: (answer: StoreAnswer) => void;
  sentAtMs = 0;
  deadlineMs = 0;
  /** The client has an answer, or no longer waits for one. */
  isSettled = false;
  /** Applications that are still to come. */
  unapplied = 0;
  /** The answer, or the time-out, has reached the process; it may still be held there. */
  isConcluded = false;
  /** It has changed something at the store. */
  hasLanded = false;
  /** May be applied long after it was sent. */
  lingers = false;
  /** The key has been deleted since this was sent. Kept only for writes that linger. */
  keyWasDeleted = false;

  constructor(
    host: StoreHost,
    endpoint: string,
    request: StoreRequest,
    timeoutMs: number,
    attempt: number,
    onAnswer: (answer: StoreAnswer) => void,
  ) {
    this.host = host;
    this.endpoint = endpoint;
    this.request = request;
    this.timeoutMs = timeoutMs;
    this.attempt = attempt;
    this.onAnswer = onAnswer;
  }
}
