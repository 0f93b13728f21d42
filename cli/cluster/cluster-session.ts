import { ClientError } from '../../dataplane/client/errors.ts';
import { KafkaClient } from '../../dataplane/client/kafka-client.ts';
import type { BrokerAddress } from '../../dataplane/client/kafka-client.ts';
import { KafkaError } from '../../dataplane/client/kafka-error.ts';
import { realRuntime } from '../../dataplane/runtime/real-runtime.ts';
import { abortReason } from '../../dataplane/runtime/runtime.ts';
import { untilAborted } from '../../dataplane/store/body.ts';
import { UsageError } from '../command.ts';
import type { CommandIo, ExitCode } from '../command.ts';
import { duration } from '../parse-options.ts';

const defaultBootstrap = '127.0.0.1:9092';
const defaultTimeout = '30s';

/** What all commands that speak to a cluster take. */
export const clusterOptions = {
  bootstrap: { type: 'string', default: defaultBootstrap },
  timeout: { type: 'string', default: defaultTimeout },
  json: { type: 'boolean', default: false },
} as const;

export const clusterOptionsUsage = `  --bootstrap HOST:PORT[,…]  brokers to begin with (default: ${defaultBootstrap})
  --timeout T                how long each step may take, such as 5s (default: ${defaultTimeout})
  --json                     for scripts`;

export interface ClusterOptions {
  readonly bootstrap: string;
  readonly timeout: string;
}

/** What a command that speaks to a cluster works with. */
export interface ClusterSession {
  readonly client: KafkaClient;
  readonly io: CommandIo;
}

/**
 * Connects, runs `work`, disconnects. What the cluster refuses is said and gives exit code 1; a cluster that cannot be
 * reached gives 3.
 *
 * @param name of the command, for messages
 * @param endsItself whether `work` ends when `io.signal` aborts; else it is left
 */
export async function withCluster(
  name: string,
  options: ClusterOptions,
  io: CommandIo,
  work: (session: ClusterSession) => Promise<ExitCode>,
  { endsItself = false }: { readonly endsItself?: boolean } = {},
): Promise<ExitCode> {
  const client = new KafkaClient({
    bootstrap: addressesOf(options.bootstrap),
    clientId: `firn-${name}`,
    runtime: realRuntime,
    timeoutMs: duration('--timeout', options.timeout),
  });
  const say = (sentence: string): void => io.err(`firn ${name}: ${sentence}\n`);
  try {
    // A cluster that is not there is said at once.
    await untilAborted(client.any(), io.signal);
    return await untilAborted(work({ client, io }), endsItself ? undefined : io.signal);
  } catch (error) {
    if (io.signal.aborted && error === abortReason(io.signal)) {
      say('interrupted');
      return 1;
    }
    if (error instanceof KafkaError) {
      say(error.message);
      return 1;
    }
    if (!(error instanceof ClientError)) throw error;
    const hint =
      error.code === 'CONNECT_FAILED'
        ? '; is a broker running there ("firn up"), or elsewhere (--bootstrap)?'
        : '';
    say(`${error.message}${hint}`);
    return error.retriable ? 3 : 1;
  } finally {
    client.close();
  }
}

function addressesOf(text: string): readonly BrokerAddress[] {
  return text.split(',').map((item) => {
    const [, host, port] = /^(.+):(\d{1,5})$/.exec(item.trim()) ?? [];
    if (host === undefined || Number(port) > 65_535)
      throw new UsageError(
        `--bootstrap is ${JSON.stringify(text)} but must be HOST:PORT, or several separated by commas`,
      );
    return { host: host.replace(/^\[(.*)\]$/, '$1'), port: Number(port) };
  });
}

/** Writes a JSON value, or the text for people. */
export function print(io: CommandIo, json: boolean, value: unknown, text: () => string): void {
  io.out(json ? `${JSON.stringify(value, undefined, 2)}\n` : text());
}
