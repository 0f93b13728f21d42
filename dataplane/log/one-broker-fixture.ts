import { createTopic } from '../cluster/topic-changes.ts';
import { buildBatch } from '../protocol/record-batch-builder.ts';
import type { BatchInput } from '../protocol/record-batch-builder.ts';
import { VirtualTime } from '../runtime/virtual-time.ts';
import { localLatencies } from '../store/simulated/latency.ts';
import { SimulatedStore } from '../store/simulated/simulated-store.ts';
import type { AppendOptions, AppendResult } from './append.ts';
import { BrokerLog } from './broker-log.ts';
import type { LogOptions } from './options.ts';

export const topicId = 'a'.repeat(32);
export const partitions = 20;

export interface OneBroker {
  readonly time: VirtualTime;
  readonly store: SimulatedStore;
  readonly log: BrokerLog;
  readonly problems: unknown[];
  /** Appends one record with a value of this size. */
  readonly append: (sizeBytes: number, partition?: number, call?: AppendCall) => Promise<AppendResult>;
  /** Lets no slot be written until it is called again. */
  readonly holdSlots: () => () => void;
}

export interface AppendCall {
  readonly batch?: Partial<BatchInput>;
  readonly options?: AppendOptions;
  readonly signal?: AbortSignal;
}

/** A broker that serves a topic of twenty partitions, in virtual time; tests of what the log does in memory. */
export async function startBroker(options: Partial<LogOptions>): Promise<OneBroker> {
  const time = new VirtualTime({ seed: 1 });
  const store = new SimulatedStore({ environment: time.environment, latencies: localLatencies });
  const process = time.process('broker');
  const problems: unknown[] = [];
  const log = new BrokerLog({
    store: store.connect(process, { attemptTimeoutMs: 200 }),
    runtime: process.runtime,
    identity: { id: 1, zone: 'a', address: 'a:1', listeners: {}, podUid: 'pod', version: 'test' },
    options: { hedgeShare: 0, housekeepingIntervalMs: 1_000, ...options },
    onProblem: (_what, error) => problems.push(error),
    onReplaced: (error) => problems.push(error),
  });
  await time.drive(() => log.start());
  await time.drive(() =>
    log.cluster.change((state) =>
      createTopic(state, { name: 't', topicId, partitions, internal: false, configs: {} }),
    ),
  );
  const isServed = (): boolean =>
    Array.from({ length: partitions }, (_, index) => log.log?.served(topicId, index)).every(Boolean);
  await time.run({ until: isServed, untilMs: 60_000 });
  const append: OneBroker['append'] = (sizeBytes, partition = 0, call = {}) =>
    log.append(
      topicId,
      partition,
      buildBatch({ records: [{ value: Buffer.alloc(sizeBytes) }], ...call.batch }),
      call.options,
      call.signal,
    );
  const holdSlots = (): (() => void) => {
    const key = new RegExp(`/${log.sid ?? 'no session'}/[0-9]+$`);
    const stuck = store.intercept({ operation: 'put', key, times: Infinity }, { kind: 'hold' });
    return () => {
      stuck.stop();
      for (const held of stuck.held) held.release();
    };
  };
  return { time, store, log, problems, append, holdSlots };
}
