import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { ClusterStatus } from '../../cli/status/cluster-status.ts';
import { runFirn } from '../../cli/firn.ts';
import { FirnCluster } from './firn-cluster.ts';

describe('firn status, move over three brokers', () => {
  let cluster: FirnCluster;
  before(async () => {
    cluster = await FirnCluster.start({ store: 'folder' });
  });
  after(() => cluster.stop());

  /** Runs `firn` in this process, with one broker to begin with. */
  async function firn(
    ...args: readonly string[]
  ): Promise<{ readonly code: number; readonly out: string; readonly err: string }> {
    const printed = { out: '', err: '' };
    const code = await runFirn([...args, '--bootstrap', cluster.bootstrap], {
      out: (text) => (printed.out += text),
      err: (text) => (printed.err += text),
      env: {},
      cwd: '/',
      signal: new AbortController().signal,
    });
    return { code, ...printed };
  }

  async function status(): Promise<ClusterStatus> {
    const admins = cluster.brokers.map(({ firn: { adminUrl } }) => adminUrl).join(',');
    const { code, out, err } = await firn('status', '--json', '--admin', admins);
    assert.equal(code, 0, err);
    return JSON.parse(out) as ClusterStatus;
  }

  it('status shows brokers and zones, whichever broker is asked', async () => {
    assert.equal((await firn('topic', 'create', 'shown', '--partitions', '3')).code, 0);
    const { brokers, zones } = await status();
    assert.deepEqual(
      brokers.map(({ id, state, zone, partitionsLed }) => [id, state, zone, partitionsLed]),
      [
        [0, 'alive', 'a', 1],
        [1_000, 'alive', 'b', 1],
        [2_000, 'alive', 'c', 1],
      ],
    );
    assert.deepEqual(
      zones.map(({ zone, brokers: count }) => [zone, count]),
      [
        ['a', 1],
        ['b', 1],
        ['c', 1],
      ],
    );
    const { out } = await firn('status');
    assert.match(out, /^ +1000 +alive +b +127\.0\.0\.1:\d+ +1 +\d+$/m);
  });

  it('move brings a topic, or some of its partitions, to a broker, and says from where', async () => {
    assert.equal((await firn('topic', 'create', 'moved', '--partitions', '3')).code, 0);
    const all = await firn('move', 'moved', '--to', '1000');
    assert.equal(all.code, 0, all.err);
    assert.equal(all.out.match(/^moved-\d moved from broker (0|2000) to broker 1000$/gm)?.length, 2);
    assert.equal(all.out.match(/^moved-\d is at broker 1000$/gm)?.length, 1);
    const some = await firn('move', 'moved:0,2', '--to', '2000', '--json');
    assert.deepEqual(JSON.parse(some.out), {
      topic: 'moved',
      partitions: [
        { partition: 0, from: 1_000, to: 2_000 },
        { partition: 2, from: 1_000, to: 2_000 },
      ],
    });
    // Each zone has a replica still.
    const client = cluster.client();
    const { partitions } = await client.retrying(() => client.topic('moved'));
    assert.deepEqual(
      partitions.map(({ leader, replicas }) => [leader, replicas.toSorted((a, b) => a - b)]),
      [2_000, 1_000, 2_000].map((leader) => [leader, [0, 1_000, 2_000]]),
    );
    assert.deepEqual((await status()).moving, []);
  });

  it('move says which partitions form a group when a part of one is named', async () => {
    assert.equal((await firn('topic', 'create', 'many', '--partitions', '130')).code, 0);
    const { code, err } = await firn('move', 'many:1', '--to', '1000');
    assert.equal(code, 1);
    assert.match(
      err,
      /^firn move: partition 1 of topic many was not moved: partitions 0 to 2 .* add 0, 2 to/,
    );
  });

  it('what cannot be moved is refused with a sentence', async () => {
    for (const [args, message] of [
      [['moved', '--to', '7'], /there is no broker 7/],
      [['moved:9', '--to', '0'], /^firn move: topic moved has no partition 9\n$/],
      [['nowhere', '--to', '0'], /there is no topic nowhere/],
    ] as const) {
      const { code, err } = await firn('move', ...args);
      assert.equal(code, 1, args.join(' '));
      assert.match(err, message);
    }
    for (const [args, message] of [
      [[], /TOPIC is missing/],
      [['moved'], /--to is missing/],
      [['moved:x', '--to', '0'], /PARTITION is "x"/],
      [['moved', 'too', '--to', '0'], /"too" is one word too many/],
    ] as const) {
      const { code, err } = await firn('move', ...args);
      assert.equal(code, 2, args.join(' '));
      assert.match(err, message);
    }
  });

  it('status names what is led outside the home zone of its topic', async () => {
    const home = ['--config', 'table.placement.policy=Pinned', '--config', 'table.placement.zone=b'];
    assert.equal((await firn('topic', 'create', 'homely', '--partitions', '2', ...home)).code, 0);
    assert.deepEqual((await status()).strays, []);
    // Its home has no second broker, so it may go elsewhere.
    const { code, err } = await firn('move', 'homely:1', '--to', '2000');
    assert.equal(code, 0, err);
    assert.deepEqual((await status()).strays, [
      { topic: 'homely', partition: 1, broker: 2_000, zone: 'c', homeZone: 'b' },
    ]);
  });

  it('a broker that was killed does not answer at first, and is dead when others have taken over', async () => {
    const [, , last] = cluster.brokers;
    assert(last !== undefined);
    await last.kill();
    let shown = await firn('status', '--json');
    for (;;) {
      const { brokers } = JSON.parse(shown.out) as ClusterStatus;
      const state = brokers.find(({ id }) => id === 2_000)?.state;
      if (state === 'dead') break;
      assert.equal(state, 'unreachable');
      assert.equal(shown.code, 1);
      shown = await firn('status', '--json');
    }
    assert.equal(shown.code, 0, shown.out);
    const { zones, leaderless } = JSON.parse(shown.out) as ClusterStatus;
    assert.deepEqual(leaderless, []);
    assert.deepEqual(
      zones.map(({ brokers }) => brokers),
      [1, 1, 0],
    );
  });
});
