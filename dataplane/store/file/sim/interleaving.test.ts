import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { VirtualRandom } from '../../../runtime/virtual-random.ts';
import { strategies } from './choices.ts';
import { FileStoreWorld, layout, randomCalls } from './file-store-world.ts';
import type { CallMix, WorldClient } from './file-store-world.ts';
import { describeHistory, isLinearizable } from './key-history.ts';

/** Seeds for each scenario and way of choosing; the last finds most. */
const seeds = { even: 30, stretches: 30, priorities: 30, decisive: 200 };
const effort = Number(process.env['FIRN_SIM_EFFORT'] ?? 1);
const firstSeed = Number(process.env['FIRN_SIM_FIRST_SEED'] ?? 1);

interface Scenario {
  readonly keys: readonly string[];
  readonly clients: number;
  readonly callsEach: number;
  readonly mix: CallMix;
  readonly kills: boolean;
  /** How likely a system call fails, and with what. */
  readonly failures: { readonly chance: number; readonly codes: readonly string[] };
  readonly keepVersions: number;
  readonly keepMs: number;
}

const everything = { gets: 2, deletes: 2, creates: 2, overwrites: 1 };
const overwriting = { gets: 1, deletes: 1, creates: 0, overwrites: 3 };
const turnover = { gets: 1, deletes: 3, creates: 2, overwrites: 4 };
const noFailures = { chance: 0, codes: [] };
const scenarios: Record<string, Scenario> = {
  'one key': {
    keys: ['k'],
    clients: 4,
    callsEach: 4,
    mix: everything,
    kills: false,
    failures: noFailures,
    keepVersions: 8,
    keepMs: 10_000,
  },
  'one key created, overwritten and deleted in turn': {
    keys: ['k'],
    clients: 4,
    callsEach: 4,
    mix: turnover,
    kills: false,
    failures: noFailures,
    keepVersions: 8,
    keepMs: 10_000,
  },
  'one key whose old versions go at once': {
    keys: ['k'],
    clients: 4,
    callsEach: 5,
    mix: overwriting,
    kills: false,
    failures: noFailures,
    keepVersions: 1,
    keepMs: 0,
  },
  'two keys in a folder that comes and goes': {
    keys: ['d/e/1', 'd/2'],
    clients: 4,
    callsEach: 6,
    mix: everything,
    kills: false,
    failures: noFailures,
    keepVersions: 1,
    keepMs: 0,
  },
  'clients killed at any call': {
    keys: ['k', 'd/e'],
    clients: 5,
    callsEach: 6,
    mix: everything,
    kills: true,
    failures: noFailures,
    keepVersions: 2,
    keepMs: 0,
  },
  'a disk that is full or fails at any call': {
    keys: ['k', 'd/e'],
    clients: 4,
    callsEach: 6,
    mix: everything,
    kills: true,
    failures: { chance: 0.02, codes: ['ENOSPC', 'EIO', 'EACCES', 'EMFILE'] },
    keepVersions: 1,
    keepMs: 0,
  },
};

describe('the file store, its steps interleaved with those of other processes', () => {
  for (const [name, scenario] of Object.entries(scenarios)) {
    for (const strategy of Object.keys(strategies) as (keyof typeof strategies)[]) {
      it(`is linearizable: ${name}, ${strategy}`, async () => {
        for (let seed = firstSeed; seed < firstSeed + seeds[strategy] * effort; seed++) {
          await runSeed(seed, scenario, strategy).catch((cause: unknown) => {
            throw new Error(`seed ${seed} of "${name}", ${strategy}, failed`, { cause });
          });
        }
      });
    }
  }
});

async function runSeed(seed: number, scenario: Scenario, strategy: keyof typeof strategies): Promise<void> {
  const random = new VirtualRandom(seed, strategy);
  const { keys, mix, kills, failures, keepVersions, keepMs } = scenario;
  const world = new FileStoreWorld({
    settle: () => new Promise((resolve) => setImmediate(resolve)),
    choose: strategies[strategy](random.fork('choice')),
    reuseInodes: true,
    keepVersions,
    keepMs,
  });
  try {
    await world.begin();
    const failure = (): string | undefined =>
      random.fraction() < failures.chance
        ? failures.codes[random.uint32() % failures.codes.length]
        : undefined;
    const clients = Array.from({ length: scenario.clients }, () => world.client(failure));
    const programs = clients.map((client) =>
      randomCalls(world, client, keys, scenario.callsEach, mix, random.fork(`client ${client.number}`)),
    );
    const failed: unknown[] = [];
    for (const program of programs) program.catch((error: unknown) => failed.push(error));
    const doomed = kills ? clients.slice(0, 1 + (random.uint32() % 3)) : [];
    await world.scheduler.run(() => {
      if (doomed.length > 0 && random.uint32() % 60 === 0) doomed.pop()?.fs.kill();
      world.disk.advanceClock(1);
    });
    if (failed.length > 0) throw failed[0];
    await checkOutcome(world, keys, clients, kills || failures.chance > 0);
  } catch (error) {
    if (process.env['FIRN_SIM_TRACE'] !== undefined)
      process.stderr.write(`${world.scheduler.trace.join('\n')}\n`);
    throw error;
  }
}

async function checkOutcome(
  world: FileStoreWorld,
  keys: readonly string[],
  clients: readonly WorldClient[],
  damaged: boolean,
): Promise<void> {
  const late = world.client();
  for (const key of keys) {
    await world.finish(world.call(late, key, { kind: 'get' }));
    const history = world.histories.get(key) ?? [];
    assert.ok(isLinearizable(history, undefined), `no order explains\n${describeHistory(history)}`);
  }
  const listed = await world.finish(late.store.list(''));
  const held = keys.filter((key) => lastRead(world, key) !== undefined).toSorted();
  assert.deepEqual(listed.objects.map(({ key }) => key).toSorted(), held);
  if (damaged) return;
  for (const key of keys)
    assert.equal(plainFile(world, key), lastRead(world, key), `the plain file of ${key}`);
  await world.finish(Promise.all([...clients, late].map(({ store }) => store.close())));
  assert.deepEqual(world.disk.readdir(layout.clientsFolder), []);
}

/** What the last call, a get, saw. */
function lastRead(world: FileStoreWorld, key: string): string | undefined {
  const action = world.histories.get(key)?.at(-1)?.action;
  assert.ok(action?.kind === 'get');
  return action.result;
}

/** What other programs find under the key. */
function plainFile(world: FileStoreWorld, key: string): string | undefined {
  try {
    const inode = world.disk.open(layout.objectPath(key));
    return Buffer.from(inode.bytes).toString();
  } catch {
    return undefined;
  }
}
