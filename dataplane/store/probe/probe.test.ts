import assert from 'node:assert/strict';
import { test } from 'node:test';
import { realRuntime } from '../../runtime/real-runtime.ts';
import type { Runtime } from '../../runtime/runtime.ts';
import { StoreError } from '../errors.ts';
import { createMemoryStore, MemoryObjects } from '../memory.ts';
import * as broken from './broken-stores.ts';
import { probeStore } from './probe.ts';
import type { CaseReport, ProbeOptions, ProbeReport } from './probe.ts';

/** Waits a hundredth of the time, so that back-off costs nothing. */
const hurried: Runtime = {
  ...realRuntime,
  after: (delayMs, callback) => realRuntime.after(delayMs / 100, callback),
};

/** Random, but the same in every run. */
function seeded(seed: number): Runtime['random'] {
  let state = seed;
  const uint32 = (): number => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    // The low bits of this generator are poor.
    return ((state >>> 16) | (state << 16)) >>> 0;
  };
  return { uint32, fraction: () => uint32() / 2 ** 32, bytes: (count) => new Uint8Array(count) };
}

function probe(open: broken.Open, options: Partial<ProbeOptions> = {}): Promise<ProbeReport> {
  return probeStore({ endpoints: [open], runtime: hurried, rounds: 10, largeBodyBytes: 100_000, ...options });
}

function caseOf(report: ProbeReport, name: string): CaseReport {
  const found = report.cases.find((one) => one.name === name);
  assert.ok(found, `no case ${name}`);
  return found;
}

test('a right store is accepted, case by case, and is empty afterwards', async () => {
  const objects = new MemoryObjects();
  let opened = 0;
  const seen: string[] = [];
  const report = await probeStore({
    endpoints: [
      () => {
        opened++;
        return Promise.resolve(createMemoryStore({ runtime: realRuntime, objects }));
      },
    ],
    runtime: hurried,
    largeBodyBytes: 100_000,
    onCase: ({ name }) => seen.push(name),
  });
  assert.equal(report.verdict, 'accepted', report.sentence);
  assert.equal(report.sentence, 'memory: is accepted: each race of 32 writers had exactly one winner.');
  assert.deepEqual(
    report.cases.filter(({ verdict }) => verdict !== 'passed'),
    [],
  );
  assert.equal(caseOf(report, 'racing-creates').rounds, 30);
  assert.equal(caseOf(report, 'ranged-get').rounds, 1);
  assert.deepEqual(
    seen,
    report.cases.map(({ name }) => name),
  );
  assert.equal(opened, 2, 'two handles to the one endpoint');
  assert.equal(objects.byKey.size, 0);
  assert.equal(report.leftovers, undefined);
});

/** Each broken store with the case that must be the first to find it out. */
const refused: readonly (readonly [what: string, open: broken.Open, caseName: string, detail: RegExp])[] = (
  [
    ['ignores If-None-Match', broken.ignoresIfAbsent, 'create-on-existing', /the PUT was accepted/],
    ['ignores If-Match', broken.ignoresIfMatch, 'stale-if-match', /the PUT was accepted/],
    ['ignores If-Match on a missing key', broken.ignoresIfMatchOnMissing, 'if-match-on-missing', /accepted/],
    ['knows no conditions', broken.knowsNoConditions, 'write-read-delete', /501 NotImplemented/],
    [
      'checks, then acts',
      broken.checksThenActs(realRuntime),
      'racing-creates',
      /32 of 32 writers .* had won/,
    ],
    [
      'lets two win a create now and then',
      broken.sometimesLetsTwoWin(seeded(1), 40, 'ifAbsent'),
      'racing-creates',
      /in round \d+ of 10 2 of 32 writers with the same condition were told they had won/,
    ],
    [
      'lets two win an If-Match now and then',
      broken.sometimesLetsTwoWin(seeded(2), 40, 'ifMatch'),
      'racing-if-match',
      /in round \d+ of 10 \d+ of 32 writers with the same condition were told they had won/,
    ],
    ["keeps a loser's bytes", broken.keepsALosersBytes, 'racing-creates', /both took effect/],
    ['mixes two writes', broken.mixesWrites, 'racing-creates', /the winner was told ETag/],
    ['lets nobody win', broken.letsNobodyWin(), 'racing-creates', /all 32 writers were told/],
    ['remembers deleted keys', broken.remembersDeletedKeys(), 'create-after-delete', /failed its condition/],
    ['shows a stale object on GET', broken.readsStale('get'), 'write-read-delete', /GET shows no object/],
    ['shows a stale object on HEAD', broken.readsStale('head'), 'read-after-create', /HEAD shows no object/],
    ['lists new keys late', broken.listsLate('new'), 'read-after-create', /LIST shows nothing/],
    ['lists deleted keys', broken.listsLate('deleted'), 'read-after-delete', /LIST showed an object after/],
    ['never answers 304', broken.neverAnswers304, 'conditional-get', /"found" instead of 304/],
    ['answers 304 for ever', broken.answers304ForEver, 'conditional-get', /"unchanged" instead of the new/],
    ['ignores ranges', broken.ignoresRanges, 'ranged-get', /\{"start":0,"end":1\} .* returned 1000 bytes/],
    ['refuses long suffixes', broken.refusesLongSuffixes, 'ranged-get', /too long/],
    ['keeps old ids', broken.keepsOldIds, 'object-id', /replaced without an id/],
    ['decodes keys', broken.decodesKeys, 'odd-keys', /"probe-.*plus\+plus"/],
    ['loses later pages', broken.losesLaterPages, 'list-pages', /in pages of 1 does not show/],
    ['repeats keys', broken.repeatsKeysOnPages, 'list-pages', /which it must not/],
    ['deletes half a batch', broken.deletesHalfABatch, 'delete-many', /which it must not/],
  ] as const
).map(([what, breakage, name, detail]) => [what, broken.storeWith(realRuntime, breakage), name, detail]);

for (const [what, open, caseName, detail] of refused) {
  test(`a store that ${what} is refused by ${caseName}`, async () => {
    const report = await probe(open);
    assert.equal(report.verdict, 'refused', report.sentence);
    const first = report.cases.find(({ verdict }) => verdict !== 'passed');
    assert.equal(first?.name, caseName, JSON.stringify(report.cases, undefined, 1));
    assert.equal(first.verdict, 'failed');
    assert.match(first.detail, detail);
    assert.ok(report.sentence.startsWith(`memory:test is refused: case ${caseName}`), report.sentence);
  });
}

test('a store that loses ids is refused, since unknown outcomes could not be resolved', async () => {
  const report = await probe(broken.storeWith(realRuntime, broken.losesIds));
  assert.equal(report.verdict, 'refused');
  assert.match(caseOf(report, 'write-read-delete').detail, /object of another write \(id undefined\)/);
});

for (const [what, breakage, name] of [
  ['checks no checksums', broken.checksNoChecksums, 'wrong-checksum'],
  ['ignores start-after', broken.ignoresStartAfter, 'list-start-after'],
] as const) {
  test(`a store that ${what} is accepted with a warning`, async () => {
    const report = await probe(broken.storeWith(realRuntime, breakage));
    assert.equal(report.verdict, 'accepted', report.sentence);
    assert.equal(caseOf(report, name).verdict, 'warning');
    assert.match(report.sentence, new RegExp(`with a warning from ${name}:`));
  });
}

test('an object that is back once after its deletion is put down to a late request, twice is refused', async () => {
  const once = await probe(broken.storeWith(realRuntime, broken.resurrects(1)));
  assert.equal(once.verdict, 'accepted', once.sentence);
  assert.match(
    caseOf(once, 'read-after-delete').detail,
    /^seen once and put down to a late request: GET, HEAD, LIST showed/,
  );
  const twice = await probe(broken.storeWith(realRuntime, broken.resurrects(2)));
  assert.equal(twice.verdict, 'refused');
  assert.equal(caseOf(twice, 'read-after-delete').verdict, 'failed');
});

test('a right store that takes one write a second to one key is accepted', async () => {
  // A second, as the hurried runtime counts.
  const open = broken.storeWith(realRuntime, broken.throttlesKeys(realRuntime, 10));
  const report = await probe(open, { rounds: 2 });
  assert.equal(report.verdict, 'accepted', report.sentence);
});

test('a right store behind a bad network is accepted', async () => {
  for (let seed = 1; seed <= 6; seed++) {
    const breakage = broken.flaky(hurried, seeded(seed), 0.3);
    const report = await probe(broken.storeWith(realRuntime, breakage), { rounds: 12 });
    assert.equal(report.verdict, 'accepted', `seed ${seed}: ${report.sentence}`);
  }
});

test('a bad network does not hide a double winner', async () => {
  const open = broken.storeWith(realRuntime, (right) => {
    const racy = { ...broken.delegatesTo(right), ...broken.checksThenActs(realRuntime)(right) };
    return broken.flaky(hurried, seeded(3), 0.3)(racy);
  });
  const report = await probe(open);
  assert.equal(report.verdict, 'refused', report.sentence);
  assert.match(report.sentence, /case racing-creates/);
});

for (const [what, breakage, detail] of [
  ['cannot be reached', broken.cannotBeReached, /case write-read-delete: put .* refused/],
  ['never answers', broken.neverAnswers, /no answer within 500 ms/],
] as const) {
  test(`a store that ${what} is not refused: it could not be probed`, async () => {
    const report = await probe(broken.storeWith(realRuntime, breakage), { callTimeoutMs: 500 });
    assert.equal(report.verdict, 'unprobed', report.sentence);
    assert.match(report.sentence, /^memory:test could not be probed: /);
    assert.match(report.sentence, detail);
    assert.equal(report.cases[0]?.verdict, 'unknown');
    assert.ok(report.cases.slice(1).every(({ verdict }) => verdict === 'skipped'));
  });
}

test('a store that breaks a promise and then goes away is refused', async () => {
  const open = broken.storeWith(realRuntime, (right) => ({
    ...broken.ignoresIfAbsent(right),
    list: () =>
      Promise.reject(new StoreError('ACCESS_DENIED', 'no', { operation: 'list', store: right.name })),
  }));
  const report = await probe(open);
  assert.equal(report.verdict, 'refused');
  assert.equal(caseOf(report, 'read-after-create').verdict, 'unknown');
  assert.ok(report.leftovers?.startsWith('probe-'), 'what LIST does not show may be left');
});

test('two endpoints that are not the same store are refused', async () => {
  const [one, other] = [new MemoryObjects(), new MemoryObjects()].map(
    (objects, i) => () =>
      Promise.resolve(createMemoryStore({ runtime: realRuntime, objects, name: `memory:${i}` })),
  );
  assert.ok(one && other);
  const report = await probeStore({
    endpoints: [one, other],
    runtime: hurried,
    rounds: 3,
    largeBodyBytes: 1000,
  });
  assert.equal(report.verdict, 'refused');
  assert.deepEqual(report.endpoints, ['memory:0', 'memory:1']);
});

test('an aborted probe deletes what it wrote and rejects with the reason', async () => {
  const objects = new MemoryObjects();
  const abort = new AbortController();
  const reason = new Error('interrupted');
  const running = probeStore({
    endpoints: [() => Promise.resolve(createMemoryStore({ runtime: realRuntime, objects }))],
    runtime: hurried,
    signal: abort.signal,
    onCase: ({ name }) => {
      if (name === 'create-on-existing') queueMicrotask(() => abort.abort(reason));
    },
  });
  await assert.rejects(running, reason);
  assert.equal(objects.byKey.size, 0);
});
