import { Violation } from '../errors.ts';
import type { ProbeCase } from '../probe-case.ts';
import { bodyOf } from '../probe-ground.ts';
import type { ProbeGround } from '../probe-ground.ts';
import { differenceFrom } from './conditions.ts';

/** Characters that URLs, XML, shells and file systems treat specially, and what else table and topic names bring along. */
const oddNames = [
  'with space',
  'plus+plus',
  'per%cent%20%2F',
  'day=2026-11-24',
  'amp&lt;<>"\'',
  'hash#question?semi;colon:',
  'tilde~dollar$at@bang!star*',
  '(round)[square]{curly}',
  'comma,caret^pipe|backslash\\grave`',
  'grüße/雪氷/❄️',
  '.hidden/..double/dot.',
  'x'.repeat(255),
] as const;

export const oddKeys: ProbeCase = {
  name: 'odd-keys',
  description: 'Keys with special characters name one object each, and LIST shows them as they are',
  severity: 'refuse',
  repeat: 'once',
  async round(ground, round) {
    const [writer, reader] = [ground.handle(round), ground.handle(round + 1)];
    const folder = ground.freshFolder('odd');
    const keys = oddNames.map((name) => ground.track(folder + name));
    for (const key of keys) {
      const planted = await ground.plant(writer, 'odd', bodyOf(`object ${key}`), key);
      const problem = await differenceFrom(ground, reader, key, planted);
      if (problem !== undefined) throw new Violation(`under the key ${JSON.stringify(key)} ${problem}`);
    }
    await listMustShow(ground, round + 1, folder, keys);
    for (const key of keys) await ground.remove(writer, key);
    await listMustShow(ground, round + 1, folder, []);
  },
};

export const listPages: ProbeCase = {
  name: 'list-pages',
  description: 'LIST page by page shows every key below a prefix once, and no other',
  severity: 'refuse',
  repeat: 'once',
  async round(ground, round) {
    const { folder, keys } = await plantFolder(ground, round, 7);
    await ground.plant(ground.handle(round), 'beside', bodyOf('beside'));
    for (const maxKeys of [1, 3, 7, 1000]) await listMustShow(ground, round + 1, folder, keys, maxKeys);
  },
};

export const listStartAfter: ProbeCase = {
  name: 'list-start-after',
  description: 'LIST with start-after shows the keys behind it, and not the key itself',
  severity: 'warn',
  repeat: 'once',
  async round(ground, round) {
    const { folder, keys } = await plantFolder(ground, round, 5);
    for (const [index, key] of keys.entries()) {
      const listed = await ground.listAfter(ground.handle(round + 1), folder, key);
      compare(
        listed.map((object) => object.key),
        keys.slice(index + 1),
        `LIST of ${folder} after ${key}`,
      );
    }
  },
};

export const deleteMany: ProbeCase = {
  name: 'delete-many',
  description: 'A batch delete deletes all its keys, also where one of them does not exist',
  severity: 'refuse',
  repeat: 'once',
  async round(ground, round) {
    const { folder, keys } = await plantFolder(ground, round, 5);
    const odd = ground.track(`${folder}odd & "<key>" + é`);
    await ground.plant(ground.handle(round), 'batch', bodyOf('odd'), odd);
    const doomed = [...keys.slice(1), odd, `${folder}missing`];
    const failures = await ground.removeMany(ground.handle(round), doomed);
    const [failure] = failures;
    if (failure !== undefined)
      throw new Violation(
        `a batch delete of ${doomed.length} keys failed for ${failures.length}: ${failure.error.message}`,
      );
    await listMustShow(ground, round + 1, folder, keys.slice(0, 1));
  },
};

async function plantFolder(
  ground: ProbeGround,
  round: number,
  count: number,
): Promise<{ readonly folder: string; readonly keys: readonly string[] }> {
  const folder = ground.freshFolder('folder');
  const keys = Array.from({ length: count }, (_, i) => ground.track(`${folder}${i}`));
  for (const key of keys) await ground.plant(ground.handle(round), 'listed', bodyOf(key), key);
  return { folder, keys };
}

async function listMustShow(
  ground: ProbeGround,
  handle: number,
  folder: string,
  keys: readonly string[],
  maxKeys?: number,
): Promise<void> {
  const listed = await ground.list(ground.handle(handle), folder, maxKeys);
  const pages = maxKeys === undefined ? '' : ` in pages of ${maxKeys}`;
  compare(
    listed.map(({ key }) => key),
    keys,
    `LIST of ${folder}${pages}`,
  );
}

/** The order of LIST is not promised; that it shows each key once is. */
function compare(shown: readonly string[], expected: readonly string[], what: string): void {
  const missing = expected.filter((key) => !shown.includes(key));
  const foreign = shown.filter((key, index) => !expected.includes(key) || shown.indexOf(key) !== index);
  if (missing.length > 0) throw new Violation(`${what} does not show ${JSON.stringify(missing[0])}`);
  if (foreign.length > 0)
    throw new Violation(`${what} shows ${JSON.stringify(foreign[0])}, which it must not`);
}
