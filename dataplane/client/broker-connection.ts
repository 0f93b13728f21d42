import { connect } from 'node:net';
import type { Socket } from 'node:net';
import { FrameReader } from '../protocol/frame-reader.ts';
import type { AnyApi, Api } from '../protocol/api.ts';
import { apiVersions } from '../protocol/api/api-versions.ts';
import { kafkaErrors } from '../protocol/error-code.ts';
import { decodeResponseHeader, encodeRequestFrame } from '../protocol/headers.ts';
import type { Runtime } from '../runtime/runtime.ts';
import { ClientError } from './errors.ts';

export interface BrokerConnectionOptions {
  readonly host: string;
  readonly port: number;
  readonly clientId: string;
  readonly runtime: Runtime;
  /** For connecting, and for each response beyond what the request itself may wait. Default 30 s. */
  readonly timeoutMs?: number | undefined;
}

export interface RequestOptions {
  /** Default: the newest that both sides have. */
  readonly version?: number | undefined;
  readonly timeoutMs?: number | undefined;
}

interface Waiting {
  readonly api: AnyApi;
  readonly version: number;
  readonly resolve: (response: unknown) => void;
  readonly reject: (error: Error) => void;
}

const maxResponseBytes = 512 * 1024 * 1024;
const defaultTimeoutMs = 30_000;

/** One connection to a broker: requests in any number at a time, responses to whom they belong. Not reconnected. */
export class BrokerConnection {
  readonly #socket: Socket;
  readonly #options: BrokerConnectionOptions;
  readonly #address: string;
  readonly #frames = new FrameReader(maxResponseBytes);
  readonly #waiting = new Map<number, Waiting>();
  #lastCorrelationId = 0;
  #offered: ReadonlyMap<number, { readonly min: number; readonly max: number }> | undefined;
  #ended: ClientError | undefined;

  private constructor(socket: Socket, options: BrokerConnectionOptions) {
    this.#socket = socket;
    this.#options = options;
    this.#address = `${options.host}:${options.port}`;
    socket.on('data', (chunk: Buffer) => {
      this.#onData(chunk);
    });
    socket.on('error', (error) => {
      this.#end(error);
    });
    socket.on('close', () => {
      this.#end(undefined);
    });
  }

  /** Connects and asks which versions of which APIs the broker has. */
  static async open(options: BrokerConnectionOptions): Promise<BrokerConnection> {
    const { host, port, runtime, timeoutMs = defaultTimeoutMs } = options;
    const socket = connect({ host, port, noDelay: true });
    await new Promise<void>((resolve, reject) => {
      const cancel = runtime.after(timeoutMs, () => {
        socket.destroy();
        reject(new ClientError('CONNECT_FAILED', `${host}:${port} did not answer within ${timeoutMs} ms`));
      });
      socket.once('connect', () => {
        cancel();
        socket.removeAllListeners('error');
        resolve();
      });
      socket.once('error', (error) => {
        cancel();
        reject(
          new ClientError('CONNECT_FAILED', `cannot connect to ${host}:${port}: ${error.message}`, {
            cause: error,
          }),
        );
      });
    });
    const connection = new BrokerConnection(socket, options);
    try {
      await connection.#askVersions();
    } catch (error) {
      connection.close();
      throw error;
    }
    return connection;
  }

  get isOpen(): boolean {
    return this.#ended === undefined;
  }

  /** The newest version of an API that both sides have; `undefined`: there is none. */
  versionOf(api: AnyApi): number | undefined {
    const offered = this.#offered?.get(api.key);
    if (offered === undefined) return undefined;
    const version = Math.min(offered.max, api.versions.max);
    return version >= Math.max(offered.min, api.versions.min) ? version : undefined;
  }

  /** Sends a request; resolves with its response. Error codes in it are the caller's to look at. */
  async request<Input, Response>(
    api: Api<string, unknown, Input, Response, never>,
    request: Input,
    options: RequestOptions = {},
  ): Promise<Response> {
    const version = options.version ?? this.versionOf(api);
    if (version === undefined) {
      throw new ClientError(
        'UNSUPPORTED_VERSION',
        `${this.#address} has no version of ${api.name} that is known here (${api.versions.min} to ${api.versions.max})`,
      );
    }
    if (this.#ended !== undefined) throw this.#ended;
    const correlationId = (this.#lastCorrelationId = (this.#lastCorrelationId + 1) % 0x7fff_ffff);
    const { clientId, runtime } = this.#options;
    const frame = encodeRequestFrame(api, version, { correlationId, clientId }, request);
    const timeoutMs = options.timeoutMs ?? this.#options.timeoutMs ?? defaultTimeoutMs;
    const response = new Promise<unknown>((resolve, reject) => {
      this.#waiting.set(correlationId, { api, version, resolve, reject });
    });
    const cancel = runtime.after(timeoutMs, () => {
      this.#waiting
        .get(correlationId)
        ?.reject(
          new ClientError('TIMED_OUT', `${this.#address} did not answer ${api.name} within ${timeoutMs} ms`),
        );
      this.#waiting.delete(correlationId);
    });
    this.#socket.cork();
    for (const piece of frame) this.#socket.write(piece);
    this.#socket.uncork();
    try {
      return (await response) as Response;
    } finally {
      cancel();
    }
  }

  close(): void {
    this.#end(undefined);
    this.#socket.destroy();
  }

  async #askVersions(): Promise<void> {
    const { errorCode, apiKeys } = await this.request(
      apiVersions,
      { clientSoftwareName: 'firn', clientSoftwareVersion: '0' },
      { version: 3 },
    );
    if (errorCode !== kafkaErrors.NONE.code) {
      throw new ClientError(
        'UNSUPPORTED_VERSION',
        `${this.#address} answers ApiVersions with error ${errorCode}`,
      );
    }
    this.#offered = new Map(
      apiKeys.map(({ apiKey, minVersion, maxVersion }) => [apiKey, { min: minVersion, max: maxVersion }]),
    );
  }

  #onData(chunk: Buffer): void {
    this.#frames.push(chunk);
    try {
      for (let frame = this.#frames.next(); frame !== undefined; frame = this.#frames.next())
        this.#answer(frame);
    } catch (error) {
      this.#socket.destroy();
      this.#end(error instanceof Error ? error : undefined);
    }
  }

  #answer(frame: Uint8Array): void {
    const correlationId = new DataView(frame.buffer, frame.byteOffset, frame.byteLength).getInt32(0);
    const waiting = this.#waiting.get(correlationId);
    // It came after its time was up.
    if (waiting === undefined) return;
    this.#waiting.delete(correlationId);
    const { api, version, resolve, reject } = waiting;
    try {
      const { bodyStart } = decodeResponseHeader(frame, api, version);
      resolve(api.response.decode(frame, version, bodyStart));
    } catch (error) {
      reject(error instanceof Error ? error : new Error('a response could not be decoded', { cause: error }));
    }
  }

  #end(cause: Error | undefined): void {
    if (this.#ended !== undefined) return;
    this.#ended = new ClientError('DISCONNECTED', `the connection to ${this.#address} has ended`, { cause });
    for (const { reject } of this.#waiting.values()) reject(this.#ended);
    this.#waiting.clear();
  }
}
