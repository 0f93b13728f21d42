import type { CommandIo, ExitCode } from '../../cli/command.ts';
import { runFirn } from '../../cli/firn.ts';
import type { BrokerFixture } from '../broker/broker-fixture.ts';

export interface Printed {
  readonly code: ExitCode;
  readonly out: string;
  readonly err: string;
}

/** Runs `firn` in this process, against the broker of a fixture. */
export async function firn(
  fixture: Pick<BrokerFixture, 'port'>,
  args: readonly string[],
  surroundings: {
    readonly input?: string | AsyncIterable<Uint8Array>;
    readonly signal?: AbortSignal;
    readonly onOut?: (text: string) => void;
  } = {},
): Promise<Printed> {
  const printed = { out: '', err: '' };
  const { input = '', signal = new AbortController().signal, onOut } = surroundings;
  const io: CommandIo = {
    out: (text) => {
      printed.out += text;
      onOut?.(text);
    },
    err: (text) => (printed.err += text),
    input: typeof input === 'string' ? once(input) : input,
    env: {},
    cwd: '/',
    signal,
  };
  const code = await runFirn([...args, '--bootstrap', `127.0.0.1:${fixture.port}`], io);
  return { code, ...printed };
}

export function json(printed: Printed): unknown {
  return JSON.parse(printed.out) as unknown;
}

async function* once(text: string): AsyncGenerator<Uint8Array> {
  yield await Promise.resolve(Buffer.from(text));
}
