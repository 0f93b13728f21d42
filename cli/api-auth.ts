import { createHash } from 'node:crypto';
import { readFile, rename, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { parseArgs } from 'node:util';
import {
  ApiCredentials,
  ApiCredentialsError,
  maxSecretLength,
} from '../dataplane/broker/http/api-credentials.ts';
import { hashPassword, printPasswordHash } from '../dataplane/broker/http/password-hash.ts';
import { realRuntime } from '../dataplane/runtime/real-runtime.ts';
import { UsageError } from './command.ts';
import type { Command } from './command.ts';
import { linesOf } from './lines.ts';

export const apiAuthCommand: Command = {
  name: 'api-auth',
  summary: 'say who may use the api port (schema registry, Iceberg catalog)',
  usage: `usage: firn api-auth token FILE NAME
       firn api-auth user FILE NAME [--password-stdin]

Adds an entry to FILE, which is made if it is not there, for "firn up --api-auth-file FILE". FILE holds hashes only.

  token             makes a token of 256 random bits and prints it; this is the only time it is shown. A name may have
                    several. Clients send it as a bearer token, or as the password of user NAME
  user              makes a random password and prints it, or takes one; a password that the name has is replaced
  --password-stdin  the password is the first line of standard input

Brokers read FILE when they start. To take an entry out, delete its line. docs/api-port.md has the format.

Exit code: 0 done, 1 FILE cannot be read or written, 2 wrong usage.`,

  async run(args, io) {
    const { kind, file, name, passwordFromInput } = parse(args);
    const location = path.resolve(io.cwd, file);
    const lines = await linesIn(location);
    const { entry, secret } =
      kind === 'token'
        ? newToken(name)
        : await newUser(name, passwordFromInput ? (io.input ?? []) : undefined);
    const kept = kind === 'token' ? lines : lines.filter((line) => !line.startsWith(`${name}:$`));
    const text = [...kept, entry, ''].join('\n');
    try {
      ApiCredentials.parse(text, file);
    } catch (error) {
      if (!(error instanceof ApiCredentialsError)) throw error;
      io.err(`firn api-auth: ${error.message}\n`);
      return 1;
    }
    await replace(location, text);
    if (secret !== undefined) io.out(`${secret}\n`);
    return 0;
  },
};

type Input = Parameters<typeof linesOf>[0];

interface Asked {
  readonly kind: 'token' | 'user';
  readonly file: string;
  readonly name: string;
  readonly passwordFromInput: boolean;
}

interface Entry {
  readonly entry: string;
  /** What is to be shown; `undefined`: who asked has it. */
  readonly secret: string | undefined;
}

function parse(args: readonly string[]): Asked {
  const { values, positionals } = parseOptions(args);
  const [kind, file, name, ...more] = positionals;
  if (kind !== 'token' && kind !== 'user')
    throw new UsageError(`say token or user, not ${JSON.stringify(kind ?? '')}`);
  if (file === undefined || name === undefined || more.length > 0)
    throw new UsageError(`give FILE and NAME after ${kind}`);
  const passwordFromInput = values['password-stdin'];
  if (kind === 'token' && passwordFromInput) throw new UsageError('a token has no password');
  return { kind, file, name, passwordFromInput };
}

function parseOptions(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      allowPositionals: true,
      options: { 'password-stdin': { type: 'boolean', default: false } },
    });
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error), { cause: error });
  }
}

function newToken(name: string): Entry {
  const secret = randomText(32);
  return { entry: `${name}:sha256:${createHash('sha256').update(secret).digest('hex')}`, secret };
}

async function newUser(name: string, input: Input | undefined): Promise<Entry> {
  const password = input === undefined ? randomText(18) : await firstLine(input);
  const hash = await hashPassword(password, realRuntime.random.bytes(16));
  return {
    entry: `${name}:${printPasswordHash(hash)}`,
    secret: input === undefined ? password : undefined,
  };
}

function randomText(bytes: number): string {
  return Buffer.from(realRuntime.random.bytes(bytes)).toString('base64url');
}

async function firstLine(input: Input): Promise<string> {
  for await (const [line] of linesOf(input)) {
    const password = line?.toString('utf8') ?? '';
    if (password !== '' && password.length <= maxSecretLength) return password;
    break;
  }
  throw new UsageError(
    `--password-stdin: the first line of standard input must have 1 to ${maxSecretLength} characters`,
  );
}

async function linesIn(location: string): Promise<readonly string[]> {
  try {
    const text = (await readFile(location, 'utf8')).trimEnd();
    return text === '' ? [] : text.split('\n');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
}

/** Whoever reads it meanwhile sees one or the other; nobody else may read it. */
async function replace(location: string, text: string): Promise<void> {
  const next = `${location}.${randomText(6)}`;
  try {
    await writeFile(next, text, { mode: 0o600, flag: 'wx' });
    await rename(next, location);
  } finally {
    await rm(next, { force: true });
  }
}
