import { spawn } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { text } from 'node:stream/consumers';
import type { ConsumeLoad, ConsumeLoadResult } from './consume-load.ts';
import type { ProduceLoad, ProduceLoadResult } from './produce-load.ts';

/** Runs a load in a process of its own, the same program for every broker. Throws when a request failed. */
export async function produceInProcess(load: ProduceLoad): Promise<ProduceLoadResult> {
  const result = (await run('produce-load.ts', load)) as ProduceLoadResult;
  if (result.errors > 0) throw new Error(`${result.errors} of ${result.requests} produce requests failed`);
  return result;
}

export async function consumeInProcess(load: ConsumeLoad): Promise<ConsumeLoadResult> {
  return (await run('consume-load.ts', load)) as ConsumeLoadResult;
}

async function run(script: string, load: unknown): Promise<unknown> {
  const child = spawn(process.execPath, [path.join(import.meta.dirname, script), JSON.stringify(load)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const killChild = (): void => {
    child.kill('SIGKILL');
  };
  process.once('exit', killChild);
  try {
    const [output, [code]] = await Promise.all([
      text(child.stdout),
      once(child, 'exit') as Promise<[number | null]>,
    ]);
    if (code !== 0) throw new Error(`${script} ended with ${code}`);
    return JSON.parse(output);
  } finally {
    process.off('exit', killChild);
  }
}
