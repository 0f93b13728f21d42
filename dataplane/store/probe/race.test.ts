import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ETag } from '../object-store.ts';
import { bodyOf } from './probe-ground.ts';
import { judgeRace } from './race.ts';
import type { Racer, Shown, Told } from './race.ts';

const etag = '"e"' as ETag;
const won: Told = { kind: 'won', etag };
const lost: Told = { kind: 'lost' };
const unknown: Told = { kind: 'error', landed: 'maybe', code: 'TIMEOUT' };
const refused: Told = { kind: 'error', landed: 'no', code: 'CONFLICT' };
const untouched: Shown = { kind: 'untouched' };

function racers(...told: readonly Told[]): Racer[] {
  return told.map((told, i) => ({ id: `w${i}`, body: [bodyOf(`w${i}`)], told }));
}

function shows(racer: number, body = bodyOf(`w${racer}`), shownEtag = etag): Shown {
  return { kind: 'object', id: `w${racer}`, etag: shownEtag, body };
}

test('one winner whose object is there', () => {
  const verdict = judgeRace(racers(lost, won, lost), shows(1));
  assert.equal(verdict.kind === 'one-winner' && verdict.winner.id, 'w1');
});

test('a writer whose answer was lost, or who was told 412 by its own second copy, may be the winner', () => {
  for (const told of [unknown, lost]) {
    const verdict = judgeRace(racers(lost, told, unknown), shows(1));
    assert.equal(verdict.kind === 'one-winner' && verdict.winner.id, 'w1');
  }
});

test('nobody won', () => {
  assert.deepEqual(judgeRace(racers(lost, unknown, refused), untouched), {
    kind: 'no-winner',
    errors: 2,
    example: 'TIMEOUT',
  });
  assert.deepEqual(judgeRace(racers(lost, lost), untouched), {
    kind: 'no-winner',
    errors: 0,
    example: undefined,
  });
});

test('what no loss of answers explains is a violation', () => {
  for (const [told, shown, what] of [
    [[won, won, lost], shows(0), /2 of 3 writers .* told they had won/],
    [[won, lost], untouched, /does not show its object/],
    [[won, lost], shows(1), /both took effect/],
    [[won, unknown], shows(1), /both took effect/],
    [[lost, lost], { ...shows(0), id: 'stranger' }, /"stranger", which no writer had/],
    [[lost, refused], shows(1), /got CONFLICT, which says that nothing was written/],
    [[lost, won], shows(1, bodyOf('w0')), /not its bytes \(2\)/],
    [[lost, won], shows(1, bodyOf('w1'), '"f"' as ETag), /was told ETag "e", and GET shows "f"/],
  ] as const) {
    const verdict = judgeRace(racers(...told), shown as Shown);
    assert.ok(verdict.kind === 'violation' && what.test(verdict.what), JSON.stringify(verdict));
  }
});
