import type { Api } from '../../protocol/api.ts';
import { FrameReader } from '../../protocol/frame-reader.ts';
import { decodeResponseHeader, encodeRequestFrame } from '../../protocol/headers.ts';
import type { AnyApi } from '../../protocol/api.ts';
import type { Runtime } from '../../runtime/runtime.ts';
import type { ClientEnd, SimulatedNetwork } from './simulated-network.ts';
import { BrokerViolation } from './violation.ts';

/** No answer: the connection is gone, or it took too long. Whether the request was carried out is not known. */
export class NoAnswer extends Error {
  override readonly name = 'NoAnswer';
}

interface Waiting {
  readonly correlationId: number;
  readonly api: AnyApi;
  readonly version: number;
  readonly resolve: (response: unknown) => void;
  readonly reject: (error: Error) => void;
}

/** The connections of one client, one for each broker address, as a stock client has them. */
export class SimulatedClient {
  readonly name: string;
  readonly #network: SimulatedNetwork;
  readonly #world: Runtime;
  readonly #timeoutMs: number;
  readonly #fail: (error: unknown) => void;
  readonly #connections = new Map<string, ClientConnection>();

  constructor(
    name: string,
    environment: {
      readonly network: SimulatedNetwork;
      readonly world: Runtime;
      readonly timeoutMs: number;
      readonly fail: (error: unknown) => void;
    },
  ) {
    this.name = name;
    this.#network = environment.network;
    this.#world = environment.world;
    this.#timeoutMs = environment.timeoutMs;
    this.#fail = environment.fail;
  }

  /** Rejects with {@link NoAnswer}; the connection is closed then, as clients do after a request has timed out. */
  async request<Input, Response>(
    address: string,
    api: Api<string, unknown, Input, Response, never>,
    version: number,
    request: Input,
    waitMs = 0,
  ): Promise<Response> {
    let connection = this.#connections.get(address);
    if (connection === undefined || !connection.isOpen) {
      connection = new ClientConnection(this.name, this.#network, address, this.#fail);
      this.#connections.set(address, connection);
    }
    const answer = connection.request(api, version, request);
    const current = connection;
    const cancel = this.#world.after(this.#timeoutMs + waitMs, () => {
      current.close();
    });
    try {
      return (await answer) as Response;
    } finally {
      cancel();
    }
  }

  close(): void {
    for (const connection of this.#connections.values()) connection.close();
    this.#connections.clear();
  }
}

class ClientConnection {
  readonly #name: string;
  readonly #fail: (error: unknown) => void;
  readonly #end: ClientEnd | undefined;
  readonly #frames = new FrameReader(100_000_000);
  readonly #waiting: Waiting[] = [];
  #lastCorrelationId = 0;
  isOpen: boolean;

  constructor(name: string, network: SimulatedNetwork, address: string, fail: (error: unknown) => void) {
    this.#name = name;
    this.#fail = fail;
    this.#end = network.connect(address, {
      data: (chunk) => {
        this.#onData(chunk);
      },
      closed: () => {
        this.#onClosed();
      },
    });
    this.isOpen = this.#end !== undefined;
  }

  request<Input>(
    api: Api<string, unknown, Input, unknown, never>,
    version: number,
    request: Input,
  ): Promise<unknown> {
    if (!this.isOpen || this.#end === undefined) return Promise.reject(new NoAnswer('nobody listens'));
    const correlationId = ++this.#lastCorrelationId;
    const frame = Buffer.concat(
      encodeRequestFrame(api, version, { correlationId, clientId: this.#name }, request),
    );
    const answer = new Promise<unknown>((resolve, reject) => {
      this.#waiting.push({ correlationId, api, version, resolve, reject });
    });
    this.#end.send(frame);
    return answer;
  }

  close(): void {
    this.#end?.close();
    this.#onClosed();
  }

  #onData(chunk: Uint8Array): void {
    if (!this.isOpen) return;
    this.#frames.push(chunk);
    for (let frame = this.#frames.next(); frame !== undefined; frame = this.#frames.next()) {
      const waiting = this.#waiting.shift();
      const correlationId = Buffer.from(frame.buffer, frame.byteOffset, 4).readInt32BE(0);
      if (waiting?.correlationId !== correlationId) {
        const what = `${this.#name}: answer ${correlationId} came, ${waiting?.correlationId ?? 'none'} was next`;
        this.#fail(new BrokerViolation('answers', what));
        return;
      }
      const { api, version, resolve } = waiting;
      const { bodyStart } = decodeResponseHeader(frame, api, version);
      resolve(api.response.decode(frame, version, bodyStart));
    }
  }

  #onClosed(): void {
    if (!this.isOpen) return;
    this.isOpen = false;
    for (const { reject } of this.#waiting.splice(0)) reject(new NoAnswer('the connection is gone'));
  }
}
