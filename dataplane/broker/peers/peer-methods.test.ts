import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { hexId } from '../../cluster/cluster-fixture.ts';
import type { FileMetrics } from '../../columnar/data-file.ts';
import type { TableSchema, TableType } from '../../schema/table-type.ts';
import type {
  CollectAnswer,
  CollectRequest,
  Committable,
  PartitionAnswer,
  TableWorkers,
} from '../../table/table-workers.ts';
import { withinBudget } from './answer-budget.ts';
import { durableMethod, loadsMethod, nudgeMethod, releasedMethod } from './cluster-methods.ts';
import { PeerError } from './peer-error.ts';
import { encodePeerFrame } from './peer-frame.ts';
import type { PeerShape } from './peer-method.ts';
import { PeerTableWorkers } from './peer-table-workers.ts';
import { collectMethod, committedMethod, maxAnswerBytes } from './table-methods.ts';

/** As it arrives at the other broker. */
function sent<T>(shape: PeerShape<T>, value: T): T {
  const json = JSON.stringify([shape.encode(value) ?? null]);
  const [arrived] = JSON.parse(json) as [unknown];
  return shape.decode(arrived);
}

/** With the prototype of all objects, as what is decoded has. */
function record<T>(model: { readonly [Key in keyof T]: fc.Arbitrary<T[Key]> }): fc.Arbitrary<T> {
  return fc.record(model, { noNullPrototype: true });
}

const offset = fc.maxSafeNat();
const id = fc.nat(2 ** 31 - 1);
const text = fc.string({ unit: 'binary', maxLength: 20 });
const hex = fc.nat().map((number) => hexId('a', number));
const counts = fc.array(fc.tuple(id, offset), { maxLength: 5 }).map((entries) => new Map(entries));
// As they come from the network: `deepEqual` tells a Buffer from another Uint8Array.
const bounds = fc
  .array(
    fc.tuple(
      id,
      fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes)),
    ),
    { maxLength: 5 },
  )
  .map((entries) => new Map<number, Uint8Array>(entries));

const metrics: fc.Arbitrary<FileMetrics> = record({
  columnSizes: counts,
  valueCounts: counts,
  nullValueCounts: counts,
  nanValueCounts: counts,
  lowerBounds: bounds,
  upperBounds: bounds,
  splitOffsets: fc.array(offset, { maxLength: 3 }),
});

const committable: fc.Arbitrary<Committable> = record({
  partition: id,
  from: offset,
  to: offset,
  file: fc.option(
    record({
      path: text,
      sizeBytes: offset,
      recordCount: offset,
      metrics,
      schemaId: id,
      specId: id,
      maxTimestampMs: fc.integer({ min: -1, max: Number.MAX_SAFE_INTEGER }),
    }),
    { nil: undefined },
  ),
});

const answer: fc.Arbitrary<CollectAnswer> = fc.oneof(
  record({
    kind: fc.constant('collected' as const),
    partitions: fc.array(
      record({
        partition: id,
        committables: fc.array(committable, { maxLength: 3 }),
        firstSchemaId: fc.option(id, { nil: undefined }),
      }),
      { maxLength: 4 },
    ),
  }),
  record({ kind: fc.constant('stale-epoch' as const), epoch: offset }),
);

const { type } = fc.letrec<{ type: TableType }>((tie) => ({
  type: fc.oneof(
    { maxDepth: 3 },
    fc.constantFrom<TableType>(
      { kind: 'int' },
      { kind: 'string' },
      { kind: 'timestamptz' },
      { kind: 'uuid' },
    ),
    record({ kind: fc.constant('fixed' as const), lengthBytes: fc.integer({ min: 1, max: 99 }) }),
    fc.tuple(fc.integer({ min: 1, max: 38 }), fc.nat(38)).map(([precision, scale]) => ({
      kind: 'decimal' as const,
      precision,
      scale: Math.min(scale, precision),
    })),
    record({
      kind: fc.constant('list' as const),
      elementId: fc.integer({ min: 1, max: 1_000 }),
      elementRequired: fc.boolean(),
      element: tie('type'),
    }),
    record({
      kind: fc.constant('map' as const),
      keyId: fc.integer({ min: 1, max: 1_000 }),
      key: tie('type'),
      valueId: fc.integer({ min: 1, max: 1_000 }),
      valueRequired: fc.boolean(),
      value: tie('type'),
    }),
  ),
}));

const schema: fc.Arbitrary<TableSchema> = fc.uniqueArray(text, { maxLength: 5 }).chain((names) =>
  record({
    schemaId: id,
    struct: fc
      .tuple(
        ...names.map((name, at) =>
          record({ id: fc.constant(at + 1), name: fc.constant(name), required: fc.boolean(), type }),
        ),
      )
      .map((fields) => ({ kind: 'struct' as const, fields })),
  }),
);

const progress = record({ partition: id, committed: offset });

const request: fc.Arbitrary<CollectRequest> = record({
  topicId: hex,
  epoch: offset,
  table: fc.option(record({ uuid: text, location: text, schema, specId: id }), { nil: undefined }),
  partitions: fc.array(progress, { maxLength: 5 }),
  finish: fc.boolean(),
  waitMs: fc.nat(10_000),
});

/** As large as they get, for so many columns with bounds of so many bytes. */
function metricsOf(columns: number, boundBytes: number): FileMetrics {
  const ids = Array.from({ length: columns }, (_, at) => at + 1);
  const sizes = new Map(ids.map((column) => [column, 2 ** 52]));
  const bound = new Map<number, Uint8Array>(ids.map((column) => [column, Buffer.alloc(boundBytes, 7)]));
  return {
    columnSizes: sizes,
    valueCounts: sizes,
    nullValueCounts: sizes,
    nanValueCounts: sizes,
    lowerBounds: bound,
    upperBounds: bound,
    splitOffsets: [2 ** 52],
  };
}

function partitionAnswer(
  partition: number,
  files: number,
  fileMetrics: FileMetrics = metricsOf(50, 16),
): PartitionAnswer {
  const committables = Array.from({ length: files }, (_, from) => ({
    partition,
    from,
    to: from + 1,
    file: {
      path: `file:///${'ü'.repeat(300)}`,
      sizeBytes: 2 ** 52,
      recordCount: 2 ** 52,
      metrics: fileMetrics,
      schemaId: 2 ** 31 - 1,
      specId: 2 ** 31 - 1,
      maxTimestampMs: 2 ** 52,
    },
  }));
  return { partition, committables, firstSchemaId: 2 ** 31 - 1 };
}

describe('what brokers ask each other', () => {
  it('arrives as it was meant', () => {
    fc.assert(fc.property(request, (value) => assert.deepEqual(sent(collectMethod.request, value), value)));
    fc.assert(fc.property(answer, (value) => assert.deepEqual(sent(collectMethod.response, value), value)));
    const committed = record({ topicId: hex, epoch: offset, partitions: fc.array(progress) });
    fc.assert(
      fc.property(committed, (value) => assert.deepEqual(sent(committedMethod.request, value), value)),
    );
    const question = record({
      sid: hex,
      slot: fc.integer({ min: -1, max: Number.MAX_SAFE_INTEGER }),
      waitMs: fc.nat(60_000),
    });
    fc.assert(fc.property(question, (value) => assert.deepEqual(sent(durableMethod.request, value), value)));
    const group = fc.tuple(hex, fc.nat()).map(([topicId, index]) => `${topicId}-${index}`);
    const groups = fc.array(record({ group, generation: offset }));
    fc.assert(
      fc.property(groups, (value) =>
        assert.deepEqual(sent(releasedMethod.request, { groups: value }), { groups: value }),
      ),
    );
    const loads = fc.array(fc.tuple(group, offset)).map((entries) => new Map(entries));
    fc.assert(fc.property(loads, (value) => assert.deepEqual(sent(loadsMethod.response, value), value)));
    assert.deepEqual(sent(nudgeMethod.request, { version: 7 }), { version: 7 });
    for (const slot of [undefined, -1, 0, 2 ** 53 - 1])
      assert.deepEqual(sent(durableMethod.response, { slot }), { slot });
  });

  it('is checked: nothing of another shape gets through', () => {
    const codecs: readonly PeerShape<never>[] = [
      collectMethod.request,
      collectMethod.response,
      committedMethod.request,
      durableMethod.request,
      releasedMethod.request,
      loadsMethod.response,
      nudgeMethod.request,
    ] as unknown as readonly PeerShape<never>[];
    for (const codec of codecs)
      for (const json of [undefined, null, 7, 'x', [], {}]) assert.throws(() => codec.decode(json));
    const spoilt = fc.jsonValue();
    const good = collectMethod.response.encode({
      kind: 'collected',
      partitions: [partitionAnswer(1, 1, metricsOf(1, 1))],
    });
    const flat = JSON.stringify(good);
    // Each value of a good answer in turn becomes any other value: it is refused, or it is still a good answer.
    fc.assert(
      fc.property(fc.nat(), spoilt, (at, value) => {
        const places = flat.match(/(?<=[:[,])(-?\d+|"[^"]*"|\[\]|true|false)(?=[,\]}])/g)?.length ?? 0;
        let index = 0;
        const bad = flat.replace(/(?<=[:[,])(-?\d+|"[^"]*"|\[\]|true|false)(?=[,\]}])/g, (old) =>
          index++ === at % places ? JSON.stringify(value) : old,
        );
        let decoded: CollectAnswer;
        try {
          decoded = collectMethod.response.decode(JSON.parse(bad));
        } catch {
          return;
        }
        assert.deepEqual(sent(collectMethod.response, decoded), decoded);
      }),
    );
    for (const bytes of [7, null, 'ä', 'x y'])
      assert.throws(() => {
        collectMethod.response.decode(JSON.parse(flat.replace('"Bw=="', JSON.stringify(bytes))));
      });
    assert.throws(() => loadsMethod.response.decode({ loads: [['x', 1]] }));
    assert.throws(() => durableMethod.request.decode({ sid: hexId('a', 1), slot: 0, waitMs: 60_001 }));
  });
});

describe('an answer with files', () => {
  it('fits into a message, however many there are, and no partition waits for ever', () => {
    for (const [partitions, files, columns, boundBytes] of [
      [250, 8, 60, 16],
      [1, 5_000, 50, 16],
      [100, 2, 1_000, 16],
      [10, 100, 5, 5_000],
    ] as const) {
      const large = metricsOf(columns, boundBytes);
      const all = Array.from({ length: partitions }, (_, at) => partitionAnswer(at, files, large));
      const body = collectMethod.response.encode({ kind: 'collected', partitions: all });
      const [header, bytes] = encodePeerFrame({ kind: 'response', id: 1, body });
      assert.ok(header !== undefined && bytes !== undefined);
      assert.ok(bytes.length > maxAnswerBytes / 5, `${bytes.length} bytes are few`);
      const kept = withinBudget(all, maxAnswerBytes).map(({ committables }) => committables.length);
      assert.ok(Math.max(...kept) - Math.min(...kept) <= 1);
    }
  });

  it('is all there when it fits', () => {
    const all = [partitionAnswer(1, 3), partitionAnswer(2, 0)];
    assert.deepEqual(withinBudget(all, maxAnswerBytes), all);
    // What is left is the beginning of each list: files must follow each other.
    const cut = withinBudget([partitionAnswer(1, 30)], 100_000);
    const froms = cut[0]?.committables.map(({ from }) => from) ?? [];
    assert.deepEqual(froms, Array.from(froms.keys()));
    assert.ok(froms.length > 0 && froms.length < 30);
  });

  it('of many partitions comes in several', async () => {
    const asked: CollectRequest[] = [];
    const answers = new Map<number, CollectAnswer>();
    const failures = new Map<number, Error>();
    const peers = {
      request: (_broker: number, _method: unknown, question: unknown) => {
        asked.push(question as CollectRequest);
        const failure = failures.get(asked.length);
        if (failure !== undefined) return Promise.reject(failure);
        const { partitions } = question as CollectRequest;
        const found = answers.get(asked.length) ?? {
          kind: 'collected',
          partitions: partitions.map(({ partition }) => partitionAnswer(partition, 0)),
        };
        return Promise.resolve(found as never);
      },
    };
    const workers: TableWorkers = new PeerTableWorkers(peers, 1);
    const partitions = Array.from({ length: 600 }, (_, partition) => ({ partition, committed: 0 }));
    const question: CollectRequest = {
      topicId: hexId('a', 1),
      epoch: 1,
      table: undefined,
      partitions,
      finish: true,
      waitMs: 100,
    };
    const collected = await workers.collect(question);
    assert.ok(collected.kind === 'collected');
    assert.deepEqual(
      collected.partitions.map(({ partition }) => partition),
      partitions.map(({ partition }) => partition),
    );
    assert.deepEqual(
      asked.map((one) => one.partitions.length),
      [250, 250, 100],
    );
    answers.set(5, { kind: 'stale-epoch', epoch: 9 });
    assert.deepEqual(await workers.collect(question), { kind: 'stale-epoch', epoch: 9 });
    await workers.collect({ ...question, partitions: [] });
    assert.equal(asked.length, 7, 'also a coordinator without partitions there says who it is');
    // One that fails does not keep the others' files.
    failures.set(9, new PeerError('failed', 'too much'));
    const some = await workers.collect(question);
    assert.ok(some.kind === 'collected');
    assert.equal(some.partitions.length, 350);
    for (const at of [11, 12, 13]) failures.set(at, new PeerError('timeout', 'too late'));
    await assert.rejects(workers.collect(question), /too late/);
  });
});
