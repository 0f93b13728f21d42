import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { VirtualRandom } from '../../../runtime/virtual-random.ts';
import { strategies } from './choices.ts';
import { FileStoreWorld, randomCalls } from './file-store-world.ts';
import { describeHistory, isLinearizable } from './key-history.ts';
import type { KeyCall } from './key-history.ts';

const seeds = 150 * Number(process.env['FIRN_SIM_EFFORT'] ?? 1);
const firstSeed = Number(process.env['FIRN_SIM_FIRST_SEED'] ?? 1);
const keys = ['k', 'd/e/1', 'd/e/2'];

describe('the file store, when power fails', () => {
  for (const strategy of Object.keys(strategies) as (keyof typeof strategies)[]) {
    it(`keeps what it has acknowledged, whole: ${strategy}`, async () => {
      for (let seed = firstSeed; seed < firstSeed + seeds; seed++) {
        await runSeed(seed, strategy).catch((cause: unknown) => {
          throw new Error(`seed ${seed}, ${strategy}, failed`, { cause });
        });
      }
    });
  }
});

async function runSeed(seed: number, strategy: keyof typeof strategies): Promise<void> {
  const random = new VirtualRandom(seed, strategy);
  const world = new FileStoreWorld({
    settle: () => new Promise((resolve) => setImmediate(resolve)),
    choose: strategies[strategy](random.fork('choice')),
    reuseInodes: false,
    keepVersions: 1,
    keepMs: 0,
  });
  try {
    await world.begin();
    for (let life = 0; life < 3; life++) await liveUntilPowerFails(world, random.fork(`life ${life}`));
  } catch (error) {
    if (process.env['FIRN_SIM_TRACE'] !== undefined)
      process.stderr.write(`${world.scheduler.trace.join('\n')}\n`);
    throw error;
  }
}

async function liveUntilPowerFails(world: FileStoreWorld, random: VirtualRandom): Promise<void> {
  const initial = new Map<string, string | undefined>();
  const first = world.client();
  for (const key of keys) initial.set(key, await readValue(world, first, key));
  world.histories.clear();

  const clients = Array.from({ length: 3 }, () => world.client());
  const mix = { gets: 1, deletes: 3, creates: 2, overwrites: 2 };
  // Two calls at a time in each: they share syncs.
  for (const [at, client] of [...clients, ...clients].entries()) {
    const program = randomCalls(world, client, keys, 3, mix, random.fork(`program ${at}`));
    program.catch((error: unknown) => {
      throw error; // An unhandled rejection fails the test.
    });
  }
  let stepsLeft = random.uint32() % 400;
  await world.scheduler.run(() => {
    if (stepsLeft-- === 0) for (const { fs } of clients) fs.kill();
  });
  world.losePower((below) => random.uint32() % below);

  const survivor = world.client();
  for (const key of keys) {
    const value = await readValue(world, survivor, key);
    const history = (world.histories.get(key) ?? []).slice(0, -1).filter(isAcknowledgedWrite);
    const read: KeyCall = {
      client: survivor.number,
      startedAt: Number.MAX_SAFE_INTEGER - 1,
      returnedAt: Number.MAX_SAFE_INTEGER,
      action: { kind: 'get', result: value },
    };
    assert.ok(
      isLinearizable([...history, read], initial.get(key)),
      `${key} held ${initial.get(key)}, holds ${value}, and no order explains\n${describeHistory(history)}`,
    );
  }
}

/**
 * What has to be explained after a power failure: the writes that were acknowledged, with the help of those whose outcome
 * nobody knows. What was only read may have been lost, as may have been what made a condition fail.
 */
function isAcknowledgedWrite({ action, returnedAt }: KeyCall): boolean {
  if (action.kind === 'get') return false;
  return returnedAt === Infinity || action.kind === 'delete' || action.result === 'written';
}

async function readValue(
  world: FileStoreWorld,
  client: ReturnType<FileStoreWorld['client']>,
  key: string,
): Promise<string | undefined> {
  await world.finish(world.call(client, key, { kind: 'get' }));
  const action = world.histories.get(key)?.at(-1)?.action;
  assert.ok(action?.kind === 'get');
  return action.result;
}
