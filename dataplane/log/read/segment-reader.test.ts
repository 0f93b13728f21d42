import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LogError } from '../errors.ts';
import { segmentKey } from '../format/keys.ts';
import { defaultLogOptions } from '../options.ts';
import { BatchCollector } from './batch-collector.ts';
import { ColdStore } from './cold-store.ts';
import { LogFixture, sidOf } from './log-fixture.ts';
import { assertBatches } from './written-batch.ts';
import { Gone } from './segment-directory.ts';
import { SegmentReader } from './segment-reader.ts';
import type { GetAnswer } from './watched-store.ts';

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

interface Setup {
  readonly fixture: LogFixture;
  readonly cold: ColdStore;
  readonly reader: SegmentReader;
  readonly key: string;
}

/** One segment of partition 0 (and a block of partition 1) with `batches` batches of about 1100 bytes. */
async function oneSegment(batches: number, options: Partial<typeof defaultLogOptions> = {}): Promise<Setup> {
  const fixture = new LogFixture(2);
  await fixture.acquire(sidOf('a'));
  for (let slot = 0; slot < batches; slot += 10) {
    await fixture.append([
      {
        partition: 0,
        batches: Array.from({ length: Math.min(10, batches - slot) }, () => 2),
        valueBytes: 500,
      },
      { partition: 1, batches: [1], valueBytes: 500 },
    ]);
  }
  await fixture.flush();
  fixture.store.forget();
  const cold = new ColdStore(fixture.store, {
    ...defaultLogOptions,
    readChunkBytes: 4096,
    readAheadBytes: 0,
    ...options,
  });
  const [ref] = fixture.entry(0).segments;
  assert(ref !== undefined);
  return { fixture, cold, reader: new SegmentReader(cold), key: segmentKey(fixture.group, ref.object) };
}

async function read(
  { fixture, reader }: Setup,
  offset: number,
  maxBytes: number,
  signal?: AbortSignal,
  partition = 0,
): Promise<number> {
  const collector = new BatchCollector(offset, maxBytes);
  const gone = await reader.collect(fixture.manifest, partition, collector, signal);
  assert.equal(gone, undefined);
  assert(collector.sizeBytes > 0);
  const next = assertBatches(fixture.history(partition), offset, collector.pieces);
  assert.equal(next, collector.nextOffset);
  return next;
}

test('1000 concurrent readers of one segment cost one GET of its index and one of each chunk', async () => {
  const setup = await oneSegment(100);
  const { fixture, cold, key } = setup;
  await Promise.all(
    Array.from({ length: 1000 }, async () => {
      let offset = 0;
      while (offset < fixture.end(0)) offset = await read(setup, offset, 15_000);
    }),
  );
  const seen = fixture.store.gets.map(({ range }) => JSON.stringify(range));
  assert.equal(fixture.store.count(key), seen.length);
  assert.equal(new Set(seen).size, seen.length, 'no range twice');
  const index = cold.indexes.peek(key);
  assert(index !== undefined && index !== 'gone');
  const partitionEnd =
    (fixture.entry(0).segments[0]?.position ?? 0) + (fixture.entry(0).segments[0]?.sizeBytes ?? 0);
  const chunks = index.chunkStarts.slice(0, -1).filter((start) => start < partitionEnd).length;
  assert(chunks > 10);
  assert.equal(seen.length, 1 + chunks);
});

test('an index that is larger than expected costs one more GET', async () => {
  const fixture = new LogFixture(1);
  await fixture.acquire(sidOf('a'));
  await fixture.append([{ partition: 0, batches: Array.from({ length: 2000 }, () => 1), valueBytes: 1 }]);
  await fixture.flush();
  fixture.store.forget();
  const cold = new ColdStore(fixture.store, {
    ...defaultLogOptions,
    readChunkBytes: 4096,
    readAheadBytes: 0,
  });
  await read({ fixture, cold, reader: new SegmentReader(cold), key: '' }, 1000, 1);
  const suffixes = fixture.store.gets.map(({ range }) => range?.suffix);
  assert.equal(suffixes.length, 3);
  assert((suffixes[1] ?? 0) > (suffixes[0] ?? 0));
  assert.equal(suffixes[2], undefined);
});

test('readers of other partitions of the segment share its chunks', async () => {
  const setup = await oneSegment(10, { readChunkBytes: 1024 * 1024 });
  await Promise.all([read(setup, 0, 1e9, undefined, 0), read(setup, 0, 1e9, undefined, 1)]);
  assert.equal(setup.fixture.store.gets.length, 1, 'a small segment comes whole with its index');
});

test('a read at any offset begins with the batch that contains it and goes up to the size asked for', async () => {
  const setup = await oneSegment(30);
  const { fixture } = setup;
  const batchBytes = fixture.history(0)[0]?.bytes.length ?? 0;
  for (let offset = 0; offset < fixture.end(0); offset++) {
    assert.equal(await read(setup, offset, 1), offset - (offset % 2) + 2, 'one batch at least');
    const next = await read(setup, offset, 3 * batchBytes + 10);
    assert(next <= offset - (offset % 2) + 6, 'no more than asked for');
  }
  const all = new BatchCollector(0, 1e9);
  await setup.reader.collect(fixture.manifest, 0, all, undefined);
  assert.equal(all.nextOffset, fixture.end(0), 'what is in memory is taken together');
});

test('memory stays within the bound, kept and under way, however many read', async () => {
  const limit = 40_000;
  const setup = await oneSegment(200, { coldCacheBytes: limit });
  const { fixture, cold } = setup;
  let underWay = 0;
  let most = 0;
  fixture.store.onGet = async (_get, answer) => {
    const found = await answer();
    const bytes = found.kind === 'found' ? found.body.length : 0;
    underWay += bytes;
    most = Math.max(most, underWay);
    await turn();
    underWay -= bytes;
    return found;
  };
  await Promise.all(
    Array.from({ length: 50 }, async (_, reader) => {
      for (let count = 0; count < 20; count++)
        await read(setup, (reader * 37 + count * 101) % fixture.end(0), 1500);
      assert(cold.chunks.keptBytes <= limit);
    }),
  );
  assert(most <= limit / 2, `${most} bytes under way`);
  assert(cold.chunks.counters.evicted > 0);
  assert.equal(cold.gate.insideBytes, 0);
});

test('a reader that goes on is read ahead of while it consumes, and one that jumps is not', async () => {
  const setup = await oneSegment(100, { readAheadBytes: 16_384 });
  const { fixture, cold } = setup;
  let offset = await read(setup, 0, 4096);
  await turn();
  assert.equal(cold.chunks.counters.aheadLoads, 0, 'a first read says nothing');
  offset = await read(setup, offset, 4096);
  await turn();
  assert(cold.chunks.counters.aheadLoads >= 1);
  const loadsBefore = cold.chunks.counters.loads - cold.chunks.counters.aheadLoads;
  while (offset < fixture.end(0)) {
    offset = await read(setup, offset, 4096);
    await turn();
  }
  assert.equal(
    cold.chunks.counters.loads - cold.chunks.counters.aheadLoads,
    loadsBefore,
    'the reader never waited again',
  );
  assert.equal(cold.chunks.counters.aheadWasted, 0);

  const jumping = await oneSegment(100, { readAheadBytes: 16_384 });
  for (let at = 0; at < 10; at++) await read(jumping, (at * 61) % jumping.fixture.end(0), 1000);
  await turn();
  assert.equal(jumping.cold.chunks.counters.aheadLoads, 0);
});

test('read-ahead goes on into the next segments', async () => {
  const fixture = new LogFixture(1);
  await fixture.acquire(sidOf('a'));
  for (let segment = 0; segment < 12; segment++) {
    await fixture.append([{ partition: 0, batches: [1, 1], valueBytes: 400 }]);
    await fixture.flush();
  }
  await fixture.spill(0, 3);
  const cold = new ColdStore(fixture.store, {
    ...defaultLogOptions,
    readChunkBytes: 4096,
    readAheadBytes: 16_384,
  });
  const setup = { fixture, cold, reader: new SegmentReader(cold), key: '' };
  let offset = await read(setup, 0, 1000);
  offset = await read(setup, offset, 1000);
  for (let count = 0; count < 10; count++) await turn();
  fixture.store.forget();
  while (offset < 8) offset = await read(setup, offset, 1000);
  assert.equal(fixture.store.gets.length, 0, 'the next segments were here already');
});

test('an aborted reader does not disturb the others; when the last one leaves, the GET is aborted', async () => {
  const setup = await oneSegment(100);
  const { fixture } = setup;
  await read(setup, 0, 1);
  fixture.store.forget();
  const held = Promise.withResolvers<undefined>();
  fixture.store.onGet = async (_get, answer) => {
    await held.promise;
    return await answer();
  };
  const first = new AbortController();
  const second = new AbortController();
  const a = read(setup, 100, 1, first.signal);
  const b = read(setup, 100, 1, second.signal);
  const c = read(setup, 180, 1, second.signal);
  await turn();
  first.abort(new Error('a left'));
  await assert.rejects(a, /a left/);
  assert.deepEqual(
    fixture.store.signals.map((signal) => signal?.aborted),
    [false, false],
  );
  const d = read(setup, 100, 1);
  await turn();
  second.abort(new Error('b and c left'));
  await assert.rejects(b, /b and c left/);
  await assert.rejects(c, /b and c left/);
  assert.deepEqual(
    fixture.store.signals.map((signal) => signal?.aborted),
    [false, true],
  );
  held.resolve(undefined);
  assert.equal(await d, 102);
  assert.equal(fixture.store.gets.length, 2);
});

const flipBit = (answer: GetAnswer, at: number): GetAnswer => {
  if (answer.kind === 'found')
    answer.body[at % answer.body.length] = (answer.body[at % answer.body.length] ?? 0) ^ 4;
  return answer;
};

test('a bit flipped on the way costs one more GET, never a wrong record', async () => {
  for (let at = 0; at < 9000; at += 211) {
    const setup = await oneSegment(20);
    const { fixture, cold } = setup;
    let flips = 0;
    const flipped = new Set<string>();
    fixture.store.onGet = async ({ range }, answer) => {
      const name = JSON.stringify(range);
      if (flipped.has(name)) return await answer();
      flipped.add(name);
      flips += 1;
      return flipBit(await answer(), at);
    };
    let offset = 0;
    while (offset < fixture.end(0)) offset = await read(setup, offset, 3000);
    // A flip in a tail may hit what is not needed: record bytes before the index.
    assert(cold.verified.counters.repeated >= flips - 1);
  }
});

test('no byte of a small segment, which comes whole, is believed unseen', async () => {
  const { fixture } = await oneSegment(3);
  const sizeBytes =
    (await fixture.store.head(segmentKey(fixture.group, fixture.entry(0).segments[0]?.object ?? '')))
      ?.sizeBytes ?? 0;
  // The header is not needed: the index has a copy of it.
  for (let at = 64; at < sizeBytes; at += 13) {
    const cold = new ColdStore(fixture.store, {
      ...defaultLogOptions,
      readChunkBytes: 4096,
      readAheadBytes: 0,
    });
    const setup = { fixture, cold, reader: new SegmentReader(cold), key: '' };
    let gets = 0;
    fixture.store.onGet = async (_get, answer) =>
      gets++ === 0 ? flipBit(await answer(), at) : await answer();
    assert.equal(await read(setup, 0, 1e9), fixture.end(0), `byte ${at}`);
    assert.equal(gets, 2, `byte ${at}`);
  }
});

test('a damaged object is named, and read again by whoever asks later', async () => {
  for (const damage of ['index', 'chunk'] as const) {
    const setup = await oneSegment(100);
    const { fixture, key } = setup;
    fixture.store.onGet = async ({ range }, answer) => {
      const isIndex = range?.suffix !== undefined;
      const found = await answer();
      return isIndex === (damage === 'index')
        ? flipBit(found, isIndex && found.kind === 'found' ? found.body.length - 80 : 700)
        : found;
    };
    await assert.rejects(read(setup, 0, 1000), (error) => {
      assert(error instanceof LogError);
      assert.equal(error.code, 'CORRUPT_LOG');
      assert(error.message.includes(key), error.message);
      return true;
    });
    const gets = fixture.store.gets.length;
    assert.equal(gets, damage === 'index' ? 2 : 3, 'one repetition');
    fixture.store.onGet = undefined;
    assert.equal(await read(setup, 0, 1000), 2);
  }
});

test('an answer of the wrong range, or a cut one, is not believed', async () => {
  for (const wrong of ['moved', 'cut'] as const) {
    const setup = await oneSegment(100);
    const { fixture, key } = setup;
    await read(setup, 0, 1);
    fixture.store.onGet = async (_get, answer) => {
      const found = await answer();
      if (found.kind !== 'found') return found;
      return wrong === 'cut'
        ? { ...found, body: found.body.subarray(0, -1) }
        : { ...found, offset: found.offset + 1 };
    };
    await assert.rejects(
      read(setup, 150, 1000),
      (error) => error instanceof LogError && error.code === 'CORRUPT_LOG' && error.message.includes(key),
    );
  }
});

test('a truncated object is corruption, not an unsatisfiable range', async () => {
  const setup = await oneSegment(100);
  const { fixture, key } = setup;
  await read(setup, 0, 1);
  const found = await fixture.store.get(key);
  assert(found.kind === 'found');
  await fixture.store.put(key, found.body.subarray(0, 1000));
  await assert.rejects(
    read(setup, 150, 1000),
    (error) => error instanceof LogError && error.code === 'CORRUPT_LOG' && error.message.includes(key),
  );
});

test('a segment of another name under the key is refused', async () => {
  const setup = await oneSegment(20);
  const { fixture, key } = setup;
  await fixture.append([{ partition: 0, batches: [1, 2] }]);
  await fixture.flush();
  const other = await fixture.store.get(
    segmentKey(fixture.group, fixture.entry(0).segments[1]?.object ?? ''),
  );
  assert(other.kind === 'found');
  await fixture.store.put(key, other.body);
  await assert.rejects(
    read(setup, 0, 1000),
    (error) => error instanceof LogError && error.code === 'CORRUPT_LOG' && error.message.includes(key),
  );
});

test('a segment that does not hold what the manifest says is refused', async () => {
  const setup = await oneSegment(20);
  const { fixture, key } = setup;
  const partitions = fixture.manifest.partitions.map((entry) => ({
    ...entry,
    segments: entry.segments.map((ref) => ({ ...ref, endOffset: ref.endOffset + 1 })),
  }));
  const collector = new BatchCollector(0, 1000);
  await assert.rejects(
    setup.reader.collect({ ...fixture.manifest, partitions }, 0, collector, undefined),
    (error) => error instanceof LogError && error.code === 'CORRUPT_LOG' && error.message.includes(key),
  );
});

test('missing objects are reported with their key, also when only the index was in memory', async () => {
  const setup = await oneSegment(100);
  const { fixture, key, reader } = setup;
  await read(setup, 0, 1);
  await fixture.store.delete(key);
  const collector = new BatchCollector(150, 1000);
  const gone = await reader.collect(fixture.manifest, 0, collector, undefined);
  assert(gone instanceof Gone);
  assert.equal(gone.key, key);
  assert.equal(collector.sizeBytes, 0);
});

test('pages are read once, checked against the manifest, and found gone when they are', async () => {
  const fixture = new LogFixture(1);
  await fixture.acquire(sidOf('a'));
  for (let segment = 0; segment < 6; segment++) {
    await fixture.append([{ partition: 0, batches: [2, 3] }]);
    await fixture.flush();
  }
  const object = await fixture.spill(0, 2);
  const page = `pg/`;
  const fresh = (): Setup => {
    const cold = new ColdStore(fixture.store, {
      ...defaultLogOptions,
      readChunkBytes: 4096,
      readAheadBytes: 0,
    });
    return { fixture, cold, reader: new SegmentReader(cold), key: '' };
  };
  fixture.store.forget();
  const setup = fresh();
  await Promise.all(Array.from({ length: 20 }, (_, offset) => read(setup, offset, 1000)));
  assert.equal(fixture.store.count(page), 1);

  const key = fixture.store.gets.find((get) => get.key.endsWith(object))?.key ?? '';
  const stored = await fixture.store.get(key);
  assert(stored.kind === 'found');
  await fixture.store.put(key, flipBit(stored, 40).kind === 'found' ? stored.body : new Uint8Array());
  await assert.rejects(
    read(fresh(), 0, 1000),
    (error) => error instanceof LogError && error.code === 'CORRUPT_LOG' && error.message.includes(key),
  );
  await fixture.store.delete(key);
  const gone = await fresh().reader.collect(fixture.manifest, 0, new BatchCollector(0, 100), undefined);
  assert(gone instanceof Gone && gone.key === key);
});
