import { latencySecondsBuckets } from '../dataplane/runtime/metric-declaration.ts';
import type { MetricDeclaration } from '../dataplane/runtime/metric-declaration.ts';
import { MetricRegistry } from '../dataplane/runtime/metric-registry.ts';
import { metricTable } from '../dataplane/runtime/metrics.ts';

/**
 * Every metric of the operator's process. Where the meaning is the same as in operators made with controller-runtime the
 * name is too, so that their dashboards and alerts work; the others begin with `firn_`.
 */
export const operatorMetricTable = {
  controller_runtime_reconcile_total: {
    kind: 'counter',
    unit: 'runs',
    labels: ['controller', 'result'],
    help: 'Reconciliations that ended, by controller and result: success, error, requeue (somebody else changed the object), requeue_after.',
  },
  controller_runtime_reconcile_errors_total: {
    kind: 'counter',
    unit: 'runs',
    labels: ['controller'],
    help: 'Reconciliations that failed. Alert on a rate that stays.',
  },
  controller_runtime_reconcile_time_seconds: {
    kind: 'histogram',
    unit: 'seconds',
    labels: ['controller'],
    buckets: latencySecondsBuckets,
    help: 'How long reconciliations took.',
  },
  controller_runtime_active_workers: {
    kind: 'gauge',
    unit: 'runs',
    labels: ['controller'],
    help: 'Reconciliations under way.',
  },
  controller_runtime_max_concurrent_reconciles: {
    kind: 'gauge',
    unit: 'runs',
    labels: ['controller'],
    help: 'How many reconciliations may be under way at a time.',
  },
  workqueue_depth: {
    kind: 'gauge',
    unit: 'keys',
    labels: ['name', 'priority'],
    help: 'Objects that wait for a reconciliation, by priority: high (they changed), low (they are looked at once more).',
  },
  workqueue_adds_total: {
    kind: 'counter',
    unit: 'keys',
    labels: ['name'],
    help: 'Times that an object was put into the queue; one that waits already is not counted again.',
  },
  workqueue_retries_total: {
    kind: 'counter',
    unit: 'keys',
    labels: ['name'],
    help: 'Times that an object was put into the queue again because its reconciliation failed or was overtaken.',
  },
  workqueue_queue_duration_seconds: {
    kind: 'histogram',
    unit: 'seconds',
    labels: ['name'],
    buckets: latencySecondsBuckets,
    help: 'How long objects waited in the queue; time of backing off does not count.',
  },
  workqueue_work_duration_seconds: {
    kind: 'histogram',
    unit: 'seconds',
    labels: ['name'],
    buckets: latencySecondsBuckets,
    help: 'How long the work on an object took.',
  },
  workqueue_unfinished_work_seconds: {
    kind: 'gauge',
    unit: 'seconds',
    labels: ['name'],
    help: 'The ages of all work under way, added up. Growth without end means that workers are stuck.',
  },
  workqueue_longest_running_processor_seconds: {
    kind: 'gauge',
    unit: 'seconds',
    labels: ['name'],
    help: 'The age of the oldest work under way.',
  },
  rest_client_requests_total: {
    kind: 'counter',
    unit: 'requests',
    labels: ['code', 'method', 'host'],
    help: 'Requests to the API server, by HTTP status (<error>: no answer), method and host.',
  },
  leader_election_master_status: {
    kind: 'gauge',
    unit: 'leaders',
    labels: ['name'],
    help: '1 where this process holds the lease, 0 where it stands by. Over all pods the sum should be 1.',
  },
  firn_watch_staleness_seconds: {
    kind: 'gauge',
    unit: 'seconds',
    labels: ['resource'],
    help: 'How long ago the API server last showed that the cache of a resource is up to date: by a list, an event or a bookmark, which comes once a minute. Alert above 5 minutes: the operator does not see what happens.',
  },
  firn_watch_lists_total: {
    kind: 'counter',
    unit: 'requests',
    labels: ['resource', 'cause'],
    help: 'Times that all objects of a resource were listed, by cause: start, expired (the position was too old), error (the watch said so), silent (several watches brought nothing), audit (regularly).',
  },
  firn_watch_failures_total: {
    kind: 'counter',
    unit: 'requests',
    labels: ['resource', 'reason'],
    help: 'Lists and watches that failed, by reason. Each is tried again for ever.',
  },
  firn_watch_missed_events_total: {
    kind: 'counter',
    unit: 'events',
    labels: ['resource'],
    help: 'Changes that no watch had told of and an audit found. Above 0: a proxy in between, or a bug.',
  },
  firn_watch_duplicate_events_total: {
    kind: 'counter',
    unit: 'events',
    labels: ['resource'],
    help: 'Events that had been told before and were ignored.',
  },
  firn_reconcile_actions_total: {
    kind: 'counter',
    unit: 'actions',
    labels: ['controller', 'action', 'reason'],
    help: 'What reconciliations did, by action and the reason for it. Steady growth while nobody changes anything is a runaway.',
  },
  firn_kubernetes_events_total: {
    kind: 'counter',
    unit: 'events',
    labels: ['result'],
    help: 'Kubernetes events: sent, failed (refused by the API server), dropped (too many waited, or too many of one object).',
  },
  firn_log_lines_total: metricTable.firn_log_lines_total,
} as const satisfies Readonly<Record<string, MetricDeclaration>>;

/** The metrics of one operator process, or of one test. */
export class OperatorMetrics extends MetricRegistry<typeof operatorMetricTable> {
  constructor() {
    super(operatorMetricTable);
  }
}
