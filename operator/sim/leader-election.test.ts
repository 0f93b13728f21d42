import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { inBackground } from '../../dataplane/runtime/in-background.ts';
import { silentLogger } from '../../dataplane/runtime/logger.ts';
import type { ProcessOptions, SimulatedProcess } from '../../dataplane/runtime/simulated-process.ts';
import { VirtualRandom } from '../../dataplane/runtime/virtual-random.ts';
import { VirtualTime } from '../../dataplane/runtime/virtual-time.ts';
import { LeadershipLostError } from '../errors.ts';
import { LeaderElection } from '../leader-election.ts';
import type { Lease } from '../lease.ts';
import { OperatorMetrics } from '../metrics.ts';
import { SimulatedApiServer } from './simulated-api-server.ts';

interface Candidate {
  readonly process: SimulatedProcess;
  readonly election: LeaderElection;
  readonly metrics: OperatorMetrics;
  /** Why `run` rejected. */
  failure: unknown;
  hasEnded: boolean;
}

class Stage {
  readonly time: VirtualTime;
  readonly server: SimulatedApiServer;
  readonly candidates: Candidate[] = [];
  /** Who was leader, in order. */
  readonly leaders: string[] = [];
  #last: Candidate | undefined;

  constructor(seed = 1) {
    this.time = new VirtualTime({ seed });
    this.server = new SimulatedApiServer(this.time);
    this.time.onStep(() => this.#check());
  }

  candidate(name: string, options: ProcessOptions = {}): Candidate {
    const process = this.time.process(name, options);
    const metrics = new OperatorMetrics();
    const election = new LeaderElection({
      api: this.server.connect(process),
      runtime: process.runtime,
      logger: silentLogger,
      metrics,
      namespace: 'firn',
      name: 'operator',
      identity: `${name}-${process.incarnation}`,
    });
    const candidate: Candidate = { process, election, metrics, failure: undefined, hasEnded: false };
    this.candidates.push(candidate);
    const run = election.run().then(
      () => {
        candidate.hasEnded = true;
      },
      (error: unknown) => {
        candidate.hasEnded = true;
        candidate.failure = error;
      },
    );
    inBackground(run);
    return candidate;
  }

  get lease(): Lease | undefined {
    return this.server.objects('leases').get('firn/operator') as Lease | undefined;
  }

  leader(): Candidate | undefined {
    return this.candidates.find(({ election, process }) => process.isAlive && election.isLeader());
  }

  async run(forMs: number): Promise<void> {
    await this.time.run({ untilMs: this.time.nowMs + forMs });
  }

  async untilLeader(other?: Candidate): Promise<number> {
    const beganMs = this.time.nowMs;
    const isThere = (): boolean => this.leader() !== undefined && this.leader() !== other;
    const { reason } = await this.time.run({ until: isThere, untilMs: beganMs + 300_000 });
    assert.equal(reason, 'until', 'nobody becomes the leader');
    return this.time.nowMs - beganMs;
  }

  #check(): void {
    const leading = this.candidates.filter(({ election, process }) => process.isAlive && election.isLeader());
    const names = leading.map(({ process }) => process.name).join(' and ');
    assert.ok(leading.length <= 1, `${names} lead at the same time`);
    const [leader] = leading;
    if (leader === undefined || leader === this.#last) return;
    this.#last = leader;
    this.leaders.push(leader.process.name);
  }
}

describe('leader election', () => {
  it('makes the first candidate the leader at once, and others wait', async () => {
    const stage = new Stage();
    const first = stage.candidate('a');
    await stage.run(1_000);
    const second = stage.candidate('b');
    await stage.time.drive(() => first.election.elected());
    await stage.run(120_000);
    assert.deepEqual(stage.leaders, ['a']);
    assert.equal(first.election.isLeader(), true);
    assert.equal(second.election.isLeader(), false);
    assert.equal(second.election.holder, 'a-0');
    assert.equal(stage.lease?.spec?.leaseTransitions, 0);
    assert.match(await first.metrics.expose(), /^leader_election_master_status\{name="operator"\} 1$/m);
    assert.match(await second.metrics.expose(), /^leader_election_master_status\{name="operator"\} 0$/m);
  });

  it('renews every two seconds or so, and nothing else writes the lease', async () => {
    const stage = new Stage();
    stage.candidate('a');
    stage.candidate('b');
    await stage.untilLeader();
    const before = stage.server.revision;
    await stage.run(100_000);
    const writes = stage.server.revision - before;
    assert.ok(writes >= 40 && writes <= 50, `${writes} writes in 100 s`);
  });

  it('hands over within seconds when the leader ends properly', async () => {
    const stage = new Stage();
    const first = stage.candidate('a');
    await stage.untilLeader();
    stage.candidate('b');
    await stage.run(10_000);
    await stage.time.drive(() => first.election.stop());
    assert.equal(first.failure, undefined);
    assert.equal(stage.lease?.spec?.holderIdentity, '');
    const waitedMs = await stage.untilLeader();
    assert.ok(waitedMs < 2_500, `${waitedMs} ms`);
    assert.deepEqual(stage.leaders, ['a', 'b']);
    assert.equal(stage.lease?.spec?.leaseTransitions, 1);
  });

  it('waits for the lease to run out when the leader is killed', async () => {
    const stage = new Stage();
    const first = stage.candidate('a');
    await stage.untilLeader();
    stage.candidate('b');
    await stage.run(10_000);
    first.process.kill();
    const waitedMs = await stage.untilLeader();
    assert.ok(waitedMs > 10_000 && waitedMs < 18_000, `${waitedMs} ms`);
  });

  it('makes a leader that stood still find itself deposed, before it can act', async () => {
    const stage = new Stage();
    const first = stage.candidate('a');
    await stage.untilLeader();
    stage.candidate('b');
    await stage.run(10_000);
    first.process.pause(60_000);
    await stage.untilLeader(first);
    await stage.run(70_000);
    assert.ok(first.failure instanceof LeadershipLostError, String(first.failure));
    assert.deepEqual(stage.leaders, ['a', 'b']);
  });

  it('lets a candidate that stood still while it took the lease take it once more', async () => {
    const stage = new Stage();
    const first = stage.candidate('a');
    await stage.time.run({ until: () => stage.lease !== undefined });
    first.process.pause(12_000);
    await stage.run(20_000);
    assert.equal(first.failure, undefined);
    assert.equal(first.election.isLeader(), true);
  });

  it('deposes a leader that cannot reach the API server, before others can follow', async () => {
    const stage = new Stage();
    const first = stage.candidate('a');
    await stage.untilLeader();
    stage.server.faults = { noAnswer: 1 };
    const beganMs = stage.time.nowMs;
    await stage.time.run({ until: () => first.hasEnded, untilMs: beganMs + 60_000 });
    assert.ok(first.failure instanceof LeadershipLostError);
    assert.ok(stage.time.nowMs - beganMs <= 10_000);
    assert.equal(first.election.isLeader(), false);
  });

  it('lives with an API server that is away for less than the deadline', async () => {
    const stage = new Stage();
    const first = stage.candidate('a');
    await stage.untilLeader();
    stage.server.faults = { lostRequest: 1 };
    await stage.run(5_000);
    stage.server.faults = {};
    await stage.run(60_000);
    assert.equal(first.election.isLeader(), true);
  });

  it('goes on when a renewal arrived and its answer did not', async () => {
    const stage = new Stage();
    const first = stage.candidate('a');
    await stage.untilLeader();
    stage.candidate('b');
    stage.server.faults = { lostAnswer: 0.1 };
    await stage.run(600_000);
    stage.server.faults = {};
    await stage.run(30_000);
    assert.equal(stage.leaders.length, 1, 'the leader stays');
    assert.ok(stage.leader() === first, 'it still leads');
  });

  it('ends a leader whose lease somebody else has taken by hand', async () => {
    const stage = new Stage();
    const first = stage.candidate('a');
    await stage.untilLeader();
    await stage.run(5_000);
    const { lease } = stage;
    assert.ok(lease !== undefined);
    const type = {
      apiVersion: lease.apiVersion,
      kind: lease.kind,
      plural: 'leases',
      isNamespaced: true,
    } as const;
    stage.server.replace<Lease>(type, { ...lease, spec: { ...lease.spec, holderIdentity: 'somebody' } });
    await stage.run(5_000);
    assert.ok(first.failure instanceof LeadershipLostError);
  });

  it('never gives the lease back that another one has', async () => {
    const stage = new Stage();
    const first = stage.candidate('a');
    await stage.untilLeader();
    stage.candidate('b');
    await stage.run(5_000);
    first.process.pause(40_000);
    await stage.untilLeader(first);
    inBackground(first.election.stop());
    await stage.run(60_000);
    assert.equal(stage.lease?.spec?.holderIdentity, 'b-0');
  });

  it('refuses times that do not protect', () => {
    const stage = new Stage();
    const process = stage.time.process('a');
    const options = {
      api: stage.server.connect(process),
      runtime: process.runtime,
      logger: silentLogger,
      metrics: new OperatorMetrics(),
      namespace: 'firn',
      name: 'operator',
      identity: 'a',
    };
    assert.throws(() => new LeaderElection({ ...options, renewDeadlineMs: 15_000 }), RangeError);
    assert.throws(() => new LeaderElection({ ...options, retryPeriodMs: 10_000 }), RangeError);
  });

  it('never has two leaders, and always one again, whatever stands still, dies, or gets lost', async () => {
    let changes = 0;
    for (let seed = 1; seed <= 40; seed++) changes += await randomElection(seed);
    assert.ok(changes > 100, `only ${changes} changes of leaders: nothing was tried`);
  });
});

/** An hour of three candidates on machines with bad clocks over a bad network. Returns how often the leader changed. */
async function randomElection(seed: number): Promise<number> {
  const stage = new Stage(seed);
  const random = new VirtualRandom(seed, 'world');
  const { environment } = stage.time;
  const start = (name: string): void => {
    stage.candidate(name, {
      wallSkewMs: random.between(-3_600_000, 3_600_000),
      clockRate: random.between(0.95, 1.05),
    });
  };
  for (const name of ['a', 'b', 'c']) environment.after(random.below(20_000), () => start(name));
  /** As pods do. */
  const comeBack = (probability: number): void => {
    for (const name of ['a', 'b', 'c']) {
      const isThere = stage.candidates.some(
        ({ process, hasEnded }) => process.name === name && process.isAlive && !hasEnded,
      );
      if (!isThere && random.chance(probability)) start(name);
    }
  };
  const step = (): void => {
    if (stage.time.nowMs > 3_000_000) return;
    stage.server.faults = random.chance(0.5)
      ? {}
      : {
          lostRequest: random.fraction() * 0.5,
          lostAnswer: random.fraction() * 0.5,
          noAnswer: random.fraction() * 0.3,
          refused: random.fraction() * 0.5,
          slowestMs: random.logBetween(2, 30_000),
        };
    const alive = stage.candidates.filter(({ process, hasEnded }) => process.isAlive && !hasEnded);
    if (alive.length > 0) {
      const { process, election } = random.pick(alive);
      if (random.chance(0.3)) process.pause(random.logBetween(100, 60_000));
      else if (random.chance(0.1)) process.kill();
      else if (random.chance(0.2)) process.jumpWallClock(random.between(-1e9, 1e9));
      else if (random.chance(0.15)) process.receive(() => inBackground(election.stop()));
    }
    comeBack(0.5);
    environment.after(random.logBetween(1_000, 60_000), step);
  };
  step();
  await stage.run(3_000_000);
  stage.server.faults = {};
  for (let i = 0; i < 10; i++) {
    await stage.run(30_000);
    comeBack(1);
  }
  await stage.run(60_000);
  assert.ok(stage.leader() !== undefined, `seed ${seed}: nobody leads in the end`);
  for (const { failure, process } of stage.candidates)
    assert.ok(
      failure === undefined || failure instanceof LeadershipLostError,
      `${process.name}: ${String(failure)}`,
    );
  return stage.leaders.length;
}
