import { describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Cluster } from './cluster.ts';
import { withCluster } from './cluster.ts';
import { placeKinds } from './place.ts';

const rounds = 6;
const kinds = await placeKinds();

/** `kill -9` at a random moment; then the id comes back at once, or is declared dead first, or comes back late. */
async function killSomebody(cluster: Cluster): Promise<void> {
  const victim = cluster.pick(cluster.running);
  await sleep(cluster.fraction() * 400);
  cluster.tell(`kill broker ${victim.id}`);
  await victim.kill();
  switch (cluster.pick(['restart', 'restart', 'dead', 'dead, restart later'])) {
    case 'restart':
      break;
    case 'dead':
      await cluster.markDead(victim.id);
      break;
    default:
      await cluster.markDead(victim.id);
      await cluster.progress(3);
  }
  cluster.start(victim.id);
}

describe('kill -9 of brokers while clients produce', () => {
  for (const { name, skip, open } of kinds) {
    it(`loses, repeats and reorders nothing over ${name}`, { skip }, (context) =>
      withCluster(open, async (cluster, place) => {
        for (let round = 0; round < rounds; round++) {
          await killSomebody(cluster);
          // Sometimes the next one is killed before the last one is back.
          if (cluster.fraction() < 0.7) await cluster.progress(2);
        }
        const drained = cluster.pick(cluster.running);
        await drained.started;
        cluster.tell(`drain broker ${drained.id}`);
        await drained.drain(60_000);
        await cluster.progress(3);
        await cluster.finish();
        await cluster.verify();
        // So that the last look also finds segments, whoever of them has written one.
        await cluster.until(
          'something was flushed',
          async () => (await cluster.counts()).segmentsWritten > 0,
        );
        const counts = await cluster.counts();

        // Nothing that is read now can come from the memory of a process that wrote it.
        cluster.tell('kill everybody');
        await Promise.all(cluster.running.map((broker) => broker.kill()));
        place.calm();
        await Promise.all([0, 1, 2].map((id) => cluster.start(id).started));
        await cluster.verify();
        context.diagnostic(`${cluster.ledger.acknowledgedCount} batches, ${JSON.stringify(counts)}`);
      }),
    );
  }
});
