import assert from 'node:assert/strict';
import { test } from 'node:test';
import { metricProblems } from '../dataplane/runtime/metric-declaration.ts';
import type { MetricDeclaration } from '../dataplane/runtime/metric-declaration.ts';
import { OperatorMetrics, operatorMetricTable } from './metrics.ts';

/** Of controller-runtime and client-go. */
const foreignNames = [
  'controller_runtime_active_workers',
  'controller_runtime_max_concurrent_reconciles',
  'controller_runtime_reconcile_errors_total',
  'controller_runtime_reconcile_time_seconds',
  'controller_runtime_reconcile_total',
  'leader_election_master_status',
  'rest_client_requests_total',
  'workqueue_adds_total',
  'workqueue_depth',
  'workqueue_longest_running_processor_seconds',
  'workqueue_queue_duration_seconds',
  'workqueue_retries_total',
  'workqueue_unfinished_work_seconds',
  'workqueue_work_duration_seconds',
];

test('metrics have names by our rules, or those that dashboards of other operators know', () => {
  const entries = Object.entries(operatorMetricTable) as [string, MetricDeclaration][];
  const foreign = entries.map(([name]) => name).filter((name) => !name.startsWith('firn_'));
  assert.deepEqual(foreign.toSorted(), foreignNames);
  for (const [name, declaration] of entries) {
    if (name.startsWith('firn_')) assert.deepEqual(metricProblems(name, declaration), [], name);
    assert.match(declaration.help, /^[A-Z0-9].*\.$/s, name);
  }
});

test('values that follow from the clock are set when they are read', async () => {
  const metrics = new OperatorMetrics();
  let age = 0;
  metrics.beforeExpose(() => metrics.gauge('firn_watch_staleness_seconds').set({ resource: 'pods' }, ++age));
  assert.match(await metrics.expose(), /^firn_watch_staleness_seconds\{resource="pods"\} 1$/m);
  assert.match(await metrics.expose(), /^firn_watch_staleness_seconds\{resource="pods"\} 2$/m);
});
