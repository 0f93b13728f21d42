import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, readFileSync } from 'node:fs';
import type { Readable } from 'node:stream';

export interface LeashedProcessOptions {
  readonly command: string;
  readonly args: readonly string[];
  readonly env?: Readonly<Record<string, string>> | undefined;
  readonly cwd?: string | undefined;
  /** Standard output and error of the process are appended here. */
  readonly logFile: string;
}

/**
 * A process that cannot outlive this one, not even when this one is killed with SIGKILL: a shell holds the reading end of
 * a pipe from us and kills the process when the pipe closes.
 */
export interface LeashedProcess {
  /** Of the process itself, not of the shell: may be signalled, stopped, measured. */
  readonly pid: number;
  /** Resolves when the process has ended, for whatever reason, to its exit code (128 + signal when it was killed). */
  readonly exited: Promise<number>;
  /** Whether `exited` has resolved. */
  readonly hasExited: boolean;
  /** SIGTERM, after `graceMs` SIGKILL; resolves when the process is gone. */
  stop(graceMs?: number): Promise<void>;
  /** SIGKILL; resolves when the process is gone. */
  kill(): Promise<void>;
}

// fd 0 is the leash, fd 3 takes the pid. The process itself gets neither.
const leashScript = `
exec 4<&0
"$@" </dev/null 3>&- 4<&- &
child=$!
echo "$child" >&3
exec 3>&-
(read -r _ <&4; kill -KILL "$child") >/dev/null 2>&1 &
watcher=$!
exec 4<&-
wait "$child"
code=$?
kill -KILL "$watcher" 2>/dev/null
exit "$code"
`;

export async function startLeashed(options: LeashedProcessOptions): Promise<LeashedProcess> {
  const log = openSync(options.logFile, 'a');
  const shell = spawn('/bin/sh', ['-c', leashScript, 'leash', options.command, ...options.args], {
    stdio: ['pipe', log, log, 'pipe'],
    cwd: options.cwd,
    env: { ...process.env, ...options.env },
  });
  closeSync(log);
  let hasExited = false;
  const exited = once(shell, 'exit').then(([code, signal]: (number | string | null)[]) => {
    hasExited = true;
    return typeof code === 'number' ? code : signal === null ? 1 : 137;
  });
  const pid = await readPid(shell.stdio[3] as Readable, options.command);
  // A test that is done does not wait for its servers: the leash ends them.
  shell.unref();
  (shell.stdin as unknown as { unref(): void }).unref();

  const signal = (name: NodeJS.Signals): void => {
    if (hasExited) return;
    try {
      process.kill(pid, name);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
    }
  };
  const gone = async (): Promise<void> => {
    shell.ref();
    await exited;
    shell.stdin?.destroy();
  };
  return {
    pid,
    exited,
    get hasExited() {
      return hasExited;
    },
    async stop(graceMs = 5_000) {
      signal('SIGTERM');
      const timer = setTimeout(() => signal('SIGKILL'), graceMs);
      await gone();
      clearTimeout(timer);
    },
    async kill() {
      signal('SIGKILL');
      await gone();
    },
  };
}

/** The end of a log file, for an error message. */
export function logTail(logFile: string, characters = 2_000): string {
  try {
    return readFileSync(logFile, 'utf8').slice(-characters).trim();
  } catch (error) {
    return `(no log: ${String(error)})`;
  }
}

async function readPid(pipe: Readable, command: string): Promise<number> {
  let text = '';
  for await (const chunk of pipe) text += String(chunk);
  const pid = Number.parseInt(text, 10);
  if (!Number.isSafeInteger(pid))
    throw new Error(`could not start ${command}: the shell said ${JSON.stringify(text)}`);
  return pid;
}
