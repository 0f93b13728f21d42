import { mkdtemp, readFile, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { startLeashed } from '../tools/leashed-process.ts';
import type { LeashedProcess } from '../tools/leashed-process.ts';

const firn = path.join(import.meta.dirname, '../../cli/firn.ts');

export interface FirnProcess {
  /** `host:port` for clients. */
  readonly bootstrap: string;
  readonly host: string;
  readonly port: number;
  readonly adminUrl: string;
  readonly registryUrl: string;
  readonly catalogUrl: string;
  readonly process: LeashedProcess;
  /** What it has printed so far. */
  output(): Promise<string>;
}

/** `firn up` over a store, as a user starts it, on a free port unless one is given. Ends with this process. */
export async function startFirn(
  url: string,
  options: {
    readonly logFile: string;
    /** Default: `firn up`, with the URL and free ports; of another one these are all arguments. */
    readonly program?: string;
    readonly args?: readonly string[];
    readonly env?: Readonly<Record<string, string>>;
  },
): Promise<FirnProcess> {
  const { logFile, program, args = [], env } = options;
  const ports = ['--port', '--admin-port', '--api-port', '--internal-port'].flatMap((port) =>
    args.includes(port) ? [] : [port, '0'],
  );
  const before = (await readFile(logFile, 'utf8').catch(() => '')).length;
  const child = await startLeashed({
    command: process.execPath,
    args: program === undefined ? [firn, 'up', url, ...ports, ...args] : [program, ...args],
    env,
    logFile,
  });
  const output = async (): Promise<string> => (await readFile(logFile, 'utf8')).slice(before);
  for (;;) {
    const text = await output();
    const [, host, portText] = /bootstrap\s+(\S+):(\d+)/.exec(text) ?? [];
    const url = (label: string): string => new RegExp(`${label}\\s+(http\\S+)\\s`).exec(text)?.[1] ?? '';
    if (host !== undefined && url('catalog') !== '') {
      return {
        bootstrap: `${host}:${portText}`,
        host,
        port: Number(portText),
        adminUrl: url('admin'),
        registryUrl: url('registry'),
        catalogUrl: url('catalog'),
        process: child,
        output,
      };
    }
    if (child.hasExited) throw new Error(`firn up ended with ${await child.exited}: ${text}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** A folder for one test file: data of brokers, logs. `remove` when the test is done. */
export async function testFolder(): Promise<{ readonly path: string; remove(): Promise<void> }> {
  const folder = await mkdtemp(path.join(os.tmpdir(), 'firn-e2e-'));
  return { path: folder, remove: () => rm(folder, { recursive: true, force: true }) };
}
