import { spawn } from 'node:child_process';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { installRealPart } from '../tools/real-part.ts';
import type { HistoryEvent } from './history-check.ts';

export interface WorkloadOptions {
  /** `host:port`, several separated by commas. */
  readonly bootstrap: string;
  readonly topic: string;
  readonly partitions: number;
  /** librdkafka as it comes; else with time-outs that notice sooner that a broker is gone. */
  readonly clientDefaults?: boolean | undefined;
}

/** Producers and consumers of librdkafka at work (`workload.py`); what they did so far. */
export class Workload {
  readonly events: HistoryEvent[] = [];
  readonly ended: Promise<void>;
  readonly #counts = new Map<string, number>();
  readonly #acknowledged: number[];
  readonly #stop: () => void;

  private constructor(python: string, options: WorkloadOptions) {
    const { bootstrap, topic, partitions, clientDefaults = false } = options;
    const program = path.join(import.meta.dirname, 'workload.py');
    const settings = clientDefaults ? 'defaults' : 'impatient';
    const child = spawn(python, [program, bootstrap, topic, String(partitions), settings], {
      stdio: ['pipe', 'pipe', 'ignore'],
    });
    this.#acknowledged = Array.from({ length: partitions }, () => 0);
    createInterface({ input: child.stdout }).on('line', (line) => {
      this.#note(JSON.parse(line) as HistoryEvent);
    });
    this.ended = new Promise((resolve) => child.once('close', () => resolve()));
    this.#stop = () => {
      child.stdin.end('STOP\n');
    };
  }

  static async start(options: WorkloadOptions): Promise<Workload> {
    return new Workload(await installRealPart('pythonClients'), options);
  }

  count(what: string): number {
    return this.#counts.get(what) ?? 0;
  }

  /** Resolves when so many more records have been acknowledged, some in each partition, and read, and offsets committed. */
  async progress(records: number): Promise<void> {
    const before = {
      records: this.#acknowledged.slice(),
      read: this.count('read'),
      committed: this.count('committed'),
    };
    const isDone = (): boolean => {
      const more = this.#acknowledged.map((count, partition) => count - (before.records[partition] ?? 0));
      return (
        more.every((count) => count > 0) &&
        more.reduce((sum, count) => sum + count, 0) >= records &&
        this.count('read') >= before.read + records &&
        this.count('committed') >= before.committed + 3
      );
    };
    while (!isDone()) await sleep(50);
  }

  /** Lets the producers end and everything be read back. */
  async finish(): Promise<void> {
    this.#stop();
    await this.ended;
  }

  #note(event: HistoryEvent): void {
    const { what, partition = -1 } = event;
    this.events.push(event);
    this.#counts.set(what, this.count(what) + 1);
    const acknowledged = this.#acknowledged[partition];
    if (what === 'acked' && acknowledged !== undefined) this.#acknowledged[partition] = acknowledged + 1;
  }
}
