import type { Configs, TopicEntry } from '../cluster/cluster-state.ts';
import type { Metrics } from '../runtime/metrics.ts';
import { topicSettings } from './topic-settings.ts';

/** Why record bytes travel. */
type Reason = 'produce' | 'fetch';

interface Labelled {
  inc(bytes: number): void;
}

/** Clients of which nobody knows where they are. */
const unknownZone = 'unknown';

/**
 * Counts the bytes of records between clients and this broker by zones: what crosses zones is what cloud providers bill.
 * The zones are those of the cluster, so there are few labels.
 */
export class ZoneBytes {
  readonly #metrics: Metrics;
  readonly #zone: string;
  readonly #labelled = new Map<string, Labelled>();

  /** @param zone of this broker */
  constructor(metrics: Metrics, zone: string) {
    this.#metrics = metrics;
    this.#zone = zone;
  }

  /**
   * @param clientZone as of `ClientZones`
   * @param cluster `ClusterState.configs`
   */
  count(
    reason: Reason,
    clientZone: string | undefined,
    { configs }: TopicEntry,
    cluster: Configs,
    bytes: number,
  ): void {
    const isTable = topicSettings(configs, cluster).isTable;
    const client = clientZone ?? unknownZone;
    const key = `${reason}/${isTable}/${client}`;
    let labelled = this.#labelled.get(key);
    if (labelled === undefined) {
      const [from, to] = reason === 'produce' ? [client, this.#zone] : [this.#zone, client];
      labelled = this.#metrics
        .counter('firn_zone_bytes_total')
        .labels({ from, to, reason, table: String(isTable) });
      this.#labelled.set(key, labelled);
    }
    labelled.inc(bytes);
  }
}
