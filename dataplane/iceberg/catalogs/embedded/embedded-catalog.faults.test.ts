import assert from 'node:assert/strict';
import { test } from 'node:test';
import { sleep } from '../../../runtime/runtime.ts';
import type { Runtime } from '../../../runtime/runtime.ts';
import { VirtualTime } from '../../../runtime/virtual-time.ts';
import { allFaults } from '../../../store/simulated/faults.ts';
import { SimulatedStore } from '../../../store/simulated/simulated-store.ts';
import type { LoadedTable } from '../../catalog.ts';
import { CatalogError } from '../../errors.ts';
import { orders, ordersStruct } from '../../iceberg-fixture.ts';
import { randomSnapshotId } from '../../random-ids.ts';
import type { TableUpdate } from '../../table-update.ts';
import { EmbeddedCatalog } from './embedded-catalog.ts';

/** A store that loses answers, applies requests late or twice and fails after acting, far more often than any real one. */
const faults = {
  ...allFaults,
  answerLost: 0.08,
  lateLanding: 0.04,
  duplicate: 0.05,
  errorWithEffect: 0.04,
  requestLost: 0.03,
  landsLateMs: { min: 10, max: 120_000 },
};

const committers = 4;
const commitsEach = 12;

interface Told {
  readonly applied: Set<bigint>;
  readonly conflict: Set<bigint>;
  readonly unknown: Set<bigint>;
  /** Told that nothing was or will be changed. */
  readonly unavailable: Set<bigint>;
}

async function untilAnswered<T>(runtime: Runtime, call: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await call();
    } catch (error) {
      if (!(error instanceof CatalogError && (error.retriable || error.code === 'UNKNOWN_OUTCOME')))
        throw error;
      await sleep(runtime, 500);
    }
  }
}

async function commitOften(catalog: EmbeddedCatalog, runtime: Runtime, told: Told): Promise<void> {
  for (let at = 0; at < commitsEach; at += 1) {
    const { metadata } = await untilAnswered(runtime, () => catalog.loadTable(orders));
    const snapshotId = randomSnapshotId(runtime.random);
    const base = metadata.currentSnapshotId;
    const updates: TableUpdate[] = [
      {
        action: 'add-snapshot',
        snapshot: {
          snapshotId,
          parentSnapshotId: base,
          sequenceNumber: metadata.lastSequenceNumber + 1,
          timestampMs: runtime.wallMs(),
          manifestList: 'memory:/tables/none.avro',
          summary: { operation: 'append' },
          schemaId: 0,
        },
      },
      { action: 'set-snapshot-ref', refName: 'main', ref: { snapshotId, type: 'branch' } },
    ];
    try {
      const requirement = { type: 'assert-ref-snapshot-id', ref: 'main', snapshotId: base } as const;
      await catalog.commitTable(orders, [requirement], updates);
      told.applied.add(snapshotId);
    } catch (error) {
      if (!(error instanceof CatalogError)) throw error;
      const { code } = error;
      if (code === 'CONFLICT') told.conflict.add(snapshotId);
      else if (code === 'UNKNOWN_OUTCOME') told.unknown.add(snapshotId);
      else if (code === 'UNAVAILABLE') told.unavailable.add(snapshotId);
      else throw error;
    }
    await sleep(runtime, runtime.random.fraction() * 200);
  }
}

/** Snapshots that are or were current, the newest first. */
function chainOf({ metadata }: LoadedTable): readonly bigint[] {
  const parents = new Map(
    metadata.snapshots.map(({ snapshotId, parentSnapshotId }) => [snapshotId, parentSnapshotId]),
  );
  const chain: bigint[] = [];
  for (let id = metadata.currentSnapshotId; id !== undefined; id = parents.get(id)) chain.push(id);
  return chain;
}

async function play(seed: number): Promise<Record<keyof Told, number>> {
  const time = new VirtualTime({ seed });
  const server = new SimulatedStore({ environment: time.environment, faults });
  const told: Told = { applied: new Set(), conflict: new Set(), unknown: new Set(), unavailable: new Set() };
  let table: LoadedTable | undefined;
  const all = async (): Promise<void> => {
    const first = time.process('first');
    const creator = new EmbeddedCatalog(server.connect(first), first.runtime);
    await untilAnswered(first.runtime, () => creator.ensureNamespace(orders.namespace));
    const request = { struct: ordersStruct, properties: {} };
    await untilAnswered(first.runtime, () => creator.createTable(orders, request)).catch((error: unknown) => {
      // An attempt before it, whose outcome was not known, has landed.
      if (!(error instanceof CatalogError && error.code === 'ALREADY_EXISTS')) throw error;
    });
    const names = Array.from({ length: committers }, (_, at) => `committer-${at}`);
    await Promise.all(
      names.map(async (name) => {
        const process = time.process(name, { wallSkewMs: time.random.between(-90_000, 90_000) });
        await commitOften(
          new EmbeddedCatalog(server.connect(process), process.runtime),
          process.runtime,
          told,
        );
      }),
    );
    // What was under way when its sender gave up may land until here.
    await sleep(first.runtime, 2 * faults.landsLateMs.max);
    const reader = new EmbeddedCatalog(server.connect(first), first.runtime);
    table = await untilAnswered(first.runtime, () => reader.loadTable(orders));
  };
  all().catch((error: unknown) => {
    time.fail(error);
  });
  await time.run({ until: () => table !== undefined });
  assert.ok(table !== undefined);

  const chain = chainOf(table);
  const inChain = new Set(chain);
  const { snapshots } = table.metadata;
  assert.equal(snapshots.length, chain.length, `seed ${seed}: a snapshot was added and then passed over`);
  for (const id of told.applied) assert.ok(inChain.has(id), `seed ${seed}: ${id} was applied and is lost`);
  for (const id of [...told.conflict, ...told.unavailable])
    assert.ok(!inChain.has(id), `seed ${seed}: ${id} is there, though it was said not to be`);
  for (const id of chain)
    assert.ok(
      told.applied.has(id) || told.unknown.has(id),
      `seed ${seed}: ${id} is there and nobody was told`,
    );
  const times = table.metadata.snapshotLog.map(({ timestampMs }) => timestampMs);
  assert.deepEqual(
    times,
    times.toSorted((a, b) => a - b),
  );
  const { applied, conflict, unknown, unavailable } = told;
  return {
    applied: applied.size,
    conflict: conflict.size,
    unknown: unknown.size,
    unavailable: unavailable.size,
  };
}

test('whatever the store does, what committers are told is true', async () => {
  const sums = { applied: 0, conflict: 0, unknown: 0, unavailable: 0 };
  for (let seed = 1; seed <= 30; seed += 1) {
    const counts = await play(seed);
    for (const name of ['applied', 'conflict', 'unknown', 'unavailable'] as const) sums[name] += counts[name];
  }
  // The faults are strong enough to reach every answer.
  for (const [name, sum] of Object.entries(sums)) assert.ok(sum > 0, `nobody was told ${name}`);
});
