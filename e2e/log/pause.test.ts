import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { BrokerCallError } from './broker-handle.ts';
import type { BrokerHandle } from './broker-handle.ts';
import type { Cluster } from './cluster.ts';
import { withCluster } from './cluster.ts';
import { placeKinds } from './place.ts';

const kinds = await placeKinds();

/** The session that the broker works under, once it has one. */
async function sessionOf(cluster: Cluster, broker: BrokerHandle): Promise<string> {
  return await cluster.untilAnswered(`broker ${broker.id} has a session`, async () => {
    const { sid } = await broker.call('status', {});
    return sid;
  });
}

/** The broker was declared dead before it got the request. */
function assertRefused(outcome: unknown): void {
  assert.ok(
    outcome instanceof BrokerCallError,
    `a broker that was dead has acknowledged ${JSON.stringify(outcome)}`,
  );
  assert.equal(outcome.code, 'NOT_LEADER_OR_FOLLOWER', outcome.message);
}

/** A running broker that leads something, and what. */
async function pickLeader(cluster: Cluster): Promise<{ broker: BrokerHandle; partitions: number[] }> {
  const all = await Promise.all(
    cluster.running.map(async (broker) => ({ broker, partitions: await cluster.partitionsOf(broker) })),
  );
  return cluster.pick(all.filter(({ partitions }) => partitions.length > 0));
}

/** SIGSTOP in the middle of its work, its groups go to others, who write; then it wakes up and finds requests to answer. */
async function stopAndReplace(cluster: Cluster): Promise<void> {
  const { broker: zombie, partitions } = await pickLeader(cluster);
  const sid = await sessionOf(cluster, zombie);
  await sleep(cluster.fraction() * 300);
  cluster.tell(`stop broker ${zombie.id}, which leads partitions ${partitions.join(', ')}`);
  zombie.stop();
  const deadSid = await cluster.markDead(zombie.id);
  assert.equal(deadSid, sid);
  // The others take over and write: slots and manifests that the zombie knows nothing of.
  await cluster.progress(3);

  // Clients that have not heard of it: their requests wait in its connections, and more come while it wakes up.
  const outcomes: Promise<unknown>[] = [];
  const sendStrays = (): void => {
    for (const partition of partitions)
      outcomes.push(cluster.stray(zombie, partition).catch((error: unknown) => error));
  };
  sendStrays();
  cluster.tell(`continue broker ${zombie.id}`);
  zombie.continue();
  for (let late = 0; late < 3; late++) {
    sendStrays();
    await sleep(cluster.fraction() * 100);
  }
  for (const outcome of await Promise.all(outcomes)) assertRefused(outcome);
  let newSid = sid;
  await cluster.until(`broker ${zombie.id} has a new session`, async () => {
    newSid = await sessionOf(cluster, zombie);
    return newSid !== sid;
  });
  cluster.tell(`broker ${zombie.id} is back with session ${newSid}`);
  await cluster.progress(2);
}

describe('SIGSTOP of brokers that others take over from', () => {
  for (const { name, skip, open } of kinds) {
    it(`acknowledges nothing that is lost over ${name}`, { skip }, (context) =>
      withCluster(open, async (cluster) => {
        for (let round = 0; round < 2; round++) await stopAndReplace(cluster);
        await cluster.finish();
        await cluster.verify();
        const counts = await cluster.counts();
        assert.ok(counts.sessionDeaths > 0 && counts.takeovers > 0, JSON.stringify(counts));
        context.diagnostic(`${cluster.ledger.acknowledgedCount} batches, ${JSON.stringify(counts)}`);
      }),
    );
  }
});
