import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { clusterOf } from '../../cluster/cluster-fixture.ts';
import type { ClusterState } from '../../cluster/cluster-state.ts';
import { inBackground } from '../../runtime/in-background.ts';
import type { Logger } from '../../runtime/logger.ts';
import { silentLogger } from '../../runtime/logger.ts';
import { VirtualTime } from '../../runtime/virtual-time.ts';
import { NudgedReads } from './nudged-reads.ts';
import { Nudges } from './nudges.ts';
import type { PeerRequestOptions } from './peer-connection.ts';
import { PeerError } from './peer-error.ts';
import type { PeerMethod } from './peer-method.ts';
import { RefusalLog } from './refusal-log.ts';
import { ReleaseNotices } from './release-notices.ts';

/** Other brokers that answer when the test says so. */
class ScriptedPeers {
  reachable: readonly number[] = [1, 2];
  readonly asked: { readonly to: number; readonly method: string; readonly request: unknown }[] = [];
  readonly #waiting: PromiseWithResolvers<undefined>[] = [];

  async request<Request, Response>(
    to: number,
    method: PeerMethod<Request, Response>,
    request: Request,
    _options: PeerRequestOptions,
  ): Promise<Response> {
    this.asked.push({ to, method: method.name, request });
    const answer = Promise.withResolvers<undefined>();
    this.#waiting.push(answer);
    await answer.promise;
    return method.response.decode(undefined);
  }

  async settle(failure?: Error): Promise<void> {
    for (const { resolve, reject } of this.#waiting.splice(0)) {
      if (failure === undefined) resolve(undefined);
      else reject(failure);
    }
    await turn();
  }
}

class ScriptedCluster {
  readonly #state: ClusterState = clusterOf('a');
  readonly #time: VirtualTime;
  /** In the store. */
  version = 1;
  known = 1;
  reads = 0;
  tookMs = 10;
  fails = false;

  constructor(time: VirtualTime) {
    this.#time = time;
  }

  get current(): ClusterState {
    return { ...this.#state, version: this.known };
  }

  async refresh(): Promise<ClusterState> {
    this.reads += 1;
    await new Promise<void>((resolve) => this.#time.environment.after(this.tookMs, resolve));
    if (this.fails) throw new Error('no store');
    this.known = this.version;
    return this.current;
  }
}

/** Everything that goes on by itself has done so. */
function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

describe('nudges', () => {
  it('go to those who can be asked; a burst of changes makes one more message to each, with the newest version', async () => {
    const peers = new ScriptedPeers();
    const nudges = new Nudges(peers);
    for (let version = 1; version <= 100; version++) nudges.changed(version);
    assert.deepEqual(
      peers.asked.map(({ to, request }) => [to, request]),
      [
        [1, { version: 1 }],
        [2, { version: 1 }],
      ],
    );
    await peers.settle();
    assert.deepEqual(
      peers.asked.slice(2).map(({ to, request }) => [to, request]),
      [
        [1, { version: 100 }],
        [2, { version: 100 }],
      ],
    );
    await peers.settle();
    nudges.changed(101);
    await turn();
    assert.equal(peers.asked.length, 6);
    peers.reachable = [];
    await peers.settle(new PeerError('timeout', 'too late'));
    nudges.changed(102);
    await turn();
    assert.equal(peers.asked.length, 6, 'what was not answered is not repeated: there are polls');
    nudges.met(7, 90);
    assert.deepEqual(peers.asked.at(-1), { to: 7, method: 'nudge', request: { version: 102 } });
  });
});

describe('who has changed meta/cluster', () => {
  it('can wait until others know it: those who answer, and no longer those who do not', async () => {
    const peers = new ScriptedPeers();
    const nudges = new Nudges(peers);
    nudges.changed(7);
    let isKnown = false;
    const known = nudges.known(7).then(() => {
      isKnown = true;
    });
    await turn();
    assert.equal(isKnown, false);
    await peers.settle();
    await known;
    assert.equal(peers.asked.length, 2, 'nobody is told twice');
    await nudges.known(6);
    peers.reachable = [1];
    const again = nudges.known(8);
    await peers.settle(new PeerError('timeout', 'too late'));
    await again;
    peers.reachable = [];
    await nudges.known(9);
    assert.equal(peers.asked.length, 3);
  });

  it('is answered when the version has been read, or is not there', async () => {
    const time = new VirtualTime({ seed: 1 });
    const cluster = new ScriptedCluster(time);
    const reads = new NudgedReads(cluster, time.environment);
    cluster.version = 5;
    await time.drive(async () => {
      await Promise.all([reads.announced(4), reads.announced(5), reads.announced(1)]);
      assert.equal(cluster.known, 5);
      await reads.announced(6);
      assert.equal(cluster.known, 5);
      await reads.stop();
      await reads.announced(7);
    });
  });
});

describe('the reads that nudges cause', () => {
  it('are none for what is known, and one for many who say the same', async () => {
    const time = new VirtualTime({ seed: 1 });
    const cluster = new ScriptedCluster(time);
    const reads = new NudgedReads(cluster, time.environment);
    inBackground(reads.announced(1));
    assert.equal(cluster.reads, 0);
    cluster.version = 5;
    for (let i = 0; i < 300; i++) inBackground(reads.announced(5));
    await time.untilIdle();
    assert.equal(cluster.reads, 1);
    assert.equal(cluster.known, 5);
    inBackground(reads.announced(5));
    inBackground(reads.announced(4));
    await time.untilIdle();
    assert.equal(cluster.reads, 1);
  });

  it('leave the broker most of its time, however fast the versions come', async () => {
    const time = new VirtualTime({ seed: 1 });
    const cluster = new ScriptedCluster(time);
    cluster.tookMs = 100;
    const reads = new NudgedReads(cluster, time.environment);
    for (let i = 0; i < 1_000; i++) {
      cluster.version += 1;
      inBackground(reads.announced(cluster.version));
      await time.run({ untilMs: time.nowMs + 10 });
    }
    await time.untilIdle();
    assert.ok(cluster.reads <= 36, `${cluster.reads} reads of 100 ms in 10 s`);
    assert.equal(cluster.known, cluster.version);
  });

  it('go on after one that failed, and do not go on for a version that never comes', async () => {
    const time = new VirtualTime({ seed: 1 });
    const cluster = new ScriptedCluster(time);
    const reads = new NudgedReads(cluster, time.environment);
    cluster.version = 2;
    cluster.fails = true;
    inBackground(reads.announced(2));
    await time.untilIdle();
    assert.equal(cluster.reads, 1);
    cluster.fails = false;
    inBackground(reads.announced(2));
    await time.untilIdle();
    assert.equal(cluster.known, 2);
    inBackground(reads.announced(1_000_000));
    await time.untilIdle();
    assert.equal(cluster.reads, 3);
    cluster.version = 3;
    inBackground(reads.announced(3));
    await time.untilIdle();
    assert.equal(cluster.known, 3, 'a version that never was does not hide those that are');
  });

  it('end with the broker', async () => {
    const time = new VirtualTime({ seed: 1 });
    const cluster = new ScriptedCluster(time);
    const reads = new NudgedReads(cluster, time.environment);
    cluster.version = 9;
    inBackground(reads.announced(9));
    const stopped = reads.stop();
    await time.untilIdle();
    await stopped;
    inBackground(reads.announced(10));
    assert.equal(cluster.reads, 1);
  });
});

describe('notices of released groups', () => {
  it('go together, one message at a time to each next owner', async () => {
    const peers = new ScriptedPeers();
    const notices = new ReleaseNotices(peers);
    const group = (number: number) => ({ group: `${'a'.repeat(32)}-${number}`, generation: 2 });
    for (let i = 0; i < 2_500; i++) notices.released(1, group(i));
    notices.released(2, group(9_999));
    const sizes = () =>
      peers.asked.map(({ to, request }) => [to, (request as { groups: unknown[] }).groups.length]);
    await turn();
    assert.deepEqual(sizes(), [
      [1, 1_000],
      [2, 1],
    ]);
    notices.released(1, group(2_500));
    await peers.settle();
    await peers.settle(new PeerError('lost', 'gone'));
    await peers.settle();
    assert.deepEqual(sizes().slice(2), [
      [1, 1_000],
      [1, 501],
    ]);
    notices.released(1, group(2_501));
    await turn();
    assert.deepEqual(sizes().at(-1), [1, 1]);
  });
});

describe('what is said of refused connections', () => {
  it('is one line for many', async () => {
    const time = new VirtualTime({ seed: 1 });
    const lines: unknown[] = [];
    const logger: Logger = { ...silentLogger, warn: (_message, fields) => lines.push(fields) };
    const log = new RefusalLog(time.environment, logger);
    for (let i = 0; i < 1_000; i++) log.add('10.0.0.7', `problem ${i}`);
    assert.deepEqual(lines, [{ peer: '10.0.0.7', why: 'problem 0' }]);
    await time.run({ untilMs: 10_000 });
    log.add('10.0.0.8', 'another');
    assert.deepEqual(lines.at(-1), { peer: '10.0.0.8', why: 'another', othersBefore: 999 });
  });
});
