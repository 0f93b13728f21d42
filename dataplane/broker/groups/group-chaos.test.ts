import assert from 'node:assert/strict';
import { test } from 'node:test';
import { inBackground } from '../../runtime/in-background.ts';
import { ChaosHistory, ClassicChaosClient, ConsumerChaosClient } from './chaos-fixture.ts';
import type { ChaosClient } from './chaos-fixture.ts';
import type { ConsumerGroup } from './consumer/consumer-group.ts';
import { ClassicClient, GroupWorld, topicView } from './group-fixture.ts';

const groupIds = ['classic', 'modern', 'mixed'] as const;
const partitions = [0, 1, 2, 3, 4, 5];
const chaosMs = 120_000;
const calmMs = 150_000;

/** No partition belongs to two members, and nobody is assigned what does not exist: of the state of who coordinates. */
function checkState(world: GroupWorld, violations: string[]): void {
  for (const groupId of groupIds) {
    const owner = world.ownerOf(groupId);
    if (owner === undefined) continue;
    for (const shard of owner.coordinator.shards) {
      const group = shard.phase === 'active' ? shard.groups.get(groupId) : undefined;
      if (group?.type === 'consumer') checkDisjoint(group, violations);
    }
  }
}

function checkDisjoint(group: ConsumerGroup, violations: string[]): void {
  const owners = new Map<string, string>();
  for (const { memberId, assigned, pendingRevocation } of group.members.values()) {
    for (const topics of [assigned, pendingRevocation]) {
      for (const [topicId, epochs] of topics) {
        for (const partition of epochs.keys()) {
          const key = `${topicId}/${partition}`;
          const other = owners.get(key);
          if (other !== undefined)
            violations.push(`${group.groupId}: ${key} belongs to ${other} and ${memberId}`);
          owners.set(key, memberId);
        }
      }
    }
  }
}

async function runSeed(seed: number): Promise<ChaosHistory> {
  const world = new GroupWorld({
    seed,
    brokers: 2,
    partitions: 2,
    topics: [topicView('topic', partitions.length)],
    options: {
      initialRebalanceDelayMs: 200,
      snapshotMinBytes: 6_000,
      snapshotBatchBytes: 700,
      loadRetryMs: 100,
    },
  });
  const { random } = world.time;
  const history = new ChaosHistory();
  const clients: ChaosClient[] = [];
  let names = 0;
  let calm = false;
  const chance = (share: number): boolean => !calm && random.fraction() < share;
  world.faults.latencyMs = () => (chance(0.02) ? 2_000 : 5) * random.fraction();
  world.faults.append = () => {
    if (!chance(0.01)) return 'durable';
    const what = random.fraction();
    if (what < 0.2) return 'refused';
    return what < 0.6 ? 'lost' : 'unknown';
  };
  world.time.onStep(() => {
    checkState(world, history.violations);
    if (history.violations.length > 0) world.time.fail(new Error(history.violations.join('\n')));
  });

  const startClient = (groupId: (typeof groupIds)[number], instanceId?: string): void => {
    const speaksClassic = groupId === 'classic' || (groupId === 'mixed' && random.fraction() < 0.5);
    const options = { world, history, groupId, name: `c${names++}`, seed, instanceId };
    const client = speaksClassic ? new ClassicChaosClient(options) : new ConsumerChaosClient(options);
    clients.push(client);
    inBackground(client.run());
  };
  const fetchNow = async (groupId: string): Promise<void> => {
    const reader = new ClassicClient(world, groupId);
    if (chance(0.3)) reader.broker = random.fraction() < 0.5 ? 0 : 1;
    const partition = Math.floor(random.fraction() * partitions.length);
    const check = history.fetching(groupId, partition);
    const offset = await reader.fetch('topic', partition);
    if (typeof offset === 'number') check(offset);
  };
  const disturb = async (): Promise<void> => {
    const groupId = groupIds[Math.floor(random.fraction() * groupIds.length)] ?? 'mixed';
    const mine = clients.filter((client) => client.groupId === groupId);
    const what = random.fraction();
    if (what < 0.15 && mine.length < 5) startClient(groupId);
    else if (what < 0.27 && mine.length > 1) {
      const [victim] = mine.splice(Math.floor(random.fraction() * mine.length), 1);
      if (victim === undefined) return;
      clients.splice(clients.indexOf(victim), 1);
      victim.stop(random.fraction() < 0.5);
    } else if (what < 0.37) {
      // A takeover: the old owner goes on for a while without knowing.
      const partition = random.fraction() < 0.5 ? 0 : 1;
      const before = world.store.ownerOf(partition);
      const next = world.brokers.find(({ log }) => log !== before);
      if (next === undefined) return;
      world.move(partition, next);
      await world.wait(random.fraction() * 3_000);
      before?.tellLost(partition);
      if (world.store.ownerOf(partition) === before) before?.tellServing(partition);
    } else await fetchNow(groupId);
  };

  await world.run(async () => {
    await world.wait(100);
    for (const groupId of groupIds) for (let i = 0; i < 3; i++) startClient(groupId);
    while (world.time.nowMs < chaosMs) {
      await world.wait(random.fraction() * 800);
      inBackground(disturb());
    }
    await world.wait(4_000);
    calm = true;
    await world.wait(calmMs);
    for (const groupId of groupIds) {
      const owned = clients
        .filter((client) => client.groupId === groupId)
        .flatMap((client) => [...client.partitions])
        .sort((a, b) => a - b);
      assert.deepEqual(
        owned,
        partitions,
        `seed ${seed}, group ${groupId}: everything belongs to exactly one`,
      );
      for (let i = 0; i < 6; i++) await fetchNow(groupId);
    }
    for (const client of clients) client.stop(false);
    await world.wait(5_000);
  });
  return history;
}

/** More by hand: `CHAOS_SEEDS=400 node --test …`. */
const seeds = Number(process.env['CHAOS_SEEDS'] ?? 25);

test(`groups under takeovers, lost and unknown appends, and members that come and go (${seeds} seeds)`, async () => {
  const total = { commits: 0, fetches: 0, assignments: 0 };
  for (let seed = 1; seed <= seeds; seed++) {
    const { commits, fetches, assignments } = await runSeed(seed);
    total.commits += commits;
    total.fetches += fetches;
    total.assignments += assignments;
  }
  // A simulation in which nothing happens proves nothing.
  assert(total.commits > seeds * 300, `${total.commits} commits`);
  assert(total.fetches > seeds * 100, `${total.fetches} fetches`);
  assert(total.assignments > seeds * 20, `${total.assignments} assignments`);
});
