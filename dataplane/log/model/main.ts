import { writeModelPage } from './model-page.ts';
import { models } from './run.ts';
import type { Way } from './run.ts';

/**
 * `node dataplane/log/model/main.ts MODEL [MUTANT…] [BOUND=N…] [walks=N length=N seed=N] [limit=N]`
 *
 * Visits every state within the bounds, or walks at random, and prints what it found as one JSON document. Exit code: 0
 * nothing broken, 1 a rule was broken (the document holds the steps that lead there), 2 wrong arguments. Memory: about
 * 200 bytes a state and more for the frontier; give large searches `--max-old-space-size`.
 *
 * `node dataplane/log/model/main.ts page` puts the tables of `catches.ts` into `docs/log-model.md`.
 */
function main([name = '', ...args]: readonly string[]): number {
  if (name === 'page' && args.length === 0) {
    writeModelPage();
    return 0;
  }
  const model = models[name];
  if (model === undefined) return refuse(`MODEL is one of: ${Object.keys(models).join(', ')}`);
  const numbers = new Map<string, number>();
  const mutants: string[] = [];
  for (const arg of args) {
    const [key = '', value] = arg.split('=');
    if (value === undefined) mutants.push(key);
    else numbers.set(key, Number(value));
  }
  if ([...numbers.values()].some((value) => !Number.isSafeInteger(value))) return refuse('N is an integer');
  const take = (key: string): number | undefined => {
    const value = numbers.get(key);
    numbers.delete(key);
    return value;
  };
  const [walks, length = 200, seed = 1, limit] = ['walks', 'length', 'seed', 'limit'].map(take);
  const all: Way = limit === undefined ? { kind: 'all' } : { kind: 'all', limit };
  const way: Way = walks === undefined ? all : { kind: 'walks', walks, length, seed };
  const bounds = Object.fromEntries(numbers);
  try {
    const result = model.run({ mutants, bounds, way });
    const cpuMs = Math.round(process.cpuUsage().user / 1000);
    const report = { model: name, mutants, bounds: { ...model.bounds, ...bounds }, ...result, cpuMs };
    process.stdout.write(`${JSON.stringify(report, null, 1)}\n`);
    return result.outcome === 'violated' ? 1 : 0;
  } catch (error) {
    if (error instanceof RangeError) return refuse(error.message);
    throw error;
  }
}

function refuse(reason: string): number {
  process.stderr.write(
    `usage: node dataplane/log/model/main.ts MODEL [MUTANT…] [BOUND=N…] [walks=N length=N seed=N] [limit=N]; ${reason}\n`,
  );
  return 2;
}

process.exitCode = main(process.argv.slice(2));
