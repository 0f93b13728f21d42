import { VirtualTime } from '../../dataplane/runtime/virtual-time.ts';
import type { SimulatedProcess } from '../../dataplane/runtime/simulated-process.ts';
import { s3Latencies } from '../../dataplane/store/simulated/latency.ts';
import { SimulatedStore, latencyOnly } from '../../dataplane/store/simulated/simulated-store.ts';
import type { LogOptions } from '../../dataplane/log/options.ts';
import { BenchBroker } from './broker.ts';

/** Brokers in virtual time over a store with the latencies of S3 (PUT: p50 30 ms, p99 120 ms) and no faults. */
export class SimulatedS3 {
  readonly time: VirtualTime;
  readonly store: SimulatedStore;

  constructor(seed: number) {
    this.time = new VirtualTime({ seed });
    this.store = new SimulatedStore({
      environment: this.time.environment,
      seed,
      latencies: s3Latencies,
      ...latencyOnly,
    });
  }

  async startBroker(
    id: number,
    options: Partial<LogOptions> = {},
  ): Promise<{ readonly broker: BenchBroker; readonly process: SimulatedProcess }> {
    const process = this.time.process(`broker-${id}`);
    const broker = new BenchBroker({
      id,
      store: this.store.connect(process),
      runtime: process.runtime,
      options,
    });
    await this.time.drive(() => broker.log.start());
    return { broker, process };
  }

  async until(what: string, limitMs: number, condition: () => boolean): Promise<void> {
    const { reason } = await this.time.run({ until: condition, untilMs: this.time.nowMs + limitMs });
    if (reason !== 'until') throw new Error(`after ${limitMs} virtual ms it is still not so that ${what}`);
  }
}
