import type { Metrics } from '../../runtime/metrics.ts';
import type { TableService } from '../../table/table-service.ts';

/** What the metrics of tables are read from. */
export type TablesRead = Pick<TableService, 'counters' | 'status' | 'openFileBytes'>;

/** The metrics of the tables of one broker, read off at each scrape. */
export class TableMetrics {
  readonly #metrics: Metrics;
  readonly #seen = new Map<string, number>();

  constructor(metrics: Metrics) {
    this.#metrics = metrics;
  }

  update({ counters, status, openFileBytes }: TablesRead): void {
    const metrics = this.#metrics;
    metrics.counter('firn_table_rows_total').inc(this.#growth('rows', counters.rows));
    metrics.counter('firn_table_files_total').inc(this.#growth('files', counters.files));
    metrics.counter('firn_table_file_bytes_total').inc(this.#growth('bytes', counters.fileBytes));
    metrics.counter('firn_table_commits_total').inc(this.#growth('commits', counters.commits));
    metrics
      .counter('firn_table_worker_failures_total')
      .inc(this.#growth('worker failures', counters.workerFailures));
    for (const [code, total] of counters.failures)
      metrics
        .counter('firn_table_commit_failures_total')
        .inc({ code }, this.#growth(`failure ${code}`, total));
    metrics.gauge('firn_table_open_file_bytes').set(openFileBytes);
    const freshness = metrics.gauge('firn_table_freshness_seconds');
    const waiting = metrics.gauge('firn_table_waiting_records');
    const stopped = metrics.gauge('firn_table_stopped_partitions');
    const unreachable = metrics.gauge('firn_table_unreachable_partitions');
    const stoppedTables = metrics.gauge('firn_stopped_tables');
    // Tables and problems that are gone leave no value behind.
    for (const gauge of [freshness, waiting, unreachable, stopped, stoppedTables]) gauge.reset();
    for (const { topic, coordinator, partitions } of status) {
      const ages = partitions.map(({ freshnessMs }) => freshnessMs ?? Infinity);
      const age = Math.max(0, ...ages);
      if (coordinator !== undefined && age < Infinity) freshness.set({ topic }, age / 1000);
      if (coordinator !== undefined)
        unreachable.set({ topic }, partitions.filter(({ state }) => state === 'unreachable').length);
      const lags = partitions.flatMap(({ lagRecords }) => lagRecords ?? []);
      if (lags.length > 0)
        waiting.set(
          { topic },
          lags.reduce((sum, lag) => sum + lag, 0),
        );
      if (coordinator?.phase === 'stopped' && coordinator.lastError !== undefined)
        stoppedTables.set({ topic, code: coordinator.lastError.code }, 1);
      for (const { partition, problem } of partitions) {
        if (problem === undefined) continue;
        const { offset, code } = problem;
        stopped.set({ topic, partition: String(partition), offset: String(offset), code }, 1);
      }
    }
  }

  #growth(what: string, total: number): number {
    const before = this.#seen.get(what) ?? 0;
    this.#seen.set(what, total);
    return total - before;
  }
}
