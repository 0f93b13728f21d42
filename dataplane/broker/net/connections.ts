import type { Cancel, Runtime } from '../../runtime/runtime.ts';
import type { Acceptor } from './acceptor.ts';
import type { ByteStream } from './byte-stream.ts';
import { KafkaConnection, defaultConnectionLimits } from './kafka-connection.ts';
import type { ConnectionLimits, RequestProcessor } from './kafka-connection.ts';
import { RequestMemory } from './request-memory.ts';

export interface ConnectionsOptions {
  /** Kafka's `max.connections`: further ones are closed at once. */
  readonly maxConnections: number;
  /** Kafka's `max.connections.per.ip`. */
  readonly maxConnectionsPerAddress: number;
  /** Kafka's `connections.max.idle.ms`: a peer that neither sends nor takes anything for so long is closed. */
  readonly maxIdleMs: number;
  /** Kafka's `queued.max.request.bytes`: what the requests of all connections may take. */
  readonly maxRequestMemoryBytes: number;
  readonly limits: ConnectionLimits;
}

export const defaultConnectionsOptions: ConnectionsOptions = {
  maxConnections: 20_000,
  maxConnectionsPerAddress: 20_000,
  maxIdleMs: 600_000,
  maxRequestMemoryBytes: 512 * 1024 * 1024,
  limits: defaultConnectionLimits,
};

export interface ConnectionEvents {
  readonly opened: (connection: KafkaConnection) => void;
  readonly closed: (connection: KafkaConnection, error: Error | undefined) => void;
  /** There are too many. */
  readonly refused: (remoteAddress: string, why: string) => void;
}

/** All connections of a broker, whichever listener they came through. */
export class Connections {
  readonly #runtime: Runtime;
  readonly #processor: RequestProcessor;
  readonly #options: ConnectionsOptions;
  readonly #events: ConnectionEvents;
  readonly #memory: RequestMemory;
  readonly #open = new Set<KafkaConnection>();
  readonly #perAddress = new Map<string, number>();
  #lastId = 0;
  #idleCheck: Cancel | undefined;
  #isClosed = false;

  constructor(environment: {
    readonly runtime: Runtime;
    readonly processor: RequestProcessor;
    readonly options: ConnectionsOptions;
    readonly events: ConnectionEvents;
  }) {
    this.#runtime = environment.runtime;
    this.#processor = environment.processor;
    this.#options = environment.options;
    this.#events = environment.events;
    this.#memory = new RequestMemory(environment.options.maxRequestMemoryBytes);
  }

  get count(): number {
    return this.#open.size;
  }

  /** What requests take at the moment, in bytes. */
  get requestMemoryBytes(): number {
    return this.#memory.usedBytes;
  }

  get requestsInFlight(): number {
    let sum = 0;
    for (const connection of this.#open) sum += connection.requestsInFlight;
    return sum;
  }

  /** Takes the connections of a listener. */
  serve(acceptor: Acceptor): void {
    this.#idleCheck ??= this.#checkIdle();
    acceptor.accept((stream) => {
      this.#take(stream, acceptor);
    });
  }

  /** Closes all. */
  close(reason: Error): void {
    this.#isClosed = true;
    this.#idleCheck?.();
    for (const connection of this.#open) connection.close(reason);
  }

  #take(stream: ByteStream, { name: listener, zone }: Acceptor): void {
    const { remoteAddress } = stream;
    const ofAddress = this.#perAddress.get(remoteAddress) ?? 0;
    const { maxConnections, maxConnectionsPerAddress } = this.#options;
    const refusal = this.#isClosed
      ? 'the broker is shutting down'
      : this.#open.size >= maxConnections
        ? `${maxConnections} connections are open, which is max.connections`
        : ofAddress >= maxConnectionsPerAddress
          ? `${ofAddress} connections are open from there, which is max.connections.per.ip`
          : undefined;
    if (refusal !== undefined) {
      stream.destroy();
      this.#events.refused(remoteAddress, refusal);
      return;
    }
    const connection = new KafkaConnection({
      stream,
      info: { id: ++this.#lastId, remoteAddress, listener, zone },
      processor: this.#processor,
      limits: this.#options.limits,
      runtime: this.#runtime,
      memory: this.#memory,
      onClosed: (closed, error) => {
        this.#forget(closed, error);
      },
    });
    this.#open.add(connection);
    this.#perAddress.set(remoteAddress, ofAddress + 1);
    this.#events.opened(connection);
    connection.start();
  }

  #forget(connection: KafkaConnection, error: Error | undefined): void {
    this.#open.delete(connection);
    const { remoteAddress } = connection.info;
    const left = (this.#perAddress.get(remoteAddress) ?? 1) - 1;
    if (left === 0) this.#perAddress.delete(remoteAddress);
    else this.#perAddress.set(remoteAddress, left);
    this.#events.closed(connection, error);
  }

  #checkIdle(): Cancel {
    const { maxIdleMs } = this.#options;
    return this.#runtime.after(maxIdleMs / 10, () => {
      const sinceMs = this.#runtime.monotonicMs() - maxIdleMs;
      for (const connection of this.#open) {
        if (connection.lastActivityMs < sinceMs)
          connection.close(new Error(`idle for more than ${maxIdleMs} ms (connections.max.idle.ms)`));
      }
      if (!this.#isClosed) this.#idleCheck = this.#checkIdle();
    });
  }
}
