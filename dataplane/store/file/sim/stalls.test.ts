import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { VirtualRandom } from '../../../runtime/virtual-random.ts';
import type { ETag } from '../../object-store.ts';
import { FileStoreWorld, randomAction } from './file-store-world.ts';
import type { WorldClient } from './file-store-world.ts';
import { describeHistory, isLinearizable } from './key-history.ts';
import type { KeyAction } from './key-history.ts';
import type { Step } from './step-scheduler.ts';

const seeds = 2500 * Number(process.env['FIRN_SIM_EFFORT'] ?? 1);
const firstSeed = Number(process.env['FIRN_SIM_FIRST_SEED'] ?? 1);
const key = 'k';

/*
 * A few processes stand still in the middle of one call each, for as long as others need to make whole calls; then they
 * go on. This finds what even scheduling finds once in ten thousand runs: what goes wrong for whoever stood still
 * between two steps while an object was created, overwritten, deleted and tidied away.
 */
describe('the file store, when processes stand still in the middle of a call', () => {
  for (const [title, keepVersions, keepMs] of [
    ['old versions stay', 8, 10_000],
    ['old versions go at once', 1, 0],
  ] as const) {
    it(`is linearizable: ${title}`, async () => {
      for (let seed = firstSeed; seed < firstSeed + seeds; seed++) {
        await runSeed(seed, keepVersions, keepMs).catch((cause: unknown) => {
          throw new Error(`seed ${seed} of "${title}" failed`, { cause });
        });
      }
    });
  }
});

async function runSeed(seed: number, keepVersions: number, keepMs: number): Promise<void> {
  const random = new VirtualRandom(seed, 'stalls');
  const world = new FileStoreWorld({
    settle: () => new Promise((resolve) => setImmediate(resolve)),
    choose: ([first]) => first?.client ?? 0,
    reuseInodes: true,
    keepVersions,
    keepMs,
  });
  try {
    await world.begin();
    await play(world, random);
    const history = world.histories.get(key) ?? [];
    assert.ok(isLinearizable(history, undefined), `no order explains\n${describeHistory(history)}`);
  } catch (error) {
    if (process.env['FIRN_SIM_TRACE'] !== undefined)
      process.stderr.write(`${world.scheduler.trace.join('\n')}\n`);
    throw error;
  }
}

/** Steps beside which it matters to stand still: those that give names, take them away, or look at what they name. */
function isDecisive({ what }: Step): boolean {
  return /^(open|link|symlink|unlink|rename|readdir) .*\/k\b/.test(what);
}

async function play(world: FileStoreWorld, random: VirtualRandom): Promise<void> {
  const worker = world.client();
  const stalled: WorldClient[] = [];
  let etag: ETag | undefined;
  const failures: unknown[] = [];
  const start = (client: WorldClient, action: KeyAction): void => {
    const condition = action.kind === 'put' && typeof action.expected === 'object' ? etag : undefined;
    world.call(client, key, action, condition).then(
      (seen) => {
        etag = seen ?? etag;
      },
      (error: unknown) => {
        failures.push(error);
      },
    );
  };
  const mix = { gets: 1, deletes: 2, creates: 2, overwrites: 1 };
  const someAction = (): KeyAction => {
    const known = etag === undefined ? undefined : world.valueOf(etag);
    return randomAction(world, mix, known, random.uint32() % 10);
  };
  const whole = async (client: WorldClient): Promise<void> => {
    await world.scheduler.runOnly(client.number, () => false);
  };
  /** Up to one of the next steps that matter. */
  const part = async (client: WorldClient): Promise<void> => {
    let left = random.uint32() % 6;
    await world.scheduler.runOnly(client.number, (next) => isDecisive(next) && left-- === 0);
  };
  for (let turn = 0; turn < 12; turn++) {
    const dice = random.uint32() % 10;
    const other = stalled[random.uint32() % Math.max(1, stalled.length)];
    if (dice < 6 || (other === undefined && dice >= 8)) {
      start(worker, someAction());
      await whole(worker);
    } else if (dice < 8 && stalled.length < 3) {
      const client = world.client();
      stalled.push(client);
      start(client, someAction());
      await part(client);
    } else if (other !== undefined) {
      await part(other);
    }
    world.disk.advanceClock(1);
  }
  for (const client of stalled) {
    await whole(client);
    start(worker, { kind: 'get' });
    await whole(worker);
  }
  await world.scheduler.run();
  start(worker, { kind: 'get' });
  await world.scheduler.run();
  if (failures.length > 0) throw new Error('a call failed', { cause: failures[0] });
}
