import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';

const firn = path.join(import.meta.dirname, '../../cli/firn.ts');

export interface Ports {
  readonly kafka: number;
  readonly admin: number;
  readonly api: number;
}

/** A `firn up` that the demo has started. */
export interface FirnUp {
  readonly ports: Ports;
  kill(signal: 'SIGKILL' | 'SIGINT'): Promise<void>;
}

/** Starts a broker over a folder, on any free ports or on those of the one before. */
export async function firnUp(folder: string, ports: Ports = { kafka: 0, admin: 0, api: 0 }): Promise<FirnUp> {
  const { kafka, admin, api } = ports;
  const options = ['--port', `${kafka}`, '--admin-port', `${admin}`, '--api-port', `${api}`];
  const child = spawn(process.execPath, [firn, 'up', `file:${folder}`, ...options], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  process.once('exit', () => child.kill('SIGKILL'));
  return { ports: await portsSaidBy(child), kill: (signal) => end(child, signal) };
}

async function portsSaidBy(child: ChildProcess): Promise<Ports> {
  let text = '';
  for await (const chunk of child.stdout ?? []) {
    text += String(chunk);
    const port = (name: string): number => Number(new RegExp(`${name}\\s+\\S*?:(\\d+)\\D`).exec(text)?.[1]);
    const ports = { kafka: port('bootstrap'), admin: port('admin'), api: port('catalog') };
    if (Object.values(ports).every((value) => value > 0)) return ports;
  }
  throw new Error(`firn up did not start: ${text}`);
}

async function end(child: ChildProcess, signal: 'SIGKILL' | 'SIGINT'): Promise<void> {
  const exited = once(child, 'exit');
  child.kill(signal);
  await exited;
}
