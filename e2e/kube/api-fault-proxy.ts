import { once } from 'node:events';
import { createServer } from 'node:http';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { Agent, request as httpsRequest } from 'node:https';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { seededFractions } from '../faults/seeded-random.ts';
import type { Fractions } from '../faults/seeded-random.ts';
import type { KubeApiServer } from '../tools/kube-api-server.ts';

/** What happens to a request: a list, or the opening of a watch. */
export type RequestFault =
  /** An answer in place of the server's, which never sees the request. */
  | {
      readonly kind: 'refuse';
      readonly status: number;
      /** Of `metav1.Status`. Absent: no Status, but a page of some proxy. */
      readonly reason?: string | undefined;
      readonly retryAfterSeconds?: number | undefined;
    }
  | { readonly kind: 'reset' }
  /** No answer, connection open, until the client gives up. */
  | { readonly kind: 'silence' }
  | { readonly kind: 'delay'; readonly ms: number };

/** What happens at one event of a watch. */
export type EventFault =
  | { readonly kind: 'drop' }
  /** Comes twice, the second time after the next event. */
  | { readonly kind: 'repeat' }
  /** It comes, and then the end of the connection: a reset, or as if the server had ended the watch. */
  | { readonly kind: 'cut'; readonly ending: 'reset' | 'close' }
  /** Half of its bytes come, and then a reset. */
  | { readonly kind: 'tear' }
  /** Half-open: neither it nor anything else comes any more. */
  | { readonly kind: 'silence' }
  /** An ERROR event in its place, and the end. */
  | { readonly kind: 'error'; readonly code: number; readonly reason: string };

export type ApiFaultRule = {
  /** For counts, and the name of the rule's own random sequence. Unique. */
  readonly name: string;
  /** Share of the requests or events that is hit. Default 1. */
  readonly probability?: number | undefined;
  /** At most so many are hit. Default: no bound. */
  readonly count?: number | undefined;
} & (
  | { readonly on: 'list' | 'watch'; readonly fault: RequestFault }
  | { readonly on: 'event'; readonly fault: EventFault }
);

interface RuleState {
  readonly rule: ApiFaultRule;
  readonly fraction: Fractions;
  hits: number;
}

/**
 * Plain HTTP in front of a test's API server, with the failures that load balancers, proxies and API servers in trouble
 * make. Of several rules the first that hits decides. Credentials pass through.
 */
export class ApiFaultProxy {
  readonly #target: URL;
  readonly #agent: Agent;
  readonly #server: Server;
  #rules: RuleState[] = [];

  /** Use {@link startApiFaultProxy}. */
  constructor(target: KubeApiServer) {
    this.#target = new URL(target.url);
    this.#agent = new Agent({ ca: target.ca, keepAlive: true });
    this.#server = createServer((request, response) => {
      this.#serve(request, response).catch(() => response.destroy());
    });
  }

  async listen(): Promise<void> {
    this.#server.listen(0, '127.0.0.1');
    await once(this.#server, 'listening');
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** Replaces all rules, for what comes after it; watches that are open meet the new ones too. */
  setRules(rules: readonly ApiFaultRule[], seed = 1): void {
    this.#rules = rules.map((rule) => ({ rule, fraction: seededFractions(seed, rule.name), hits: 0 }));
  }

  /** How often each rule has hit, by name. */
  hits(): Readonly<Record<string, number>> {
    return Object.fromEntries(this.#rules.map(({ rule, hits }) => [rule.name, hits]));
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    this.#agent.destroy();
    await once(this.#server, 'close');
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const isWatch = /[?&]watch=/.test(request.url ?? '');
    const fault = request.method === 'GET' ? this.#requestFault(isWatch ? 'watch' : 'list') : undefined;
    switch (fault?.kind) {
      case 'reset':
        request.socket.resetAndDestroy();
        return;
      case 'silence':
        return;
      case 'refuse':
        refuse(response, fault);
        return;
      case 'delay':
        await sleep(fault.ms);
        break;
      case undefined:
    }
    const answer = await this.#forward(request, response);
    response.writeHead(answer.statusCode ?? 502, answer.headers);
    response.flushHeaders();
    if (isWatch && answer.statusCode === 200) await this.#relayEvents(answer, response);
    else answer.pipe(response);
  }

  async #forward(request: IncomingMessage, response: ServerResponse): Promise<IncomingMessage> {
    const { hostname, port } = this.#target;
    const { method, url: path, headers } = request;
    const sent = httpsRequest({ hostname, port, method, path, headers, agent: this.#agent });
    response.once('close', () => sent.destroy());
    request.pipe(sent);
    const answered = once(sent, 'response') as Promise<[IncomingMessage]>;
    const [answer] = await answered;
    // The server broke off: the client sees the same.
    answer.once('error', () => request.socket.resetAndDestroy());
    return answer;
  }

  async #relayEvents(answer: IncomingMessage, response: ServerResponse): Promise<void> {
    let held: string | undefined;
    for await (const line of linesOf(answer)) {
      const fault = this.#eventFault();
      switch (fault?.kind) {
        case 'drop':
          continue;
        case 'silence':
          return;
        case 'error':
          response.end(`${JSON.stringify({ type: 'ERROR', object: statusOf(fault.code, fault.reason) })}\n`);
          return;
        case 'tear':
          response.write(line.slice(0, line.length / 2), () => response.socket?.resetAndDestroy());
          return;
        case 'cut':
          if (fault.ending === 'close') response.end(`${line}\n`);
          else response.write(`${line}\n`, () => response.socket?.resetAndDestroy());
          return;
        case 'repeat':
        case undefined:
          response.write(`${line}\n`);
      }
      if (held !== undefined) response.write(`${held}\n`);
      held = fault?.kind === 'repeat' ? line : undefined;
    }
    response.end();
  }

  #requestFault(on: 'list' | 'watch'): RequestFault | undefined {
    const rule = this.#hit(on);
    return rule?.on === on ? rule.fault : undefined;
  }

  #eventFault(): EventFault | undefined {
    const rule = this.#hit('event');
    return rule?.on === 'event' ? rule.fault : undefined;
  }

  #hit(on: ApiFaultRule['on']): ApiFaultRule | undefined {
    const state = this.#rules.find(({ rule, fraction, hits }) => {
      if (rule.on !== on || hits >= (rule.count ?? Infinity)) return false;
      return fraction() < (rule.probability ?? 1);
    });
    if (state !== undefined) state.hits++;
    return state?.rule;
  }
}

/** Listens on 127.0.0.1 and a free port, without rules. */
export async function startApiFaultProxy(target: KubeApiServer): Promise<ApiFaultProxy> {
  const proxy = new ApiFaultProxy(target);
  await proxy.listen();
  return proxy;
}

function refuse(response: ServerResponse, fault: RequestFault & { readonly kind: 'refuse' }): void {
  const { status, reason, retryAfterSeconds } = fault;
  const headers = { 'content-type': reason === undefined ? 'text/html' : 'application/json' };
  if (retryAfterSeconds === undefined) response.writeHead(status, headers);
  else response.writeHead(status, { ...headers, 'retry-after': String(retryAfterSeconds) });
  response.end(reason === undefined ? '<html>bad gateway</html>' : JSON.stringify(statusOf(status, reason)));
}

function statusOf(code: number, reason: string): object {
  const message = 'injected by the fault proxy';
  return { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Failure', message, reason, code };
}

async function* linesOf(answer: IncomingMessage): AsyncGenerator<string, void, undefined> {
  let rest = '';
  answer.setEncoding('utf8');
  for await (const chunk of answer as AsyncIterable<string>) {
    const lines = (rest + chunk).split('\n');
    rest = lines.pop() ?? '';
    yield* lines;
  }
}
