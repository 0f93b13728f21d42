import { Broker } from '../../dataplane/broker/broker.ts';
import { brokerIdOf } from '../../dataplane/broker/broker-id.ts';
import { AdminServer } from '../../dataplane/broker/http/admin-server.ts';
import { ApiCredentialsError } from '../../dataplane/broker/http/api-credentials.ts';
import { ApiServer } from '../../dataplane/broker/http/api-server.ts';
import type { ApiAccess } from '../../dataplane/broker/http/api-server.ts';
import type { Acceptor } from '../../dataplane/broker/net/acceptor.ts';
import { ListenError } from '../../dataplane/broker/net/listen-error.ts';
import { listenTcp } from '../../dataplane/broker/net/tcp-acceptor.ts';
import { openInternalNetwork } from '../../dataplane/broker/peers/internal-network.ts';
import type { InternalNetwork } from '../../dataplane/broker/peers/internal-network.ts';
import { reserveZone } from '../../dataplane/cluster/reserve-zone.ts';
import { settleCollector } from '../../dataplane/runtime/collector-settings.ts';
import { createLogger } from '../../dataplane/runtime/logger.ts';
import { Metrics } from '../../dataplane/runtime/metrics.ts';
import { realRuntime } from '../../dataplane/runtime/real-runtime.ts';
import { untilAborted } from '../../dataplane/store/body.ts';
import { StoreError } from '../../dataplane/store/errors.ts';
import type { ObjectStore } from '../../dataplane/store/object-store.ts';
import { openStore } from '../../dataplane/store/open.ts';
import type { CommandIo, ExitCode } from '../command.ts';
import { firnVersion } from '../firn-version.ts';
import { apiAccess } from './api-access.ts';
import { oneBrokerText } from './broker-ready.ts';
import type { BrokerReady } from './broker-ready.ts';
import { foreignFolderProblem } from './data-folder.ts';
import { drainBroker } from './drain-broker.ts';
import { listenerAt } from './internal-security.ts';
import { presentOwner } from './present-owner.ts';
import { StartProblems } from './start-problems.ts';
import type { UpSettings } from './up-settings.ts';

/** For whoever starts it. */
export interface BrokerEvents {
  /** Clients are answered. Default: says so on `io.out`. */
  readonly onReady?: (ready: BrokerReady) => void;
  /** Another process has its id; it ends. */
  readonly onReplaced?: () => void;
}

/** Starts a broker and runs it until it is interrupted or cannot go on. What fails is said on `io.err`. */
export async function runBroker(
  settings: UpSettings,
  io: CommandIo,
  events: BrokerEvents = {},
): Promise<ExitCode> {
  settleCollector();
  const acceptors: Acceptor[] = [];
  let internal: InternalNetwork | undefined;
  let store: ObjectStore | undefined;
  try {
    // What needs no store is checked before anything is written.
    const access = await apiAccess(settings.api, io.cwd);
    for (const listener of settings.listeners) acceptors.push(await listenTcp(listener));
    internal = await openInternalNetwork(
      listenerAt(settings.internal, io.cwd),
      realRuntime,
      (what, error) => {
        io.err(`firn up: ${what}: ${error instanceof Error ? error.message : String(error)}\n`);
      },
    );
    const foreign = await foreignFolderProblem(settings.url);
    if (foreign !== undefined) {
      io.err(`firn up: ${foreign}\n`);
      return 1;
    }
    store = await openStore(settings.url, { runtime: realRuntime });
    return await serve(settings, store, { acceptors, internal, access }, io, events);
  } catch (error) {
    if (error instanceof ListenError || error instanceof ApiCredentialsError || error instanceof StoreError)
      io.err(`firn up: ${error.message}\n`);
    else if (io.signal.aborted) io.err('firn up: interrupted before the broker was ready\n');
    else throw error;
    return 1;
  } finally {
    for (const acceptor of acceptors) await acceptor.close();
    await internal?.acceptor.close();
    await store?.close();
  }
}

interface Opened {
  readonly acceptors: readonly Acceptor[];
  readonly internal: InternalNetwork;
  readonly access: ApiAccess;
}

async function serve(
  settings: UpSettings,
  store: ObjectStore,
  { acceptors, internal, access }: Opened,
  io: CommandIo,
  {
    onReady = (ready) => {
      io.out(oneBrokerText(ready));
    },
    onReplaced,
  }: BrokerEvents,
): Promise<ExitCode> {
  const say = (sentence: string): void => io.err(`firn up: ${sentence}\n`);
  const metrics = new Metrics();
  const problems = new StartProblems(say);
  const logger = problems.watching(
    createLogger({ runtime: realRuntime, level: settings.logLevel, write: (line) => io.err(line), metrics }),
  );
  const addresses = acceptors.map(({ advertised }) => advertised);
  const id = await untilAborted(idOf(settings, store, io.signal), io.signal);
  const owner = await untilAborted(presentOwner(store, id, addresses), io.signal);
  if (owner !== undefined) {
    say(
      `broker ${id} of this store is served by the process at ${Object.values(owner.listeners).join(', ')}, and is taken over from it now: ` +
        'that process will end. Two brokers over one store need zones of their own (--zone)',
    );
  }
  const replaced = Promise.withResolvers<Error>();
  const broker = new Broker({
    store,
    runtime: realRuntime,
    logger,
    metrics,
    identity: {
      id,
      zone: settings.zone,
      address: internal.acceptor.advertised,
      podUid: '',
      version: firnVersion(),
    },
    acceptors,
    internal,
    options: settings.options,
    crashPoint: settings.crashPoint,
    onReplaced: (error) => {
      onReplaced?.();
      replaced.resolve(error);
    },
  });
  const admin = await AdminServer.listen(settings.admin, broker.adminPages);
  const interrupted = interruption(io.signal);
  let api: ApiServer | undefined;
  try {
    api = await ApiServer.listen({ ...settings.api, mounts: broker.apiMounts, access, logger });
    if (access === 'anonymous-anywhere')
      say(
        `anybody who reaches the api port at ${settings.api.host}:${api.port} may change schemas and tables (--api-anonymous)`,
      );
    const started = broker.start().then(() => 'started' as const);
    const first = await Promise.race([started, interrupted, replaced.promise, problems.hopeless]);
    if (first === 'started') {
      problems.over();
      const apiPort = api.port;
      onReady({
        id,
        zone: settings.zone,
        listeners: acceptors.map(({ name, advertised }) => ({ name, advertised })),
        internal: internal.acceptor.advertised,
        store: settings.url,
        adminUrl: `http://${urlHost(settings.admin.host)}:${admin.port}`,
        apiUrl: `http://${urlHost(settings.api.host)}:${apiPort}`,
        apiPaths: Object.fromEntries(
          Object.keys(broker.apiMounts).map((prefix) => [prefix.slice(1), prefix]),
        ),
        pid: process.pid,
      });
    }
    const end = first === 'started' ? await Promise.race([interrupted, replaced.promise]) : first;
    if (end instanceof Error) {
      say(end.message);
      return 1;
    }
    if (first === 'started') return await drainBroker(broker, settings.drainTimeoutMs, io);
    say('interrupted before the broker was ready');
    return 1;
  } finally {
    await broker.stop();
    await api?.close();
    await admin.close();
  }
}

/** Zones of brokers that start side by side have their indexes in the order in which they were named. */
async function idOf(settings: UpSettings, store: ObjectStore, signal: AbortSignal): Promise<number> {
  for (const zone of settings.zones ?? []) await reserveZone(store, realRuntime, zone, signal);
  return await brokerIdOf(store, realRuntime, settings, signal);
}

function interruption(signal: AbortSignal): Promise<'interrupted'> {
  return new Promise((resolve) => {
    const onAbort = (): void => resolve('interrupted');
    if (signal.aborted) onAbort();
    else signal.addEventListener('abort', onAbort, { once: true });
  });
}

function urlHost(host: string): string {
  return host.includes(':') ? `[${host}]` : host;
}
