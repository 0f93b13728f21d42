import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { inBackground } from '../../dataplane/runtime/in-background.ts';
import { silentLogger } from '../../dataplane/runtime/logger.ts';
import { VirtualRandom } from '../../dataplane/runtime/virtual-random.ts';
import { VirtualTime } from '../../dataplane/runtime/virtual-time.ts';
import { keyOf } from '../kubernetes-object.ts';
import type { KubernetesObject, ResourceType } from '../kubernetes-object.ts';
import { OperatorMetrics } from '../metrics.ts';
import { Reflector } from '../reflector.ts';
import type { ChangeSource } from '../reflector.ts';
import { subjectOf } from '../object-cache.ts';
import type { ObjectChange } from '../object-cache.ts';
import { SimulatedApiServer } from './simulated-api-server.ts';
import type { SimulatedFaults } from './simulated-api-server.ts';

interface Widget extends KubernetesObject {
  readonly apiVersion: 'test/v1';
  readonly kind: 'Widget';
  readonly size: number;
}

const widgets: ResourceType<Widget> = {
  apiVersion: 'test/v1',
  kind: 'Widget',
  plural: 'widgets',
  isNamespaced: true,
};

/** A reflector whose listener keeps a copy of its own, from the changes alone. */
class Stage {
  readonly time: VirtualTime;
  readonly server: SimulatedApiServer;
  readonly metrics = new OperatorMetrics();
  readonly reflector: Reflector<Widget>;
  readonly copy = new Map<string, Widget>();
  readonly changes: { readonly kind: string; readonly name: string; readonly source: ChangeSource }[] = [];
  readonly #random: VirtualRandom;

  constructor(seed = 1, auditMs = 900_000) {
    this.time = new VirtualTime({ seed });
    this.#random = new VirtualRandom(seed, 'world');
    this.server = new SimulatedApiServer(this.time);
    const process = this.time.process('operator');
    this.reflector = new Reflector({
      api: this.server.connect(process),
      type: widgets,
      runtime: process.runtime,
      logger: silentLogger,
      metrics: this.metrics,
      pageSize: 3,
      auditMs,
      onChange: (change, source) => this.#follow(change, source),
    });
  }

  start(): void {
    inBackground(this.reflector.run());
  }

  /** Resolves when the first list is in and the watch is open. */
  async startFollowing(): Promise<void> {
    this.start();
    await this.time.drive(() => this.reflector.synced());
    await this.run(this.time.nowMs + 1_000);
  }

  write(name: string, size: number): void {
    const metadata = { namespace: 'ns', name };
    const before = this.server.objects('widgets').get(keyOf(metadata)) as Widget | undefined;
    if (before === undefined)
      this.server.create(widgets, { apiVersion: 'test/v1', kind: 'Widget', metadata, size });
    else this.server.replace(widgets, { ...before, size });
  }

  remove(name: string): void {
    this.server.delete(widgets, { namespace: 'ns', name });
  }

  /** Somebody creates, changes and deletes now and then. */
  writeRandomly(untilMs: number): void {
    const { environment } = this.time;
    const step = (): void => {
      if (this.time.nowMs > untilMs) return;
      const name = `w${this.#random.below(12)}`;
      if (this.#random.chance(0.3)) this.remove(name);
      else this.write(name, this.#random.below(1_000));
      if (this.#random.chance(0.01)) this.server.compact();
      environment.after(this.#random.logBetween(1, 20_000), step);
    };
    step();
  }

  isEqual(): boolean {
    const truth = this.server.objects('widgets');
    const { cache } = this.reflector;
    return (
      truth.size === cache.size &&
      [...truth].every(
        ([key, object]) =>
          cache.get(key)?.metadata.resourceVersion === object.metadata.resourceVersion &&
          cache.get(key)?.size === (object as Widget).size,
      )
    );
  }

  async run(untilMs: number): Promise<void> {
    await this.time.run({ untilMs });
  }

  async metric(pattern: string): Promise<number> {
    const text = await this.metrics.expose();
    return Number(new RegExp(`^${pattern} (\\S+)$`, 'm').exec(text)?.[1] ?? 0);
  }

  async end(): Promise<void> {
    await this.time.drive(() => this.reflector.stop());
  }

  #follow(change: ObjectChange<Widget>, source: ChangeSource): void {
    const subject = subjectOf(change);
    const key = keyOf(subject.metadata);
    this.changes.push({ kind: change.kind, name: subject.metadata.name, source });
    const before = change.kind === 'added' ? undefined : change.before;
    assert.equal(this.copy.get(key), before, 'a change begins where the one before it ended');
    if (change.kind === 'deleted') this.copy.delete(key);
    else {
      this.copy.set(key, change.after);
      assert.equal(this.reflector.cache.get(key), change.after, 'the cache shows what is told');
    }
  }
}

describe('a reflector', () => {
  it('lists in pages, then follows', async () => {
    const stage = new Stage();
    for (let i = 0; i < 8; i++) stage.write(`w${i}`, i);
    assert.equal(stage.reflector.hasSynced, false);
    await stage.startFollowing();
    assert.equal(stage.reflector.hasSynced, true);
    assert.ok(stage.isEqual());
    stage.write('w0', 100);
    stage.remove('w1');
    stage.write('w9', 9);
    await stage.run(stage.time.nowMs + 1_000);
    assert.ok(stage.isEqual());
    assert.deepEqual(stage.changes.slice(8), [
      { kind: 'updated', name: 'w0', source: 'watch' },
      { kind: 'deleted', name: 'w1', source: 'watch' },
      { kind: 'added', name: 'w9', source: 'watch' },
    ]);
    await stage.end();
  });

  it('lists once and audits four times in an hour in which nothing happens', async () => {
    const stage = new Stage();
    stage.write('w', 1);
    stage.start();
    let stalest = 0;
    stage.time.onStep(() => {
      stalest = Math.max(stalest, stage.reflector.stalenessMs());
    });
    await stage.run(3_600_000);
    assert.equal(await stage.metric('firn_watch_lists_total\\{resource="widgets.test",cause="start"\\}'), 1);
    const audits = await stage.metric('firn_watch_lists_total\\{resource="widgets.test",cause="audit"\\}');
    assert.ok(audits >= 3 && audits <= 5, String(audits));
    assert.equal(stage.changes.length, 1);
    assert.ok(stalest < 75_000, `stale for ${stalest} ms`);
    await stage.end();
  });

  it('tells an object made anew under its old name as two changes', async () => {
    const stage = new Stage();
    stage.write('w', 1);
    await stage.startFollowing();
    stage.server.faults = { missedEvent: 1 };
    stage.remove('w');
    stage.server.faults = {};
    stage.write('w', 2);
    await stage.run(stage.time.nowMs + 1_000);
    assert.deepEqual(
      stage.changes.map(({ kind }) => kind),
      ['added', 'deleted', 'added'],
    );
    await stage.end();
  });

  it('lists again when its position has expired, and only then', async () => {
    const stage = new Stage();
    stage.write('w', 1);
    await stage.startFollowing();
    stage.server.faults = { cutWatch: 1, lostRequest: 1 };
    stage.write('w', 2);
    await stage.run(stage.time.nowMs + 100);
    stage.write('v', 1);
    stage.server.compact();
    stage.write('w', 3);
    stage.server.faults = {};
    await stage.run(stage.time.nowMs + 60_000);
    assert.ok(stage.isEqual());
    assert.equal(
      await stage.metric('firn_watch_lists_total\\{resource="widgets.test",cause="expired"\\}'),
      1,
    );
    await stage.end();
  });

  it('notices a connection on which nothing comes any more', async () => {
    const stage = new Stage();
    stage.write('w', 1);
    await stage.startFollowing();
    stage.server.faults = { silentWatch: 1 };
    stage.write('w', 2);
    stage.server.faults = {};
    await stage.run(stage.time.nowMs + 80_000);
    assert.equal(stage.isEqual(), false);
    assert.ok(stage.reflector.stalenessMs() > 70_000);
    await stage.run(stage.time.nowMs + 15_000);
    assert.ok(stage.isEqual());
    await stage.end();
  });

  it('finds what no event told, at the next audit', async () => {
    const stage = new Stage();
    for (const name of ['a', 'b']) stage.write(name, 1);
    await stage.startFollowing();
    stage.server.faults = { missedEvent: 1 };
    stage.write('a', 2);
    stage.remove('b');
    stage.write('c', 1);
    stage.server.faults = {};
    await stage.run(stage.time.nowMs + 1_200_000);
    assert.ok(stage.isEqual());
    assert.equal(await stage.metric('firn_watch_missed_events_total\\{resource="widgets.test"\\}'), 3);
    assert.deepEqual(
      stage.changes.slice(2).map(({ kind, source }) => `${kind} ${source}`),
      ['deleted audit', 'updated audit', 'added audit'],
    );
    await stage.end();
  });

  it('does not bring back what was deleted when an old event comes again', async () => {
    const stage = new Stage();
    stage.write('w', 1);
    await stage.startFollowing();
    stage.server.faults = { repeatedEvent: 1 };
    stage.write('w', 2);
    stage.remove('w');
    stage.server.faults = {};
    await stage.run(stage.time.nowMs + 20_000);
    assert.equal(stage.reflector.cache.size, 0);
    assert.equal(await stage.metric('firn_watch_duplicate_events_total\\{resource="widgets.test"\\}'), 2);
    await stage.end();
  });

  it('lists again when the watch says ERROR, whatever the error', async () => {
    const causes = new Map<string, number>();
    for (let seed = 1; seed <= 10; seed++) {
      const stage = new Stage(seed);
      stage.write('w', 1);
      await stage.startFollowing();
      stage.server.faults = { errorEvent: 1 };
      stage.write('w', 2);
      stage.server.faults = {};
      await stage.run(stage.time.nowMs + 10_000);
      assert.ok(stage.isEqual());
      for (const cause of ['expired', 'error']) {
        const lists = await stage.metric(
          `firn_watch_lists_total\\{resource="widgets.test",cause="${cause}"\\}`,
        );
        causes.set(cause, (causes.get(cause) ?? 0) + lists);
      }
      await stage.end();
    }
    const [expired = 0, error = 0] = causes.values();
    assert.ok(expired > 0 && error > 0);
    assert.equal(expired + error, 10);
  });

  it('does not wait for ever for a position that a restored server never had', async () => {
    const stage = new Stage();
    stage.write('w', 1);
    const { revision } = stage.server;
    stage.write('w', 2);
    stage.write('v', 2);
    await stage.startFollowing();
    stage.server.restore(revision);
    await stage.run(stage.time.nowMs + 300_000);
    assert.ok(stage.isEqual());
    stage.write('w', 3);
    await stage.run(stage.time.nowMs + 1_000);
    assert.ok(stage.isEqual());
    await stage.end();
  });

  it('does not ask without a pause when every watch is ended at once', async () => {
    const stage = new Stage();
    stage.write('w', 1);
    await stage.startFollowing();
    stage.server.faults = { endedWatch: 1, cutWatch: 1 };
    stage.write('w', 2);
    await stage.run(stage.time.nowMs + 600_000);
    const failures = await stage.metric(
      'firn_watch_failures_total\\{resource="widgets.test",reason="Unreachable"\\}',
    );
    assert.ok(failures > 20 && failures < 80, String(failures));
    assert.ok(stage.isEqual());
    await stage.end();
  });

  it('asks ever more seldom while everything fails, and ends when it is stopped', async () => {
    const stage = new Stage();
    stage.server.faults = { refused: 1 };
    stage.start();
    await stage.run(600_000);
    const failures = await stage.metric('firn_watch_lists_total\\{resource="widgets.test",cause="start"\\}');
    assert.ok(failures > 20 && failures < 50, `${failures} lists in ten minutes`);
    assert.ok(stage.reflector.stalenessMs() >= 600_000);
    await stage.end();
  });

  it('is stopped in the middle of anything', async () => {
    for (let seed = 1; seed <= 40; seed++) {
      const stage = new Stage(seed);
      stage.server.faults = { lostRequest: 0.2, noAnswer: 0.1, cutWatch: 0.2, slowestMs: 2_000 };
      stage.writeRandomly(60_000);
      stage.start();
      await stage.run(seed * 700);
      await stage.end();
      const { length } = stage.changes;
      await stage.run(200_000);
      assert.equal(stage.changes.length, length);
    }
  });
});

const kinds: Readonly<Record<string, SimulatedFaults>> = {
  'requests that get lost': { lostRequest: 0.3, lostAnswer: 0.2, noAnswer: 0.1 },
  'a server under load': { refused: 0.5, slowestMs: 90_000 },
  'watches that break': { cutWatch: 0.1, silentWatch: 0.05, errorEvent: 0.05 },
  'events that are missed or repeated': { missedEvent: 0.1, repeatedEvent: 0.3 },
  'all of it': {
    lostRequest: 0.1,
    lostAnswer: 0.05,
    noAnswer: 0.03,
    refused: 0.1,
    slowestMs: 20_000,
    missedEvent: 0.05,
    repeatedEvent: 0.1,
    cutWatch: 0.05,
    silentWatch: 0.02,
    errorEvent: 0.02,
  },
};

describe('the cache of a reflector becomes equal to the truth', () => {
  for (const [what, faults] of Object.entries(kinds)) {
    it(`after ${what}`, async () => {
      let missed = 0;
      let found = 0;
      for (let seed = 1; seed <= 60; seed++) {
        const stage = new Stage(seed, 90_000);
        stage.server.faults = faults;
        stage.writeRandomly(900_000);
        stage.start();
        await stage.run(900_000);
        stage.server.faults = {};
        // Two audits, and whatever was under way.
        await stage.run(900_000 + 360_000);
        assert.ok(stage.isEqual(), `seed ${seed}`);
        missed += stage.server.missed;
        found += await stage.metric('firn_watch_missed_events_total\\{resource="widgets.test"\\}');
        await stage.end();
      }
      // Most missed events are made up for by a later event, or a list, of the same object.
      if ((faults.missedEvent ?? 0) > 0) assert.ok(found > 0 && missed > found, `${missed}, ${found}`);
      else assert.equal(found, 0, 'an audit finds nothing that was not missed');
    });
  }
});
