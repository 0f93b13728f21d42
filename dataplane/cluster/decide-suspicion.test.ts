import assert from 'node:assert/strict';
import { test } from 'node:test';
import { markDead } from './broker-changes.ts';
import { assertRefused, clusterOf, hexId, made } from './cluster-fixture.ts';
import type { ClusterState } from './cluster-state.ts';
import { decideSuspicion, noSuspicionMemory, watchSuspicions } from './decide-suspicion.ts';
import type { Link, SuspicionAction } from './decide-suspicion.ts';
import { accuse, refute, withdraw } from './suspicion-changes.ts';

const sid = (id: number): string => hexId('5', id);
const broker = (id: number) => ({ id, sid: sid(id) });
const accusation = (by: number, accused: number, nonce: number, refutations = 0) => ({
  accused: broker(accused),
  by: broker(by),
  nonce: hexId('c', nonce),
  atMs: 1_760_000_000_000,
  refutations,
});

/** Broker 1 of a cluster of three, which polls every second and has this link to broker 2. */
class Watcher {
  state: ClusterState = clusterOf('a', 'a', 'a');
  link: Link = { state: 'up' };
  nowMs = 0;
  #memory = noSuspicionMemory;

  /** The actions at each of so many seconds. */
  watch(seconds: number): SuspicionAction[] {
    let actions: SuspicionAction[] = [];
    for (let second = 0; second < seconds; second += 1) {
      this.nowMs += 1000;
      this.#memory = watchSuspicions(this.#memory, this.state, this.nowMs);
      actions = this.decide();
    }
    return actions;
  }

  decide(): SuspicionAction[] {
    return decideSuspicion(this.state, broker(1), new Map([[2, this.link]]), this.#memory, this.nowMs);
  }
}

test('a link that is up, or down for a moment, makes nobody a suspect', () => {
  const watcher = new Watcher();
  assert.deepEqual(watcher.watch(3), []);
  watcher.link = { state: 'down', sinceMs: 2_000 };
  assert.deepEqual(watcher.decide(), []);
});

test('down for longer: accuse; unrefuted for five seconds: dead', () => {
  const watcher = new Watcher();
  watcher.link = { state: 'down', sinceMs: 0 };
  assert.deepEqual(watcher.watch(2), [{ kind: 'accuse', id: 2, sid: sid(2), refutations: 0 }]);
  watcher.state = made(accuse(watcher.state, accusation(1, 2, 1)));
  assert.deepEqual(watcher.watch(5), []);
  const [verdict] = watcher.watch(1);
  assert.deepEqual(verdict, { kind: 'mark-dead', id: 2, sid: sid(2), evidence: { nonce: hexId('c', 1) } });
});

test('two seconds are enough when a second broker confirms', () => {
  const watcher = new Watcher();
  watcher.watch(4);
  watcher.link = { state: 'down', sinceMs: 4_000 };
  watcher.state = made(accuse(watcher.state, accusation(3, 2, 3)));
  assert.deepEqual(watcher.watch(2), [{ kind: 'accuse', id: 2, sid: sid(2), refutations: 0 }]);
  watcher.state = made(accuse(watcher.state, accusation(1, 2, 1)));
  assert.deepEqual(watcher.watch(1), [
    { kind: 'mark-dead', id: 2, sid: sid(2), evidence: { nonce: hexId('c', 3) } },
  ]);
});

test('a process that is gone is dead at once', () => {
  const watcher = new Watcher();
  watcher.link = { state: 'refused-twice' };
  assert.deepEqual(watcher.decide(), [{ kind: 'mark-dead', id: 2, sid: sid(2), evidence: 'gone' }]);
});

test('one that answers, but is cut from the store, is accused after three seconds', () => {
  const watcher = new Watcher();
  watcher.watch(3);
  watcher.link = { state: 'storeless', sinceMs: 3_000 };
  assert.deepEqual(watcher.watch(2), []);
  assert.deepEqual(watcher.watch(1), [{ kind: 'accuse', id: 2, sid: sid(2), refutations: 0 }]);
  watcher.state = made(accuse(watcher.state, accusation(1, 2, 1)));
  assert.deepEqual(watcher.watch(5), []);
  assert.equal(watcher.watch(1)[0]?.kind, 'mark-dead');
});

test('in an outage of the store nobody is accused of not reaching it, nor right after', () => {
  const watcher = new Watcher();
  watcher.watch(3);
  watcher.link = { state: 'storeless', sinceMs: 3_000 };
  watcher.nowMs += 60_000;
  assert.deepEqual(watcher.decide(), []);
  assert.deepEqual(watcher.watch(3), []);
  watcher.link = { state: 'up' };
  assert.deepEqual(watcher.watch(5), []);
});

test('whoever is accused refutes, and then is left alone: 10 s, 20 s, 40 s, 60 s, 60 s', () => {
  const watcher = new Watcher();
  watcher.link = { state: 'down', sinceMs: -10_000 };
  for (const [refutations, seconds] of [10, 20, 40, 60, 60].entries()) {
    watcher.state = made(accuse(watcher.state, accusation(1, 2, 1 + refutations, refutations)));
    const accused = decideSuspicion(watcher.state, broker(2), new Map(), noSuspicionMemory, 0);
    assert.deepEqual(accused, [{ kind: 'refute' }]);
    watcher.state = made(refute(watcher.state, broker(2)));
    assert.deepEqual(watcher.watch(seconds), []);
    assert.deepEqual(watcher.watch(1), [
      { kind: 'accuse', id: 2, sid: sid(2), refutations: refutations + 1 },
    ]);
  }
});

test('a refutation that lands first wins over the verdict and over other accusers', () => {
  const accused = made(accuse(clusterOf('a', 'a', 'a'), accusation(1, 2, 1)));
  const refuted = made(refute(accused, broker(2)));
  assert.equal(refute(refuted, broker(2)), refuted);
  assertRefused(accuse(refuted, accusation(3, 2, 3)), 'REFUTED', /has refuted 1 times, not 0/);
  const verdict = { ...broker(2), by: broker(1), evidence: { nonce: hexId('c', 1) } };
  assertRefused(markDead(refuted, verdict), 'REFUTED');
});

test('a link that comes back takes the accusation back', () => {
  const watcher = new Watcher();
  watcher.state = made(accuse(watcher.state, accusation(1, 2, 1)));
  watcher.state = made(accuse(watcher.state, accusation(3, 2, 3)));
  assert.deepEqual(watcher.watch(1), [{ kind: 'withdraw', id: 2 }]);
  watcher.state = made(withdraw(watcher.state, { accused: 2, by: broker(1) }));
  assert.deepEqual(watcher.watch(1), []);
  watcher.state = made(withdraw(watcher.state, { accused: 2, by: broker(3) }));
  assert.equal(watcher.state.suspicions.size, 0);
});

test('time in which the store could not be read does not count against the accused', () => {
  const watcher = new Watcher();
  watcher.link = { state: 'down', sinceMs: 0 };
  watcher.state = made(accuse(watcher.state, accusation(1, 2, 1)));
  watcher.watch(3);
  watcher.nowMs += 3_600_000;
  assert.deepEqual(watcher.watch(5), []);
  assert.equal(watcher.watch(1)[0]?.kind, 'mark-dead');
});

test('right after an outage of the store a confirmed accusation takes five seconds too', () => {
  const watcher = new Watcher();
  watcher.watch(1);
  watcher.nowMs += 60_000;
  watcher.link = { state: 'down', sinceMs: 0 };
  watcher.state = made(accuse(watcher.state, accusation(1, 2, 1)));
  watcher.state = made(accuse(watcher.state, accusation(3, 2, 3)));
  assert.deepEqual(watcher.watch(5), []);
  assert.equal(watcher.watch(1)[0]?.kind, 'mark-dead');
});

test('an accusation after a refutation starts from zero', () => {
  const watcher = new Watcher();
  watcher.link = { state: 'down', sinceMs: 0 };
  watcher.state = made(accuse(watcher.state, accusation(1, 2, 1)));
  watcher.watch(5);
  watcher.state = made(refute(watcher.state, broker(2)));
  watcher.state = made(accuse(watcher.state, accusation(1, 2, 2, 1)));
  assert.deepEqual(watcher.watch(5), []);
});

test('an accuser says it once, and the dead are neither accusers nor accused', () => {
  const state = made(accuse(clusterOf('a', 'a', 'a'), accusation(1, 2, 1)));
  assert.equal(accuse(state, accusation(1, 2, 2)), state);
  const dead = made(markDead(state, { ...broker(2), by: broker(1), evidence: 'gone' }));
  assertRefused(accuse(dead, accusation(1, 2, 3)), 'SESSION_DEAD');
  assertRefused(accuse(dead, accusation(2, 1, 3)), 'SESSION_DEAD');
  assertRefused(refute(dead, broker(2)), 'SESSION_DEAD');
  const watcher = new Watcher();
  watcher.state = dead;
  watcher.link = { state: 'refused-twice' };
  assert.deepEqual(watcher.decide(), []);
  assert.deepEqual(decideSuspicion(dead, broker(2), new Map([[1, watcher.link]]), noSuspicionMemory, 0), []);
});
