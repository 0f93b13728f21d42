import { latencySecondsBuckets } from './metric-declaration.ts';
import type { MetricDeclaration } from './metric-declaration.ts';
import { MetricRegistry } from './metric-registry.ts';

/**
 * Every metric of a process of the data plane. `docs/metrics.md` is made from it (`make docs`). An entry comes with the code that sets
 * it: what is declared here is measured.
 */
export const metricTable = {
  firn_requests_total: {
    kind: 'counter',
    unit: 'requests',
    labels: ['api'],
    help: 'Requests of Kafka clients that were answered, by API.',
  },
  firn_request_seconds: {
    kind: 'histogram',
    unit: 'seconds',
    labels: ['api'],
    buckets: latencySecondsBuckets,
    help: 'From the arrival of a request to its response, by API. Fetch and JoinGroup wait on purpose.',
  },
  firn_request_bytes_total: {
    kind: 'counter',
    unit: 'bytes',
    labels: ['api'],
    help: 'Bytes of the requests, by API.',
  },
  firn_response_bytes_total: {
    kind: 'counter',
    unit: 'bytes',
    labels: ['api'],
    help: 'Bytes of the responses, by API.',
  },
  firn_zone_bytes_total: {
    kind: 'counter',
    unit: 'bytes',
    labels: ['from', 'to', 'reason', 'table'],
    help: 'Bytes of records between this broker and Kafka clients by the zones of both, by why they travelled (produce, fetch) and whether their topic is a table. Clients are in zone unknown when nothing tells where they are. What is read from and written to the object store is not in it.',
  },
  firn_zone_read_groups: {
    kind: 'gauge',
    unit: 'groups',
    labels: [],
    help: 'Partition groups of other brokers that this broker reads from the object store for consumers of its own zone. Bounded: of more than 10,000 those go that were asked for least recently.',
  },
  firn_connections: {
    kind: 'gauge',
    unit: 'connections',
    labels: [],
    help: 'Connections of Kafka clients that are open.',
  },
  firn_connections_refused_total: {
    kind: 'counter',
    unit: 'connections',
    labels: [],
    help: 'Connections that were closed at once because too many were open (max.connections, max.connections.per.ip).',
  },
  firn_peer_connections: {
    kind: 'gauge',
    unit: 'connections',
    labels: ['broker', 'state'],
    help: 'One value of 1 for the connection of this broker to each other one that is not dead, with its state: up; down, when nothing has come for a second; storeless, when the other one answers but has not read the store for a while; refused-twice, when no process listens there. One that stays down means a network that is cut: brokers that reach the store are not taken for dead for it.',
  },
  firn_peer_requests_total: {
    kind: 'counter',
    unit: 'requests',
    labels: ['side', 'method', 'outcome'],
    help: 'Questions between brokers: asked by this one or served to another, by method and outcome (answered, failed, unreachable, lost, timeout, abandoned).',
  },
  firn_request_memory_bytes: {
    kind: 'gauge',
    unit: 'bytes',
    labels: [],
    help: 'What the requests of all connections take. Near queued.max.request.bytes clients are made to wait.',
  },
  firn_unflushed_bytes: {
    kind: 'gauge',
    unit: 'bytes',
    labels: [],
    help: 'Records that are durable or on their way, and not yet in segments. Near its bound producers are made to wait.',
  },
  firn_served_partitions: {
    kind: 'gauge',
    unit: 'partitions',
    labels: [],
    help: 'Partitions that this broker leads and serves.',
  },
  firn_log_events_total: {
    kind: 'counter',
    unit: 'events',
    labels: ['event'],
    help: 'What the log of this broker has met, by kind: takeovers, hand-overs, deaths of sessions, segments and checkpoints written, trims, swept slots, producers forgotten before they expired because a partition had too many. Deaths of sessions are rare in a healthy cluster.',
  },
  firn_placement_moves_total: {
    kind: 'counter',
    unit: 'actions',
    labels: ['reason'],
    help: 'Partition groups that this broker has told to go to another broker, by reason: homeless, draining, cordoned, pinned, home, together, balance. One broker of a cluster does it at a time. See placement.md.',
  },
  firn_table_rows_total: {
    kind: 'counter',
    unit: 'rows',
    labels: [],
    help: 'Rows that this broker has written into data files of tables.',
  },
  firn_table_files_total: {
    kind: 'counter',
    unit: 'files',
    labels: [],
    help: 'Data files that this broker has written.',
  },
  firn_table_file_bytes_total: {
    kind: 'counter',
    unit: 'bytes',
    labels: [],
    help: 'Bytes of these data files.',
  },
  firn_table_open_file_bytes: {
    kind: 'gauge',
    unit: 'bytes',
    labels: [],
    help: 'What data files that are not finished yet take in memory.',
  },
  firn_table_commits_total: {
    kind: 'counter',
    unit: 'commits',
    labels: [],
    help: 'Commits with rows that catalogs have applied for the tables which this broker coordinates.',
  },
  firn_table_commit_failures_total: {
    kind: 'counter',
    unit: 'commits',
    labels: ['code'],
    help: 'Times that nothing could be committed, by the reason; what can be tried again is. Each needs a look when it grows.',
  },
  firn_table_worker_failures_total: {
    kind: 'counter',
    unit: 'attempts',
    labels: [],
    help: 'Times that a worker of this broker could not read records or write a data file, and began anew. /status has the last reason.',
  },
  firn_table_unreachable_partitions: {
    kind: 'gauge',
    unit: 'partitions',
    labels: ['topic'],
    help: 'Partitions whose workers cannot be asked: their records wait. One value for each topic with a table, at the broker that coordinates it.',
  },
  firn_table_freshness_seconds: {
    kind: 'gauge',
    unit: 'seconds',
    labels: ['topic'],
    help: 'Age of the newest record that a table has, where newer ones wait; 0: none wait. One value for each topic with a table, at the broker that coordinates it; none while it is not known. Alert when it stays above several commit intervals.',
  },
  firn_table_waiting_records: {
    kind: 'gauge',
    unit: 'records',
    labels: ['topic'],
    help: 'Records that are not in the table yet, of partitions that this broker serves. One value for each topic with a table; none while it is not known.',
  },
  firn_stopped_tables: {
    kind: 'gauge',
    unit: 'tables',
    labels: ['topic', 'code'],
    help: 'One value of 1 for each table that is not filled any more because it is not what it was (dropped, created anew, rolled back, filled by another topic); /status has the sentence. Always needs a person.',
  },
  firn_table_stopped_partitions: {
    kind: 'gauge',
    unit: 'partitions',
    labels: ['topic', 'partition', 'offset', 'code'],
    help: 'One value of 1 for each partition whose table has stopped at a record that cannot become a row, with its offset and the reason; /status has the sentence. Always needs a person.',
  },
  firn_log_lines_total: {
    kind: 'counter',
    unit: 'lines',
    labels: ['level'],
    help: 'Lines written to the log of the process, by level. A growing rate of error lines needs a person.',
  },
} as const satisfies Readonly<Record<string, MetricDeclaration>>;

export type MetricName = keyof typeof metricTable;

/** The metrics of one process of the data plane, or of one test. */
export class Metrics extends MetricRegistry<typeof metricTable> {
  constructor() {
    super(metricTable);
  }
}
