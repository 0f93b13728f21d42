import { inspect } from 'node:util';
import { apiAuthCommand } from './api-auth.ts';
import { UsageError } from './command.ts';
import type { Command, CommandIo, ExitCode } from './command.ts';
import { consumeCommand } from './consume.ts';
import { drainCommand } from './drain.ts';
import { firnVersion } from './firn-version.ts';
import { groupCommand } from './group.ts';
import { logCommand } from './log.ts';
import { moveCommand } from './move.ts';
import { probeCommand } from './probe.ts';
import { produceCommand } from './produce.ts';
import { statusCommand } from './status.ts';
import { topicCommand } from './topic.ts';
import { upCommand } from './up.ts';

/** Every subcommand, in the order of `firn --help`. */
const commands: readonly Command[] = [
  upCommand,
  statusCommand,
  topicCommand,
  groupCommand,
  moveCommand,
  drainCommand,
  produceCommand,
  consumeCommand,
  logCommand,
  probeCommand,
  apiAuthCommand,
];

/** Runs `firn` with the given words and resolves to its exit code. */
export async function runFirn(
  args: readonly string[],
  io: CommandIo,
  table: readonly Command[] = commands,
): Promise<ExitCode> {
  const [name, ...rest] = args;
  if (name === '--version' || name === '-v') {
    io.out(`${firnVersion()}\n`);
    return 0;
  }
  if (name === '--help' || name === '-h' || (name === 'help' && rest.length === 0)) {
    io.out(help(table));
    return 0;
  }
  if (name === undefined) {
    io.err(help(table));
    return 2;
  }
  const command = table.find((candidate) => candidate.name === (name === 'help' ? rest[0] : name));
  if (command === undefined) {
    const asked = name === 'help' ? rest[0] : name;
    io.err(`firn: there is no command ${JSON.stringify(asked)}; "firn --help" lists them\n`);
    return 2;
  }
  if (name === 'help' || rest.includes('--help') || rest.includes('-h')) {
    io.out(`${command.usage}\n`);
    return 0;
  }
  try {
    return await command.run(rest, io);
  } catch (error) {
    if (error instanceof UsageError) {
      io.err(`firn ${name}: ${error.message}\n\n${command.usage}\n`);
      return 2;
    }
    io.err(`firn ${name}: ${describeError(error)}\n`);
    return 1;
  }
}

/** The process `firn`: `runFirn` with the real surroundings. */
export async function main(): Promise<void> {
  const interrupted = new AbortController();
  const interrupt = (signal: string): void => {
    // Whichever comes next ends the process.
    process.off('SIGINT', interrupt).off('SIGTERM', interrupt);
    interrupted.abort(new Error(`interrupted by ${signal}`));
  };
  process.on('SIGINT', interrupt).on('SIGTERM', interrupt);
  // Whoever read our output has ended: `firn consume … | head`.
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error;
    interrupted.abort(error);
  });
  // Whoever looks at it keeps the process alive.
  let readsInput = false;
  process.exitCode = await runFirn(process.argv.slice(2), {
    out: (text) => process.stdout.write(text),
    err: (text) => process.stderr.write(text),
    written: () => new Promise((resolve) => process.stdout.write('', () => resolve())),
    get input() {
      readsInput = true;
      return process.stdin;
    },
    env: process.env,
    cwd: process.cwd(),
    signal: interrupted.signal,
  });
  if (readsInput) process.stdin.destroy();
}

function help(table: readonly Command[]): string {
  const width = Math.max(0, ...table.map(({ name }) => name.length));
  const lines = table.map(({ name, summary }) => `  ${name.padEnd(width)}  ${summary}`);
  return [
    'firn: Kafka topics that are Apache Iceberg tables, on object storage',
    '',
    'usage: firn COMMAND [ARGUMENT…]',
    '       firn COMMAND --help',
    '       firn --version',
    '',
    ...(lines.length === 0 ? [] : ['commands:', ...lines, '']),
  ].join('\n');
}

/** The message of an error and of what caused it, one line each. */
function describeError(error: unknown): string {
  const lines: string[] = [];
  for (let current: unknown = error; current !== undefined && lines.length < 10;) {
    lines.push(current instanceof Error ? current.message : inspect(current));
    current = current instanceof Error ? current.cause : undefined;
  }
  return lines.join('\n  because: ');
}

if (import.meta.main) await main();
