import { parseArgs } from 'node:util';
import { Broker } from '../dataplane/broker/broker.ts';
import { brokerIdOf } from '../dataplane/broker/broker-id.ts';
import { ListenError } from '../dataplane/broker/net/listen-error.ts';
import { listenTcp } from '../dataplane/broker/net/tcp-acceptor.ts';
import { createLogger, logLevels } from '../dataplane/runtime/logger.ts';
import type { LogLevel } from '../dataplane/runtime/logger.ts';
import { Metrics } from '../dataplane/runtime/metrics.ts';
import { realRuntime } from '../dataplane/runtime/real-runtime.ts';
import { StoreError } from '../dataplane/store/errors.ts';
import type { ObjectStore } from '../dataplane/store/object-store.ts';
import { openStore } from '../dataplane/store/open.ts';
import { UsageError } from './command.ts';
import type { Command, CommandIo, ExitCode } from './command.ts';
import { firnVersion } from './firn-version.ts';

const defaultUrl = 'file:./firn-data';
const defaultPort = 9092;

export const upCommand: Command = {
  name: 'up',
  summary: 'start a broker over a directory or a bucket',
  usage: `usage: firn up [URL] [options]

Starts one Kafka-compatible broker that keeps everything in the object store at URL, and runs until it is interrupted
(Ctrl-C): then it hands over what it holds and ends. URL is s3://BUCKET[/PREFIX][?endpoint=…&region=…] or file:FOLDER
(default: ${defaultUrl}).

  --host ADDRESS   listen on this address (default: 127.0.0.1)
  --port PORT      listen for Kafka clients on this port, 0 for any free one (default: ${defaultPort})
  --zone NAME      the zone of this broker (default: local)
  --log-level L    one of ${logLevels.join(', ')}, on standard error (default: warn)

Exit code: 0 drained after an interruption, 1 it could not start or go on, 2 wrong usage.`,

  async run(args, io) {
    const asked = parse(args);
    let store: ObjectStore | undefined;
    try {
      store = await openStore(asked.url, { runtime: realRuntime });
      return await serve(asked, store, io);
    } catch (error) {
      if (!(error instanceof ListenError) && !(error instanceof StoreError)) throw error;
      io.err(`firn up: ${error.message}\n`);
      return 1;
    } finally {
      await store?.close();
    }
  },
};

interface Asked {
  readonly url: string;
  readonly host: string;
  readonly port: number;
  readonly zone: string;
  readonly logLevel: LogLevel;
}

function parse(args: readonly string[]): Asked {
  const { values, positionals } = parseOptions(args);
  const [url = defaultUrl, ...more] = positionals;
  if (more.length > 0) throw new UsageError(`give one URL, not ${positionals.length}`);
  const port = Number(values.port);
  if (!Number.isInteger(port) || port < 0 || port > 65_535)
    throw new UsageError(
      `--port is ${JSON.stringify(values.port)} but must be a whole number from 0 to 65535`,
    );
  const logLevel = logLevels.find((level) => level === values['log-level']);
  if (logLevel === undefined) {
    throw new UsageError(
      `--log-level is ${JSON.stringify(values['log-level'])} but must be one of ${logLevels.join(', ')}`,
    );
  }
  return { url, host: values.host, port, zone: values.zone, logLevel };
}

function parseOptions(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        host: { type: 'string', default: '127.0.0.1' },
        port: { type: 'string', default: String(defaultPort) },
        zone: { type: 'string', default: 'local' },
        'log-level': { type: 'string', default: 'warn' },
      },
    });
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error), { cause: error });
  }
}

async function serve(asked: Asked, store: ObjectStore, io: CommandIo): Promise<ExitCode> {
  const metrics = new Metrics();
  const logger = createLogger({
    runtime: realRuntime,
    level: asked.logLevel,
    write: (line) => io.err(line),
    metrics,
  });
  const acceptor = await listenTcp({ name: 'PLAINTEXT', host: asked.host, port: asked.port });
  const replaced = Promise.withResolvers<Error>();
  try {
    const id = await brokerIdOf(store, { zone: asked.zone, ordinal: 0 });
    const broker = new Broker({
      store,
      runtime: realRuntime,
      logger,
      metrics,
      identity: { id, zone: asked.zone, address: acceptor.advertised, podUid: '', version: firnVersion() },
      acceptors: [acceptor],
      onReplaced: replaced.resolve,
    });
    await broker.start();
    io.out(`broker ${id} is ready\n  bootstrap  ${acceptor.advertised}\n  store      ${asked.url}\n`);
    const failure = await Promise.race([interruption(io.signal), replaced.promise]);
    if (failure !== undefined) {
      io.err(`firn up: ${failure.message}\n`);
      await broker.stop();
      return 1;
    }
    io.out('handing over …\n');
    await broker.drain();
    return 0;
  } finally {
    await acceptor.close();
  }
}

function interruption(signal: AbortSignal): Promise<undefined> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve(undefined);
    else signal.addEventListener('abort', () => resolve(undefined), { once: true });
  });
}
