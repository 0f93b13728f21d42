import type { Link } from '../cluster/decide-suspicion.ts';
import type { MoveReason } from '../cluster/placement-move.ts';
import type { LogCounters } from '../log/log-context.ts';
import type { Metrics } from '../runtime/metrics.ts';
import type { PeerOutcome } from './peers/peer-error.ts';
import type { RequestTrace } from './request-dispatcher.ts';
import { TableMetrics } from './tables/table-metrics.ts';
import type { TablesRead } from './tables/table-metrics.ts';

/** Kinds of `firn_log_events_total`, and the counters of the log that they are read from. */
const logEvents = {
  takeover: 'takeovers',
  handover: 'handovers',
  session_death: 'sessionDeaths',
  fence_written: 'fencesWritten',
  segment_written: 'segmentsWritten',
  checkpoint_written: 'checkpoints',
  trim: 'trims',
  slot_swept: 'slotsSwept',
  producer_evicted: 'producersEvicted',
} as const satisfies Readonly<Record<string, keyof LogCounters>>;

/** What is read off a broker at each scrape. */
export interface BrokerGauges {
  readonly connections: number;
  readonly requestMemoryBytes: number;
  readonly unflushedBytes: number;
  readonly partitionsServed: number;
  readonly zoneReaders: number;
  /** By id of the other broker. */
  readonly peers: ReadonlyMap<number, Link>;
  readonly log: Readonly<LogCounters>;
}

interface ApiMetrics {
  answered(seconds: number, requestBytes: number, responseBytes: number): void;
}

/** The metrics of one broker, in the registry of its process. */
export class BrokerMetrics {
  readonly #metrics: Metrics;
  readonly #byApi = new Map<string, ApiMetrics>();
  readonly #seen = new Map<string, number>();
  readonly #tables: TableMetrics;

  constructor(metrics: Metrics) {
    this.#metrics = metrics;
    this.#tables = new TableMetrics(metrics);
  }

  answered({ api, requestBytes, responseBytes, tookMs }: RequestTrace): void {
    let metrics = this.#byApi.get(api.name);
    if (metrics === undefined) this.#byApi.set(api.name, (metrics = this.#ofApi(api.name)));
    metrics.answered(tookMs / 1000, requestBytes, responseBytes);
  }

  placementMoved(reason: MoveReason, groups: number): void {
    this.#metrics.counter('firn_placement_moves_total').inc({ reason }, groups);
  }

  connectionRefused(): void {
    this.#metrics.counter('firn_connections_refused_total').inc();
  }

  /** A question between brokers: `asked` by this one, or `served` to another. */
  peerRequest(side: 'asked' | 'served', method: string, outcome: PeerOutcome): void {
    this.#metrics.counter('firn_peer_requests_total').inc({ side, method, outcome });
  }

  /** The text of a scrape. */
  async expose(
    gauges: BrokerGauges,
    tables: TablesRead,
  ): Promise<{ readonly text: string; readonly contentType: string }> {
    this.#tables.update(tables);
    const metrics = this.#metrics;
    metrics.gauge('firn_connections').set(gauges.connections);
    metrics.gauge('firn_request_memory_bytes').set(gauges.requestMemoryBytes);
    metrics.gauge('firn_unflushed_bytes').set(gauges.unflushedBytes);
    metrics.gauge('firn_served_partitions').set(gauges.partitionsServed);
    metrics.gauge('firn_zone_read_groups').set(gauges.zoneReaders);
    const peers = metrics.gauge('firn_peer_connections');
    peers.reset();
    for (const [broker, { state }] of gauges.peers) peers.set({ broker: String(broker), state }, 1);
    for (const [event, name] of Object.entries(logEvents)) {
      const total = gauges.log[name];
      metrics.counter('firn_log_events_total').inc({ event }, total - (this.#seen.get(event) ?? 0));
      this.#seen.set(event, total);
    }
    return { text: await metrics.expose(), contentType: metrics.contentType };
  }

  /** Labels are looked up once: this is called for every request. */
  #ofApi(api: string): ApiMetrics {
    const requests = this.#metrics.counter('firn_requests_total').labels(api);
    const seconds = this.#metrics.histogram('firn_request_seconds').labels(api);
    const bytesIn = this.#metrics.counter('firn_request_bytes_total').labels(api);
    const bytesOut = this.#metrics.counter('firn_response_bytes_total').labels(api);
    return {
      answered(took, requestBytes, responseBytes) {
        requests.inc();
        seconds.observe(took);
        bytesIn.inc(requestBytes);
        bytesOut.inc(responseBytes);
      },
    };
  }
}
