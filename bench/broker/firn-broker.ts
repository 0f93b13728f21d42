/**
 * A Firn broker for benchmarks, in a process of its own: `node firn-broker.ts '{"folder":…}'`. Prints one line of JSON,
 * after a word that tells it from log lines, when clients are answered, and one with {@link FirnBrokerReport} on each SIGUSR2.
 */
import { Broker } from '../../dataplane/broker/broker.ts';
import { brokerIdOf } from '../../dataplane/broker/broker-id.ts';
import { listenTcp } from '../../dataplane/broker/net/tcp-acceptor.ts';
import type { LogOptions } from '../../dataplane/log/options.ts';
import { createLogger } from '../../dataplane/runtime/logger.ts';
import { Metrics } from '../../dataplane/runtime/metrics.ts';
import { settleCollector } from '../../dataplane/runtime/collector-settings.ts';
import { realRuntime } from '../../dataplane/runtime/real-runtime.ts';
import { openFileStore } from '../../dataplane/store/file/open-file-store.ts';

export interface FirnBrokerOptions {
  /** Of the file store. */
  readonly folder: string;
  readonly log?: Partial<LogOptions> | undefined;
}

export interface FirnBrokerReport {
  readonly slots: number;
  readonly slotBytes: number;
  readonly puts: number;
}

const reportPrefix = 'report ';
const options = JSON.parse(process.argv[2] ?? '{}') as FirnBrokerOptions;
settleCollector();
const acceptor = await listenTcp({ name: 'PLAINTEXT', host: '127.0.0.1', port: 0 });
const store = await openFileStore(options.folder, { runtime: realRuntime });
const metrics = new Metrics();
const broker = new Broker({
  store,
  runtime: realRuntime,
  logger: createLogger({
    runtime: realRuntime,
    level: 'warn',
    write: (line) => process.stderr.write(line),
    metrics,
  }),
  metrics,
  identity: {
    id: await brokerIdOf(store, realRuntime, { zone: 'a', ordinal: 0 }),
    zone: 'a',
    address: acceptor.advertised,
    podUid: '',
    version: 'bench',
  },
  acceptors: [acceptor],
  options: { log: options.log },
  onReplaced: (error) => {
    throw error;
  },
});
process.on('SIGUSR2', () => {
  const { slots, slotBytes, puts } = broker.log.log?.session.counters ?? { slots: 0, slotBytes: 0, puts: 0 };
  console.log(reportPrefix + JSON.stringify({ slots, slotBytes, puts } satisfies FirnBrokerReport));
});
await broker.start();
console.log(reportPrefix + JSON.stringify({ port: acceptor.port }));
