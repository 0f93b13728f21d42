import type { ClusterState } from '../../cluster/cluster-state.ts';
import type { Link } from '../../cluster/decide-suspicion.ts';
import { SuspicionWatch } from '../../cluster/suspicion-watch.ts';
import type { BrokerLog } from '../../log/broker-log.ts';
import type { GroupLoads as ClusterLoads } from '../../cluster/group-loads.ts';
import { GroupLoads } from '../../log/group-loads.ts';
import { WorkLimit } from '../../runtime/concurrency.ts';
import type { HttpHandler } from '../../runtime/http-exchange.ts';
import { inBackground } from '../../runtime/in-background.ts';
import type { Logger } from '../../runtime/logger.ts';
import { RunningState } from '../../runtime/running-state.ts';
import type { Cancel, Runtime } from '../../runtime/runtime.ts';
import { registryErrorResponse } from '../../schema/registry/http/registry-handler.ts';
import { RegistryError } from '../../schema/registry/registry-error.ts';
import type { Registry } from '../../schema/registry/registry.ts';
import type { TableWorkers } from '../../table/table-workers.ts';
import type { BrokerMetrics } from '../broker-metrics.ts';
import type { RemoteRegistry } from '../registry/cluster-registry-handler.ts';
import { withDeadline } from '../with-deadline.ts';
import type { RemoteSchemas } from '../registry/cluster-schema-lookup.ts';
import { durableMethod, loadsMethod, nudgeMethod, releasedMethod } from './cluster-methods.ts';
import { durableSlot } from './durable-slots.ts';
import type { InternalNetwork } from './internal-network.ts';
import { NudgedReads } from './nudged-reads.ts';
import { Nudges } from './nudges.ts';
import type { PeerRequestOptions } from './peer-connection.ts';
import { PeerError } from './peer-error.ts';
import type { PeerSelf } from './peer-hello.ts';
import { PeerServer } from './peer-server.ts';
import { PeerTableWorkers } from './peer-table-workers.ts';
import { Peers } from './peers.ts';
import { RefusalLog } from './refusal-log.ts';
import { ReleaseNotices } from './release-notices.ts';
import { answerOf, passedAnswer, passedRequest, registryMethod, requestOf } from './registry-method.ts';
import type { PassedAnswer } from './registry-method.ts';
import { latestSchemaMethod, schemaByIdMethod } from './schema-methods.ts';
import { collectMethod, committedMethod } from './table-methods.ts';

/** How long an answer may wait until others know what it tells of. */
const knownMs = 500;
const loadsMs = 2_000;
/** A registry that is being taken over is waited for. */
const schemaMs = 15_000;
/** It waits for a registry that is being read, and for what it writes. */
const registryMs = 30_000;
/** So few of larger ones are sent at a time that the other broker need not have read one before the next may come. */
const largeRequestBytes = 64 * 1024;
const maxLargeRequests = 4;
const measureEveryMs = 1_000;
/** Beyond what a long poll itself may wait. */
const answerMs = 2_000;

/** A broker among others: what it tells them, what it asks them, and whom it takes for dead. */
export class BrokerPeers {
  readonly #log: BrokerLog;
  readonly #runtime: Runtime;
  readonly #brokerId: number;
  readonly #internal: InternalNetwork;
  readonly #server: PeerServer;
  readonly #peers: Peers;
  readonly #nudges: Nudges;
  readonly #nudgedReads: NudgedReads;
  readonly #releases: ReleaseNotices;
  readonly #suspicion: SuspicionWatch;
  readonly #loads = new GroupLoads();
  readonly #running: RunningState;
  readonly #largeRequests = new WorkLimit(maxLargeRequests);
  #unsubscribe: Cancel = () => undefined;
  #measuring: Promise<void> | undefined;

  constructor(parts: {
    readonly internal: InternalNetwork;
    readonly log: BrokerLog;
    readonly runtime: Runtime;
    readonly brokerId: number;
    /** Those of this broker. */
    readonly workers: () => TableWorkers;
    readonly registry: () => Registry;
    readonly registryHandler: () => HttpHandler;
    readonly metrics: BrokerMetrics;
    readonly logger: Logger;
  }) {
    const { internal, log, runtime, brokerId, workers, registry, registryHandler, metrics, logger } = parts;
    this.#log = log;
    this.#runtime = runtime;
    this.#brokerId = brokerId;
    this.#internal = internal;
    this.#running = new RunningState(runtime);
    const self = (): PeerSelf | undefined => {
      const clusterId = log.cluster.current?.clusterId;
      const { sid } = log;
      return clusterId === undefined || sid === undefined ? undefined : { clusterId, id: brokerId, sid };
    };
    const refusals = new RefusalLog(runtime, logger);
    this.#server = new PeerServer({
      runtime,
      self,
      storeAgeMs: () => {
        const { readAtMs } = log.cluster;
        return readAtMs === undefined ? undefined : runtime.monotonicMs() - readAtMs;
      },
      onAnswered: (method, outcome) => {
        metrics.peerRequest('served', method, outcome);
      },
      onRefused: (remoteAddress, why) => {
        refusals.add(remoteAddress, why);
      },
    });
    this.#peers = new Peers({
      runtime,
      dialer: internal.dialer,
      self,
      cluster: () => log.cluster.current,
      timings: internal.timings,
      onUp: (id) => {
        this.#nudges.met(id, log.cluster.current?.version ?? 0);
      },
      onRequest: (method, outcome) => {
        metrics.peerRequest('asked', method, outcome);
      },
      onProblem: (what, error) => {
        logger.warn(what, { error });
      },
    });
    this.#nudges = new Nudges(this.#peers);
    this.#nudgedReads = new NudgedReads(log.cluster, runtime);
    this.#releases = new ReleaseNotices(this.#peers);
    this.#suspicion = new SuspicionWatch({
      client: log.cluster,
      runtime,
      id: brokerId,
      links: () => this.#peers.links(),
      onAction: (action, result) => {
        logger.warn(`suspicion: ${action.kind}`, {
          ...('id' in action ? { broker: action.id } : {}),
          ...(result instanceof Error ? { error: result } : { outcome: result.kind }),
        });
      },
    });
    this.#serve(workers);
    this.#serveSchemas(registry);
    this.#serveRegistry(registryHandler);
  }

  /** Answers others from now on; asks them as soon as this broker has a session. */
  start(): void {
    this.#server.accept(this.#internal.acceptor);
    this.#unsubscribe = this.#log.cluster.subscribe(() => {
      this.#peers.follow();
    });
    inBackground(this.#peers.run());
    inBackground(this.#suspicion.run());
    this.#measuring = this.#measure();
  }

  async stop(): Promise<void> {
    this.#running.stop();
    this.#unsubscribe();
    await this.#internal.acceptor.close();
    this.#server.close();
    await Promise.allSettled([
      this.#suspicion.stop(),
      this.#peers.stop(),
      this.#nudgedReads.stop(),
      this.#measuring,
    ]);
  }

  /** This broker has changed `meta/cluster`. */
  changed({ version }: ClusterState): void {
    this.#nudges.changed(version);
  }

  /** Resolves when the other brokers know this version of `meta/cluster`, or cannot be told for now. */
  known({ version }: ClusterState): Promise<void> {
    return withDeadline(this.#runtime, knownMs, this.#nudges.known(version), () => undefined);
  }

  /** This broker has released a group: its next owner is told at once. */
  released(group: string, generation: number): void {
    const to = this.#log.cluster.current?.assignments.get(group)?.broker;
    if (to !== undefined && to !== this.#brokerId) this.#releases.released(to, { group, generation });
  }

  /** The table workers of another broker. */
  workersOf(broker: number): TableWorkers {
    return new PeerTableWorkers(this.#peers, broker);
  }

  /** The registries of other brokers. */
  get schemas(): RemoteSchemas {
    const options = (signal: AbortSignal): PeerRequestOptions => ({ timeoutMs: schemaMs, signal });
    return {
      byId: (broker, id, signal) => this.#peers.request(broker, schemaByIdMethod, id, options(signal)),
      latest: (broker, subject, signal) =>
        this.#peers.request(broker, latestSchemaMethod, subject, options(signal)),
    };
  }

  /** The api of the registries of other brokers. */
  readonly askRegistry: RemoteRegistry = async (broker, request) => {
    const options = { timeoutMs: registryMs, signal: request.signal };
    const passed = await passedRequest(request);
    const ask = (): Promise<PassedAnswer> => this.#peers.request(broker, registryMethod, passed, options);
    const isLarge = passed.body.bytes.length > largeRequestBytes;
    return await answerOf(await (isLarge ? this.#largeRequests.run(ask) : ask()));
  };

  /** Bytes a second by group, of this broker and all others that can be asked now, and which those are. */
  async loads(): Promise<ClusterLoads> {
    const { reachable } = this.#peers;
    const asked = reachable.map((broker) =>
      this.#peers.request(broker, loadsMethod, undefined, { timeoutMs: loadsMs }).catch((error: unknown) => {
        if (!(error instanceof PeerError)) throw error;
        return undefined;
      }),
    );
    const answers = await Promise.all(asked);
    const told = reachable.filter((_, index) => answers[index] !== undefined);
    return {
      bytes: new Map([...answers.flatMap((loads) => [...(loads ?? [])]), ...this.#loads.rates]),
      brokers: new Set([...told, this.#brokerId]),
    };
  }

  /**
   * Waits until a slot above `slot` of a session of another broker is durable, `waitMs` at most; the last that is.
   * `undefined`: the broker cannot be asked, or has another session.
   */
  async durable(
    broker: number,
    sid: string,
    slot: number,
    waitMs: number,
    signal?: AbortSignal,
  ): Promise<number | undefined> {
    try {
      const options = { timeoutMs: waitMs + answerMs, signal };
      return (await this.#peers.request(broker, durableMethod, { sid, slot, waitMs }, options)).slot;
    } catch (error) {
      if (error instanceof PeerError) return undefined;
      throw error;
    }
  }

  /** How the connections to the others are at this moment, by their ids. */
  links(): ReadonlyMap<number, Link> {
    return this.#peers.links();
  }

  #serve(workers: () => TableWorkers): void {
    const server = this.#server;
    server.serve(nudgeMethod, async ({ version }) => {
      await this.#nudgedReads.announced(version);
      return undefined;
    });
    server.serve(releasedMethod, ({ groups }) => {
      for (const { group } of groups) this.#log.released(group);
      return Promise.resolve(undefined);
    });
    server.serve(loadsMethod, () => Promise.resolve(this.#loads.rates));
    server.serve(durableMethod, async (question, _caller, signal) => ({
      slot: await durableSlot(this.#log, this.#runtime, question, signal),
    }));
    server.serve(collectMethod, (request, _caller, signal) => workers().collect(request, signal));
    server.serve(committedMethod, async (request, _caller, signal) => {
      await workers().committed(request, signal);
      return undefined;
    });
  }

  #serveSchemas(registry: () => Registry): void {
    this.#server.serve(schemaByIdMethod, (id, _caller, signal) =>
      registry().read((state) => state.schema(id), signal),
    );
    this.#server.serve(latestSchemaMethod, (subject, _caller, signal) =>
      registry().read((state) => {
        const latest = state.latest(subject);
        const schema = latest === undefined ? undefined : state.schema(latest.id);
        return latest === undefined || schema === undefined ? undefined : { schema, version: latest.version };
      }, signal),
    );
  }

  #serveRegistry(handler: () => HttpHandler): void {
    this.#server.serve(registryMethod, async (passed, _caller, signal) => {
      const { accept } = passed;
      try {
        return await passedAnswer(await handler()(await requestOf(passed, signal)));
      } catch (error) {
        if (!(error instanceof RegistryError)) throw error;
        return await passedAnswer(registryErrorResponse(error, accept));
      }
    });
  }

  async #measure(): Promise<void> {
    while (this.#running.shouldRun()) {
      this.#loads.measure(this.#log.log?.groups ?? [], this.#runtime.monotonicMs());
      await this.#running.sleep(measureEveryMs);
    }
  }
}
