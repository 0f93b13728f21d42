import type { Runtime } from '../../runtime/runtime.ts';
import type { ConnectionInfo } from '../request-context.ts';

/** A partition, on one connection. */
interface Sent {
  sinceMs: number;
  times: number;
}

/** How often within {@link perMs} a consumer is sent away from a partition. */
const mostTimes = 3;
const perMs = 60_000;
/** Partitions remembered for a connection. */
const maxPartitions = 10_000;

/**
 * Consumers that are told to read elsewhere and come back: they do not know how to, or cannot reach who they were sent to,
 * or are not served there. Whatever it is, they are served here until a minute is over; Kafka would send them to and fro.
 *
 * Kafka's own consumers come back every five minutes (`metadata.max.age.ms`).
 */
export class Redirects {
  readonly #runtime: Pick<Runtime, 'monotonicMs'>;
  readonly #connections = new WeakMap<ConnectionInfo, Map<string, Sent>>();

  constructor(runtime: Pick<Runtime, 'monotonicMs'>) {
    this.#runtime = runtime;
  }

  /** Whether the consumer may be sent away once more. It is, then. */
  take(connection: ConnectionInfo, partition: string): boolean {
    let partitions = this.#connections.get(connection);
    if (partitions === undefined) this.#connections.set(connection, (partitions = new Map<string, Sent>()));
    const nowMs = this.#runtime.monotonicMs();
    const sent = partitions.get(partition);
    if (sent !== undefined && nowMs - sent.sinceMs < perMs) {
      if (sent.times >= mostTimes) return false;
      sent.times += 1;
      return true;
    }
    partitions.delete(partition);
    for (const oldest of partitions.keys()) {
      if (partitions.size < maxPartitions) break;
      partitions.delete(oldest);
    }
    partitions.set(partition, { sinceMs: nowMs, times: 1 });
    return true;
  }
}
