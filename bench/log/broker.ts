import { BrokerLog } from '../../dataplane/log/broker-log.ts';
import type { LogOptions } from '../../dataplane/log/options.ts';
import type { Runtime } from '../../dataplane/runtime/runtime.ts';
import { placeHomeless } from '../../dataplane/cluster/assign.ts';
import { extendGroups } from '../../dataplane/cluster/partition-groups.ts';
import type { ObjectStore } from '../../dataplane/store/object-store.ts';
import { buildBatch } from '../../dataplane/protocol/record-batch-builder.ts';

export const mib = 1024 * 1024;
export const gib = 1024 * mib;

/** A broker's log that must meet no trouble: a problem is thrown at whoever calls `check`. */
export class BenchBroker {
  readonly log: BrokerLog;
  readonly problems: string[] = [];

  constructor(environment: {
    readonly id: number;
    readonly store: ObjectStore;
    readonly runtime: Runtime;
    readonly options?: Partial<LogOptions> | undefined;
  }) {
    const { id, store, runtime, options } = environment;
    this.log = new BrokerLog({
      store,
      runtime,
      options,
      identity: {
        id,
        zone: 'zone-a',
        address: `127.0.0.1:${9000 + id}`,
        listeners: {},
        podUid: `bench-${id}`,
        version: 'bench',
      },
      onProblem: (what, error) => {
        this.problems.push(`${what}: ${error instanceof Error ? error.message : String(error)}`);
      },
      onReplaced: (error) => {
        this.problems.push(error.message);
      },
    });
  }

  /** Creates topics of the same number of partitions in one change. They are placed all at once: `createTopic` takes long. */
  async createTopics(topicIds: readonly string[], partitions: number): Promise<void> {
    const outcome = await this.log.cluster.change((before) => {
      const topics = new Map(before.topics);
      for (const topicId of topicIds) {
        const groups = extendGroups([], { before: 0, after: partitions }, false);
        topics.set(`t-${topicId}`, { topicId, partitions, groups, internal: false, configs: {} });
      }
      return placeHomeless({ ...before, topics });
    });
    if (outcome.kind === 'refused') throw new Error(outcome.refused.message);
  }

  serves(topicId: string, partitions: number): boolean {
    for (let partition = 0; partition < partitions; partition++)
      if (this.log.log?.served(topicId, partition) === undefined) return false;
    return true;
  }

  check(): void {
    if (this.problems.length > 0)
      throw new Error(`the log met ${this.problems.length} problems, first: ${this.problems[0] ?? ''}`);
  }
}

export function topicIdOf(index: number): string {
  return index.toString(16).padStart(32, '0');
}

/** Makes equal batches, each in memory of its own as it would come from a socket: an append keeps and patches its bytes. */
export class BatchSource {
  readonly #template: Buffer;

  constructor(records: number, valueBytes = 1024) {
    const value = Buffer.alloc(valueBytes, 'firn bench ');
    this.#template = buildBatch({
      records: Array.from({ length: records }, () => ({ value, timestampMs: 1_700_000_000_000 })),
    });
  }

  get sizeBytes(): number {
    return this.#template.byteLength;
  }

  next(): Buffer {
    const bytes = Buffer.allocUnsafeSlow(this.#template.byteLength);
    bytes.set(this.#template);
    return bytes;
  }
}

export function quantile(sorted: readonly number[] | Float64Array, q: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * q))] ?? NaN;
}
