import { inBackground } from '../../runtime/in-background.ts';
import type { Cancel, Runtime } from '../../runtime/runtime.ts';
import type { ByteStream } from '../net/byte-stream.ts';
import { PeerProtocolError, maxPeerFrameBytes } from './peer-frame.ts';
import type { PeerFrame } from './peer-frame.ts';
import { encodePong } from './peer-pong.ts';
import { decodeHello, helloProblem, peerVersions } from './peer-hello.ts';
import type { PeerHello, PeerSelf } from './peer-hello.ts';
import type { PeerCaller } from './peer-method.ts';
import { PeerStream } from './peer-stream.ts';

/** Who says nothing for so long is gone: others ask every half second how we are. */
const idleMs = 15_000;
/** A connection that has not introduced itself by then is closed; one that is not accepted has so long to read why. */
const helloMs = 5_000;
const maxRequestsInFlight = 1_024;
/** Answers that the other side has not read: more are failures, which are small. The connection bears one frame beyond it. */
const maxUnreadBytes = 3 * maxPeerFrameBytes;
const maxMessageLength = 1_000;

export type AnyHandler = (body: unknown, caller: PeerCaller, signal: AbortSignal) => Promise<unknown>;

export interface ServedConnectionOptions {
  readonly runtime: Runtime;
  readonly self: () => PeerSelf | undefined;
  /** How long ago this broker has last read the store; `undefined`: never. */
  readonly storeAgeMs: () => number | undefined;
  readonly handlers: ReadonlyMap<string, AnyHandler>;
  readonly onAnswered: (method: string, outcome: 'answered' | 'failed') => void;
  readonly onRefused: (remoteAddress: string, why: string) => void;
  readonly onIntroduced: () => void;
  readonly onClosed: () => void;
}

/** A connection that another broker has opened: its questions are answered side by side. */
export class ServedConnection {
  readonly #options: ServedConnectionOptions;
  readonly #remoteAddress: string;
  readonly #stream: PeerStream;
  readonly #working = new Map<number, AbortController>();
  #caller: PeerCaller | undefined;
  #isRefused = false;
  #cancelTimer: Cancel = () => undefined;

  constructor(stream: ByteStream, options: ServedConnectionOptions) {
    this.#options = options;
    this.#remoteAddress = stream.remoteAddress;
    this.#stream = new PeerStream(stream, {
      heard: () => {
        if (this.#caller !== undefined) this.#closeAfter(idleMs);
      },
      frame: (frame) => {
        this.#onFrame(frame);
      },
      closed: (error) => {
        this.#onClosed(error);
      },
    });
  }

  start(): void {
    this.#closeAfter(helloMs);
    this.#stream.start();
  }

  /** @param why the other side is to blame, and it is to be told on this one */
  close(why?: string): void {
    this.#stream.close(why === undefined ? undefined : new PeerProtocolError(why));
  }

  #closeAfter(delayMs: number): void {
    this.#cancelTimer();
    this.#cancelTimer = this.#options.runtime.after(delayMs, () => {
      const isStranger = this.#caller === undefined && !this.#isRefused;
      this.close(isStranger ? 'it has not introduced itself in time' : undefined);
    });
  }

  #onClosed(error: Error | undefined): void {
    this.#cancelTimer();
    const gone = new PeerProtocolError('the other broker is gone');
    for (const work of this.#working.values()) work.abort(gone);
    if (error instanceof PeerProtocolError) this.#options.onRefused(this.#remoteAddress, error.message);
    this.#options.onClosed();
  }

  #onFrame(frame: PeerFrame): void {
    const caller = this.#caller;
    if (caller === undefined) {
      if (this.#isRefused) return;
      if (frame.kind !== 'hello') throw new PeerProtocolError(`a ${frame.kind} came before the hello`);
      this.#greet(frame);
      return;
    }
    switch (frame.kind) {
      case 'ping':
        this.#stream.send({ kind: 'pong', id: frame.id, body: encodePong(this.#options.storeAgeMs()) });
        return;
      case 'request':
        this.#begin(frame, caller);
        return;
      case 'cancel':
        this.#working.get(frame.id)?.abort(new PeerProtocolError('nobody waits for the answer any more'));
        return;
      default:
        throw new PeerProtocolError(`a ${frame.kind} came from a broker that was not asked anything`);
    }
  }

  #greet({ id, body }: PeerFrame): void {
    const hello = decodeHello(body);
    const self = this.#options.self();
    if (self === undefined) {
      this.#refuse(id, 'this broker has no session yet: try again');
      return;
    }
    const problem = helloProblem(self, hello);
    if (problem !== undefined) {
      this.#refuse(id, problem);
      this.#options.onRefused(this.#remoteAddress, problem);
      return;
    }
    this.#stream.accepted();
    this.#caller = { id: hello.id, sid: hello.sid };
    this.#options.onIntroduced();
    const answer: PeerHello = { ...self, versions: peerVersions, to: hello.id };
    this.#stream.send({ kind: 'hello', id, body: answer });
    this.#closeAfter(idleMs);
  }

  /** The other side closes when it has read why. */
  #refuse(id: number, message: string): void {
    this.#isRefused = true;
    this.#stream.send({ kind: 'failure', id, body: { message } });
    this.#closeAfter(helloMs);
  }

  #begin({ id, body }: PeerFrame, caller: PeerCaller): void {
    const { method, request } = asRequest(body);
    const handler = this.#options.handlers.get(method);
    if (handler === undefined) this.#fail(id, 'unknown', `there is no method ${method.slice(0, 100)} here`);
    else if (this.#working.size >= maxRequestsInFlight)
      this.#fail(id, method, `${maxRequestsInFlight} requests of this broker are being worked on`);
    else if (this.#working.has(id)) throw new PeerProtocolError(`two requests have the id ${id}`);
    else {
      const work = new AbortController();
      this.#working.set(id, work);
      inBackground(this.#answer(id, method, handler(request, caller, work.signal)));
    }
  }

  async #answer(id: number, method: string, answer: Promise<unknown>): Promise<void> {
    try {
      const body = await answer;
      const unread = this.#stream.unsentBytes;
      if (unread > maxUnreadBytes)
        throw new PeerProtocolError(`${unread} bytes of answers have not been read: ask for less at a time`);
      this.#stream.send({ kind: 'response', id, body });
      this.#options.onAnswered(method, 'answered');
    } catch (error) {
      this.#fail(id, method, error instanceof Error ? error.message : String(error));
    } finally {
      this.#working.delete(id);
    }
  }

  #fail(id: number, method: string, message: string): void {
    this.#options.onAnswered(method, 'failed');
    this.#stream.send({ kind: 'failure', id, body: { message: message.slice(0, maxMessageLength) } });
  }
}

function asRequest(body: unknown): { readonly method: string; readonly request: unknown } {
  if (typeof body === 'object' && body !== null && 'method' in body && typeof body.method === 'string')
    return { method: body.method, request: 'request' in body ? body.request : undefined };
  throw new PeerProtocolError('a request names no method');
}
