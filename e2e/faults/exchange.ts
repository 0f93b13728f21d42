import type { Agent, ClientRequest, IncomingMessage, ServerResponse } from 'node:http';
import type { Readable } from 'node:stream';
import { setTimeout as pause } from 'node:timers/promises';
import { DamagedBody } from './damaged-body.ts';
import type { BodyDamage, ExchangePlan } from './fault-plan.ts';
import type { ProxyCounter } from './proxy-counts.ts';
import { answerTo, collected, drained, openRequest } from './server-side.ts';
import type { ConnectionPair, ForwardedHead, Upstream } from './server-side.ts';

export interface ExchangeSurroundings {
  readonly upstream: Upstream;
  readonly counter: ProxyCounter;
  /** Aborts when the proxy stops: every wait ends and every request under way is destroyed. */
  readonly stopping: AbortSignal;
  /** Aborts when requests that wait to land late are to land now. */
  landNow(): AbortSignal;
  /** Takes over work that goes on after its client has gone. */
  inBackground(work: Promise<void>): void;
}

/** What a timer can wait. */
const maxDelayMs = 2 ** 31 - 1;

/** One request of a client and what becomes of it. */
export class Exchange {
  readonly #around: ExchangeSurroundings;
  readonly #pair: ConnectionPair;
  readonly #request: IncomingMessage;
  readonly #response: ServerResponse;
  readonly #head: ForwardedHead;
  /** The client sends its body only after `100 Continue`. */
  #expectsContinue: boolean;

  constructor(
    around: ExchangeSurroundings,
    pair: ConnectionPair,
    request: IncomingMessage,
    response: ServerResponse,
    expectsContinue: boolean,
  ) {
    this.#around = around;
    this.#pair = pair;
    this.#request = request;
    this.#response = response;
    this.#expectsContinue = expectsContinue;
    this.#head = {
      method: request.method ?? 'GET',
      target: request.url ?? '/',
      rawHeaders: request.rawHeaders,
    };
    request.on('error', () => undefined);
    response.on('error', () => undefined);
    response.sendDate = false;
  }

  /** Carries out the plan. Failures of client or server are part of the job; only a stop of the proxy rejects. */
  async run(plan: ExchangePlan): Promise<void> {
    await this.#pause(plan.requestDelayMs);
    switch (plan.forward.kind) {
      case 'never':
        // A client that waits for 100 Continue gets its error instead of it, as from a real server.
        if (this.#expectsContinue || (await drained(this.#request))) await this.#replace(plan);
        else this.#saw('gone');
        return;
      case 'now': {
        const answer = await this.#forward(plan.requestBody);
        await this.#pause(plan.answerDelayMs);
        await this.#deliver(answer, plan);
        return;
      }
      case 'late': {
        const body = await this.#wholeBody();
        if (body !== undefined) this.#around.inBackground(this.#land(body, plan.forward.delayMs));
        await this.#replace(plan);
        return;
      }
      case 'twice': {
        const body = await this.#wholeBody();
        const { delayMs, answer } = plan.forward;
        const first = body === undefined ? undefined : await this.#send(body, this.#pair.agent);
        if (body === undefined || first === undefined || answer === 'first') {
          if (body !== undefined) this.#around.inBackground(this.#land(body, delayMs));
          await this.#deliver(first, plan);
          return;
        }
        await drained(first);
        await this.#pause(delayMs);
        await this.#deliver(await this.#send(body, this.#pair.agent), plan);
        return;
      }
    }
  }

  /** Streams the request to the server. Undefined when there is no answer: client or server went away. */
  async #forward(damage: BodyDamage): Promise<IncomingMessage | undefined> {
    const forwarded = this.#open(this.#pair.agent);
    this.#pair.follow(forwarded);
    const request = this.#request;
    const body = damaged(request, damage);
    // Gone before its body was complete, or while only reading: end the server's side as well. Otherwise the server has
    // the whole request and goes on, as it would without a proxy.
    const onClientGone = (): void => {
      if (this.#response.writableFinished) return;
      const isRead = this.#head.method === 'GET' || this.#head.method === 'HEAD';
      if (!request.complete || isRead) forwarded.destroy();
    };
    this.#response.once('close', onClientGone);
    if (this.#expectsContinue) forwarded.once('continue', () => this.#response.writeContinue());
    body.pipe(forwarded);
    const answer = await this.#answer(forwarded);
    if (answer === undefined) body.unpipe(forwarded);
    return answer;
  }

  /** A late request or second copy: on a connection of its own, its answer seen by nobody. */
  async #land(body: Buffer, delayMs: number): Promise<void> {
    const { stopping, counter } = this.#around;
    const signal = AbortSignal.any([stopping, this.#around.landNow()]);
    await pause(Math.min(delayMs, maxDelayMs), undefined, { signal }).catch(() => undefined);
    if (stopping.aborted) {
      counter.neverLanded();
      return;
    }
    const answer = await this.#send(body, false);
    if (answer === undefined) return;
    await drained(answer);
    counter.landedLate();
  }

  async #send(body: Buffer, agent: Agent | false): Promise<IncomingMessage | undefined> {
    const forwarded = this.#open(agent);
    if (agent !== false) this.#pair.follow(forwarded);
    forwarded.end(body);
    return await this.#answer(forwarded);
  }

  #open(agent: Agent | false): ClientRequest {
    const forwarded = openRequest(this.#around.upstream, this.#head, agent);
    const onStop = (): void => void forwarded.destroy();
    this.#around.stopping.addEventListener('abort', onStop, { once: true });
    forwarded.once('close', () => {
      this.#around.stopping.removeEventListener('abort', onStop);
    });
    return forwarded;
  }

  async #answer(forwarded: ClientRequest): Promise<IncomingMessage | undefined> {
    try {
      const answer = await answerTo(forwarded);
      this.#around.counter.server(this.#head.method, answer.statusCode ?? 0);
      return answer;
    } catch {
      this.#around.counter.server(this.#head.method, 'failed');
      return undefined;
    }
  }

  async #wholeBody(): Promise<Buffer | undefined> {
    if (this.#expectsContinue) this.#response.writeContinue();
    this.#expectsContinue = false;
    return await collected(this.#request);
  }

  /** Gives the client what the plan puts in place of the server's answer. */
  async #replace(plan: ExchangePlan, answer?: IncomingMessage): Promise<void> {
    if (answer !== undefined) await drained(answer);
    await this.#pause(plan.answerDelayMs);
    const { client } = plan;
    if (this.#response.destroyed) this.#saw('gone');
    else if (client.kind === 'error') {
      this.#saw(client.status);
      await this.#finish(errorDocument(this.#head, client, this.#response));
    } else if (client.kind === 'silence') {
      this.#saw('silence');
      await this.#closed();
    } else {
      this.#saw('reset');
      this.#request.socket.resetAndDestroy();
    }
  }

  async #deliver(answer: IncomingMessage | undefined, plan: ExchangePlan): Promise<void> {
    const { client } = plan;
    if (this.#response.destroyed) {
      answer?.resume();
      this.#saw('gone');
    } else if (answer === undefined) {
      this.#saw('reset');
      this.#request.socket.resetAndDestroy();
    } else if (client.kind === 'answer') {
      this.#saw(answer.statusCode ?? 0);
      await this.#pass(answer, plan.answerBody);
    } else if (client.kind === 'truncated') {
      await this.#truncate(answer, client.afterBytes, client.ending);
    } else await this.#replace({ ...plan, answerDelayMs: 0 }, answer);
  }

  async #pass(answer: IncomingMessage, damage: BodyDamage): Promise<void> {
    this.#writeHead(answer);
    const body = damaged(answer, damage);
    // The server broke off: the client has to see the same.
    const onBroken = (): void => {
      if (!answer.complete) this.#request.socket.resetAndDestroy();
    };
    answer.once('close', onBroken);
    const closed = this.#closed();
    body.pipe(this.#response);
    await closed;
    // Nobody reads it any more; a read that goes on would fill buffers, and its end would never come.
    if (!answer.complete) answer.destroy();
    if (body !== answer) body.destroy();
  }

  async #truncate(answer: IncomingMessage, afterBytes: number, ending: 'close' | 'reset'): Promise<void> {
    this.#writeHead(answer);
    this.#response.flushHeaders();
    let left = afterBytes;
    for await (const chunk of answer as AsyncIterable<Buffer>) {
      await this.#write(chunk.subarray(0, left));
      if (chunk.byteLength > left) {
        this.#saw('truncated');
        if (ending === 'reset') this.#request.socket.resetAndDestroy();
        else this.#request.socket.destroySoon();
        return;
      }
      left -= chunk.byteLength;
    }
    this.#saw(answer.statusCode ?? 0);
    await this.#finish(undefined);
  }

  #writeHead(answer: IncomingMessage): void {
    this.#response.writeHead(answer.statusCode ?? 502, answer.statusMessage, answer.rawHeaders);
  }

  /** Resolves when the bytes have left for the network, or cannot any more. */
  #write(bytes: Uint8Array): Promise<void> {
    return new Promise((resolve) => {
      if (this.#response.destroyed) {
        resolve();
        return;
      }
      this.#response.once('close', resolve);
      this.#response.write(bytes, () => {
        this.#response.off('close', resolve);
        resolve();
      });
    });
  }

  async #finish(lastBytes: Uint8Array | undefined): Promise<void> {
    if (this.#response.destroyed) return;
    const closed = this.#closed();
    this.#response.end(lastBytes);
    await closed;
  }

  /** Resolves when the answer is out or its client is gone. */
  #closed(): Promise<void> {
    if (this.#response.closed) return Promise.resolve();
    return new Promise((resolve) => {
      this.#response.once('close', resolve);
    });
  }

  #saw(what: Parameters<ProxyCounter['client']>[1]): void {
    this.#around.counter.client(this.#head.method, what);
  }

  async #pause(delayMs: number): Promise<void> {
    if (delayMs > 0) await pause(delayMs, undefined, { signal: this.#around.stopping });
  }
}

function damaged(body: Readable, damage: BodyDamage): Readable {
  if (damage.bytesPerSecond === undefined && damage.corruptByteAt === undefined) return body;
  return body.pipe(new DamagedBody(damage));
}

/** Writes the head of an S3 error answer and returns its body: none for HEAD, as HTTP demands. */
function errorDocument(
  head: ForwardedHead,
  error: ExchangePlan['client'] & { readonly kind: 'error' },
  response: ServerResponse,
): Uint8Array | undefined {
  const body = Buffer.from(
    `<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>${error.code}</Code>` +
      `<Message>Injected by the fault proxy.</Message><RequestId>fault-proxy</RequestId></Error>`,
  );
  response.writeHead(error.status, {
    'Content-Type': 'application/xml',
    'Content-Length': body.byteLength,
    'x-amz-request-id': 'fault-proxy',
    ...(error.retryAfterSeconds === undefined ? {} : { 'Retry-After': error.retryAfterSeconds }),
  });
  return head.method === 'HEAD' ? undefined : body;
}
