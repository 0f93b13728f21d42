import assert from 'node:assert/strict';
import { test } from 'node:test';
import { sleep } from '../runtime/runtime.ts';
import type { SimulatedProcess } from '../runtime/simulated-process.ts';
import { VirtualTime } from '../runtime/virtual-time.ts';
import { StoreError } from '../store/errors.ts';
import { allFaults, noFaults } from '../store/simulated/faults.ts';
import type { SimulatedStoreFaults } from '../store/simulated/faults.ts';
import { localLatencies } from '../store/simulated/latency.ts';
import { SimulatedStore } from '../store/simulated/simulated-store.ts';
import { markDead, mintSid, registerBroker } from './broker-changes.ts';
import { ChangeRefused } from './change-refused.ts';
import { ClusterClient } from './cluster-client.ts';
import type { Change, ChangeOutcome } from './change-batch.ts';
import { decodeClusterState } from './cluster-codec.ts';
import { registrationOf } from './cluster-fixture.ts';
import { clusterKey } from './cluster-state.ts';
import type { ClusterState } from './cluster-state.ts';
import { ClusterError } from './errors.ts';
import { mintHexId } from './new-cluster.ts';
import { isDeadSid } from './ownership.ts';
import { createTopic, deleteTopic } from './topic-changes.ts';

/**
 * Brokers that come, go, kill one another and take one another's ids while all of them create and delete the same topics
 * through a store that loses answers, lands writes late and doubles them. Checked after every write: what no later state
 * may take back. Checked at the end: what every caller was told, against what was written.
 */
class Scenario {
  readonly time: VirtualTime;
  readonly server: SimulatedStore;
  readonly history: ClusterState[] = [];
  readonly created = new Calls();
  readonly deleted = new Calls();
  readonly counts = { restarts: 0, mints: 0, verdicts: 0, unknown: 0, refused: 0 };
  readonly #deadSids = new Set<string>();

  constructor(seed: number, faults: SimulatedStoreFaults) {
    this.time = new VirtualTime({ seed });
    this.server = new SimulatedStore({
      environment: this.time.environment,
      latencies: localLatencies,
      faults,
    });
    this.server.onApply(({ key, result }) => {
      if (key === clusterKey && result === 'written') this.#check();
    });
  }

  #check(): void {
    const before = this.history.at(-1);
    const state = decodeClusterState(this.server.peek(clusterKey)?.bytes ?? Buffer.alloc(0), clusterKey);
    this.history.push(state);
    assert.equal(state.version, (before?.version ?? 0) + 1, 'every write is built upon the one before');
    if (before === undefined) return;
    assert.equal(state.clusterId, before.clusterId);
    assert.deepEqual(state.zones.slice(0, before.zones.length), before.zones);
    for (const { sid } of before.brokers.values()) if (isDeadSid(state, sid)) this.#deadSids.add(sid);
    for (const { sid, state: its } of state.brokers.values()) {
      assert(its === 'dead' || !this.#deadSids.has(sid), `session ${sid} lives again`);
    }
    for (const [group, { generation, broker }] of state.assignments) {
      const was = before.assignments.get(group);
      if (was === undefined) continue;
      const sameOwner: boolean =
        was.broker === broker && before.brokers.get(broker)?.sid === state.brokers.get(broker)?.sid;
      assert.equal(generation, was.generation + (sameOwner ? 0 : 1), `generation of ${group}`);
    }
    for (const topicId of idsOf(state)) if (!idsOf(before).has(topicId)) this.created.wrote(topicId);
    for (const topicId of state.deletedTopics.keys()) {
      if (!before.deletedTopics.has(topicId)) this.deleted.wrote(topicId);
    }
  }

  /** A machine: whenever its process ends, another one is started under the same broker id. */
  async machine(id: number, rounds: number): Promise<void> {
    for (let round = 0; round < rounds;) {
      const process = this.time.process(`broker-${id}`);
      if (this.time.random.chance(0.3)) {
        process.atCrossing(1 + this.time.random.below(120), () => {
          if (this.time.random.chance(0.5)) process.kill();
          else process.pause(this.time.random.below(20_000));
        });
      }
      const killed = new Promise<number>((resolve) => {
        // As an event of its own: the killed process may have had the last one there was.
        process.onKilled(() => {
          this.time.environment.after(0, () => {
            resolve(3);
          });
        });
      });
      round += await Promise.race([this.#broker(id, process, rounds - round), killed]);
      this.counts.restarts += 1;
    }
  }

  /** Runs until its id is taken, or its rounds are over. Returns how many of them it has made. */
  async #broker(id: number, process: SimulatedProcess, rounds: number): Promise<number> {
    const { runtime, random } = process;
    const client = new ClusterClient({
      store: this.server.connect(process, { attemptTimeoutMs: 1_000 }),
      runtime,
      sid: mintHexId(runtime.random),
    });
    const running = client.run();
    const zone = `zone-${id % 2}`;
    const joined = await this.#attempt(client, (state) =>
      registerBroker(state, registrationOf(id, zone, client.sid)),
    );
    let made = 0;
    for (; joined?.kind === 'applied' && made < rounds; made += 1) {
      await sleep(runtime, random.fraction() * 300);
      const outcome = await this.#round(client, id, process);
      if (outcome === 'exit') break;
    }
    await client.stop();
    await running;
    return made + 1;
  }

  async #round(
    client: ClusterClient,
    id: number,
    { random, runtime }: SimulatedProcess,
  ): Promise<'exit' | 'go on'> {
    const name = `topic-${random.below(4)}`;
    const known = client.current?.topics.get(name);
    let outcome: ChangeOutcome | undefined;
    if (random.chance(0.1)) {
      const victim = random.below(5) + 1;
      const sid = client.current?.brokers.get(victim)?.sid ?? '';
      const verdict = { id: victim, sid, by: { id, sid: client.sid }, evidence: 'gone' as const };
      outcome = await this.#attempt(client, (state) => markDead(state, verdict));
      if (outcome?.kind === 'applied') this.counts.verdicts += 1;
    } else if (known !== undefined && random.chance(0.4)) {
      outcome = await this.#call(client, this.deleted, known.topicId, (state) =>
        state.topics.get(name)?.topicId === known.topicId
          ? deleteTopic(state, name)
          : new ChangeRefused('UNKNOWN_TOPIC', 'another one has deleted it'),
      );
    } else {
      const topic = { name, topicId: mintHexId(runtime.random), partitions: 2, internal: false, configs: {} };
      outcome = await this.#call(client, this.created, topic.topicId, (state) => createTopic(state, topic));
    }
    if (outcome?.kind === 'refused') {
      this.counts.refused += 1;
      if (outcome.refused.reason === 'SESSION_REPLACED' && !client.current?.brokers.has(id)) return 'exit';
      const sid = client.current?.brokers.get(id)?.sid;
      if (sid !== client.sid) return 'exit';
      if (client.current !== undefined && isDeadSid(client.current, sid)) {
        const newSid = mintHexId(runtime.random);
        const deadSid = client.sid;
        const mint = await this.#attempt(client, (state) => mintSid(state, { id, deadSid, newSid }), newSid);
        if (mint?.kind === 'applied') this.counts.mints += 1;
        if (mint?.kind !== 'applied') return 'exit';
      }
    }
    return outcome === undefined && client.current?.brokers.get(id)?.sid !== client.sid ? 'exit' : 'go on';
  }

  async #call(
    client: ClusterClient,
    calls: Calls,
    topicId: string,
    change: Change,
  ): Promise<ChangeOutcome | undefined> {
    const call = calls.begin(topicId);
    const outcome = await this.#attempt(client, change);
    if (outcome !== undefined) call.told = outcome.kind;
    return outcome;
  }

  /** `undefined`: it was not found out whether the change was made. */
  async #attempt(
    client: ClusterClient,
    change: Change,
    newSession?: string,
  ): Promise<ChangeOutcome | undefined> {
    try {
      return await client.change(change, { newSession });
    } catch (error) {
      assert(
        (error instanceof ClusterError && error.code === 'OUTCOME_UNKNOWN') ||
          (error instanceof StoreError && !error.retriable) ||
          (error instanceof StoreError && error.landed === 'maybe'),
        error as Error,
      );
      this.counts.unknown += 1;
      return undefined;
    }
  }
}

interface Call {
  told: ChangeOutcome['kind'] | 'nothing';
}

/** What callers were told about topics, and what was written. */
class Calls {
  readonly #calls = new Map<string, Call[]>();
  readonly #writes = new Map<string, number>();

  begin(topicId: string): Call {
    const call: Call = { told: 'nothing' };
    this.#calls.set(topicId, [...(this.#calls.get(topicId) ?? []), call]);
    return call;
  }

  wrote(topicId: string): void {
    this.#writes.set(topicId, (this.#writes.get(topicId) ?? 0) + 1);
  }

  /** Returns how many were applied. */
  check(what: string): number {
    let applied = 0;
    for (const [topicId, calls] of this.#calls) {
      const writes = this.#writes.get(topicId) ?? 0;
      const told = (kind: Call['told']): number => calls.filter((call) => call.told === kind).length;
      assert(writes <= 1, `${topicId} was ${what} ${writes} times`);
      assert(told('applied') <= writes, `${topicId} was said to be ${what}, but it was not`);
      assert(
        writes <= told('applied') + told('nothing'),
        `${topicId} was ${what} although everybody was refused: ${JSON.stringify(calls)}`,
      );
      applied += told('applied');
    }
    return applied;
  }
}

function idsOf(state: ClusterState): Set<string> {
  return new Set([
    ...Array.from(state.topics.values(), ({ topicId }) => topicId),
    ...state.deletedTopics.keys(),
  ]);
}

async function simulate(seed: number, faults: SimulatedStoreFaults): Promise<Record<string, number>> {
  const scenario = new Scenario(seed, faults);
  // Two machines believe that they are broker 5.
  await scenario.time.drive(() => Promise.all([1, 2, 3, 4, 5, 5].map((id) => scenario.machine(id, 12))));
  await scenario.time.untilIdle();
  const { lateLandings, duplicates, ownConditionFailed } = scenario.server.counters;
  return {
    ...scenario.counts,
    writes: scenario.history.length,
    created: scenario.created.check('created'),
    deleted: scenario.deleted.check('deleted'),
    lateLandings,
    duplicates,
    ownConditionFailed,
  };
}

async function sumOver(seeds: number, faults: SimulatedStoreFaults): Promise<Record<string, number>> {
  const sums: Record<string, number> = {};
  for (let seed = 1; seed <= seeds; seed += 1) {
    for (const [name, count] of Object.entries(await simulate(seed, faults)))
      sums[name] = (sums[name] ?? 0) + count;
  }
  return sums;
}

const stormy: SimulatedStoreFaults = {
  ...allFaults,
  answerLost: 0.06,
  requestLost: 0.03,
  lateLanding: 0.06,
  duplicate: 0.05,
  errorWithEffect: 0.03,
  landsLateMs: { min: 5, max: 60_000 },
};

test('in a storm every caller is told the truth, and nothing is ever taken back', async () => {
  const sums = await sumOver(40, stormy);
  const enough = {
    created: 400,
    deleted: 100,
    refused: 300,
    mints: 30,
    verdicts: 50,
    restarts: 100,
    lateLandings: 100,
  };
  for (const [name, least] of Object.entries(enough))
    assert((sums[name] ?? 0) >= least, JSON.stringify(sums));
});

test('in calm weather too, and there nothing stays unknown but to those whose id was taken', async () => {
  const sums = await sumOver(20, noFaults);
  assert((sums['created'] ?? 0) >= 200, JSON.stringify(sums));
});
