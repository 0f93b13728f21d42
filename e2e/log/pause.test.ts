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

/** SIGSTOP in the middle of its work, its groups go to others, who write; then it wakes up and finds requests to answer. */
async function stopAndReplace(cluster: Cluster): Promise<void> {
  const zombie = cluster.pick(cluster.running);
  const sid = await sessionOf(cluster, zombie);
  await sleep(cluster.fraction() * 300);
  const served = await cluster.partitionsOf(zombie);
  cluster.tell(`stop broker ${zombie.id}, which leads partitions ${served.join(', ')}`);
  zombie.stop();
  const deadSid = await cluster.markDead(zombie.id);
  assert.equal(deadSid, sid);
  // The others take over and write: slots and manifests that the zombie knows nothing of.
  await cluster.progress(3);

  // Clients that have not heard of it: their requests wait in its connections, and more come while it wakes up.
  const strangers = served.flatMap((partition) => [cluster.stray(zombie, partition)]);
  cluster.tell(`continue broker ${zombie.id}`);
  zombie.continue();
  for (let late = 0; late < 3; late++) {
    strangers.push(...served.map((partition) => cluster.stray(zombie, partition)));
    await sleep(cluster.fraction() * 100);
  }
  for (const answer of await Promise.allSettled(strangers)) {
    assert.ok(
      answer.status === 'rejected',
      `broker ${zombie.id} was dead, and acknowledged ${answer.status === 'fulfilled' ? JSON.stringify(answer.value) : ''}`,
    );
    assert.ok(answer.reason instanceof BrokerCallError, String(answer.reason));
    assert.equal(answer.reason.code, 'NOT_LEADER_OR_FOLLOWER', answer.reason.message);
  }
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
        for (let round = 0; round < 3; round++) await stopAndReplace(cluster);
        await cluster.finish();
        await cluster.verify();
        const counts = await cluster.counts();
        assert.ok(counts.sessionDeaths > 0 && counts.takeovers > 0, JSON.stringify(counts));
        context.diagnostic(`${cluster.ledger.acknowledgedCount} batches, ${JSON.stringify(counts)}`);
      }),
    );
  }
});
