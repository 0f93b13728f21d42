import type { ClusterState } from '../../cluster/cluster-state.ts';
import type { Manifest } from '../format/manifest.ts';
import { retentionLimits } from '../retention.ts';
import type { PartitionHistory } from './partition-history.ts';

/**
 * Why log starts move: somebody asked for it by DeleteRecords, or the topic's retention allows it. Nothing else may take
 * acknowledged records out of the log.
 */
export class RetentionAudit {
  /** By partition: the highest offset up to which records were asked to be deleted. */
  readonly #asked = new Map<string, number>();
  /** False: clocks of processes jump, so that any record may have been old enough for somebody. */
  readonly #clocksCanBeTrusted: boolean;

  constructor(clocksCanBeTrusted: boolean) {
    this.#clocksCanBeTrusted = clocksCanBeTrusted;
  }

  /** A client is about to ask that records below `offset` be deleted. */
  asks(history: PartitionHistory, offset: number): void {
    this.#asked.set(history.name, Math.max(offset, this.#asked.get(history.name) ?? 0));
  }

  /** What is wrong with the log start of a partition having moved, or `undefined`. */
  problem(
    history: PartitionHistory,
    { topicId }: Manifest,
    before: number,
    logStart: number,
    cluster: ClusterState | undefined,
    wallMs: number,
  ): string | undefined {
    if (logStart <= (this.#asked.get(history.name) ?? 0)) return undefined;
    const topic = [...(cluster?.topics.values() ?? [])].find((entry) => entry.topicId === topicId);
    // A deleted topic loses everything.
    if (topic === undefined) return undefined;
    const { retentionMs, retentionBytes } = retentionLimits(topic.configs, cluster?.configs ?? {});
    const newest = history.newestGone(before, logStart, retentionBytes < 0 ? Infinity : retentionBytes);
    if (newest === undefined) return undefined;
    if (retentionMs >= 0 && (!this.#clocksCanBeTrusted || wallMs - newest > retentionMs)) return undefined;
    return (
      `the log start moved to ${logStart}, below which the newest record is ${wallMs - newest} ms old ` +
      `(retention.ms=${retentionMs}, retention.bytes=${retentionBytes}), and nobody asked for it`
    );
  }
}
