/** A broker dies with much that is in no segment; another one takes over, over a simulated S3 in virtual time. */
import { markDead } from '../../dataplane/cluster/broker-changes.ts';
import { LogError } from '../../dataplane/log/errors.ts';
import { sleep } from '../../dataplane/runtime/runtime.ts';
import type { Figures } from '../harness.ts';
import type { BenchBroker } from './broker.ts';
import { BatchSource, mib, topicIdOf } from './broker.ts';
import { SimulatedS3 } from './simulated.ts';

export interface TakeoverPlan {
  readonly topics: number;
  readonly partitionsPerTopic: number;
  readonly unflushedBytes: number;
  readonly batchBytes: number;
  /** So many partitions somebody produces to from the start; the others wait until they are served. */
  readonly askedFor: number;
}

export async function takeover(plan: TakeoverPlan): Promise<Figures> {
  const { topics, partitionsPerTopic, unflushedBytes, batchBytes, askedFor } = plan;
  const world = new SimulatedS3(1);
  const { time, store } = world;
  // Alone at first, so that it gets all groups; its bound is out of the way, so that nothing is flushed.
  const first = await world.startBroker(0, { maxUnflushedBytes: 4 * unflushedBytes + mib });
  const topicIds = Array.from({ length: topics }, (_, index) => topicIdOf(1_000 + index));
  await time.drive(() => first.broker.createTopics(topicIds, partitionsPerTopic));
  await eventually('the first broker serves everything', everythingServed(first.broker));
  const second = await world.startBroker(1);

  const source = new BatchSource(1, batchBytes - 80);
  const appends = Math.floor(unflushedBytes / source.sizeBytes);
  let acknowledged = 0;
  for (let i = 0; i < appends; i++) {
    // 10 MiB/s.
    const atMs = (i * source.sizeBytes * 1000) / (10 * mib);
    time.environment.after(atMs, () => {
      const index = i % (topics * partitionsPerTopic);
      const topicId = topicIds[Math.floor(index / partitionsPerTopic)] ?? '';
      first.broker.log.append(topicId, index % partitionsPerTopic, source.next()).then(
        () => {
          acknowledged += 1;
        },
        (error: unknown) => {
          time.fail(error);
        },
      );
    });
  }
  await eventually('everything is acknowledged', () => acknowledged === appends);
  const deadSid = first.broker.log.sid ?? '';
  first.process.kill();

  const startMs = time.nowMs;
  const startCpu = process.cpuUsage();
  const putsInSecond = new Map<number, number>();
  store.onRequest(({ operation, atMs }) => {
    if (operation !== 'put') return;
    const second_ = Math.floor((atMs - startMs) / 1000);
    putsInSecond.set(second_, (putsInSecond.get(second_) ?? 0) + 1);
  });
  const { log } = second.broker;
  const verdict = log.cluster.change((state) =>
    markDead(state, { id: 0, sid: deadSid, by: { id: 1, sid: log.sid ?? '' }, evidence: 'gone' }),
  );
  let served = 0;
  const askedMs: number[] = [];
  const ask = async (index: number): Promise<void> => {
    const topicId = topicIds[Math.floor(index / partitionsPerTopic)] ?? '';
    for (;;) {
      try {
        await log.append(topicId, index % partitionsPerTopic, source.next());
        askedMs.push(time.nowMs - startMs);
        served += 1;
        return;
      } catch (error) {
        if (!(error instanceof LogError) || error.code !== 'NOT_LEADER_OR_FOLLOWER') throw error;
      }
      // A producer asks for new metadata and tries again.
      await sleep(time.environment, 100);
    }
  };
  const stride = Math.max(1, Math.floor((topics * partitionsPerTopic) / askedFor));
  for (let i = 0; i < askedFor; i++) {
    // From the end, where nobody gets by luck first.
    ask(topics * partitionsPerTopic - 1 - i * stride).catch((error: unknown) => {
      time.fail(error);
    });
  }
  await time.drive(() => verdict);
  const verdictMs = time.nowMs - startMs;
  await eventually('the second broker serves everything', everythingServed(second.broker));
  const allMs = time.nowMs - startMs;
  const { user, system } = process.cpuUsage(startCpu);
  await eventually('those who asked are served', () => served === askedFor);
  // And once more of everything that was to be flushed meanwhile.
  await time.run({ untilMs: time.nowMs + 10_000 });
  second.broker.check();
  await log.stop();
  return {
    takeoverMs: allMs,
    verdictMs,
    slowestAskedMs: Math.max(...askedMs),
    cpuMs: (user + system) / 1000,
    mostPutsInASecond: Math.max(0, ...putsInSecond.values()),
  };

  /** Remembers what is served already: nothing is taken away here. */
  function everythingServed(broker: BenchBroker): () => boolean {
    let known = 0;
    return () => {
      while (known < topicIds.length && broker.serves(topicIds[known] ?? '', partitionsPerTopic)) known += 1;
      return known === topicIds.length;
    };
  }

  async function eventually(what: string, condition: () => boolean): Promise<void> {
    // Checked every 10 ms: the condition looks at thousands of partitions.
    for (let waitedMs = 0; !condition(); waitedMs += 10) {
      if (waitedMs > 600_000) throw new Error(`after 10 virtual minutes it is still not so that ${what}`);
      await time.run({ untilMs: time.nowMs + 10 });
    }
  }
}
