import { SuspicionWatch } from '../../cluster/suspicion-watch.ts';
import type { ClusterState } from '../../cluster/cluster-state.ts';
import type { BrokerLog } from '../../log/broker-log.ts';
import { GroupLoads } from '../../log/group-loads.ts';
import { inBackground } from '../../runtime/in-background.ts';
import type { Logger } from '../../runtime/logger.ts';
import { RunningState } from '../../runtime/running-state.ts';
import type { Runtime } from '../../runtime/runtime.ts';
import type { TableWorkers } from '../../table/table-workers.ts';
import type { BrokerMetrics } from '../broker-metrics.ts';
import type { Acceptor } from '../net/acceptor.ts';
import type { Dialer } from '../net/dialer.ts';
import type { Registry } from '../../schema/registry/registry.ts';
import type { RemoteSchemas } from '../registry/cluster-schema-lookup.ts';
import { latestSchemaMethod, schemaByIdMethod } from './schema-methods.ts';
import { durableMethod, loadsMethod, nudgeMethod, releasedMethod } from './cluster-methods.ts';
import { Nudges } from './nudges.ts';
import { PeerError } from './peer-error.ts';
import { PeerServer } from './peer-server.ts';
import { PeerTableWorkers } from './peer-table-workers.ts';
import type { PeerRequestOptions } from './peer-link.ts';
import { Peers } from './peers.ts';
import { collectMethod, committedMethod } from './table-methods.ts';

/** How brokers reach each other. */
export interface InternalNetwork {
  /** Its advertised address is this broker's in `meta/cluster`. */
  readonly acceptor: Acceptor;
  readonly dialer: Dialer;
}

const hintMs = 2_000;
const loadsMs = 2_000;
/** A registry that is being taken over is waited for. */
const schemaMs = 15_000;
const measureEveryMs = 5_000;
/** Nudges that come closer together share a read. */
const nudgedReadMs = 50;

/** A broker among others: what it tells them, what it asks them, and whom it takes for dead. */
export class BrokerPeers {
  readonly #log: BrokerLog;
  readonly #runtime: Runtime;
  readonly #brokerId: number;
  readonly #internal: InternalNetwork;
  readonly #server: PeerServer;
  readonly #peers: Peers;
  readonly #nudges: Nudges;
  readonly #suspicion: SuspicionWatch;
  readonly #loads = new GroupLoads();
  readonly #running: RunningState;
  #nudgedVersion = 0;
  #reading: Promise<void> | undefined;
  #measuring: Promise<void> | undefined;

  constructor(parts: {
    readonly internal: InternalNetwork;
    readonly log: BrokerLog;
    readonly runtime: Runtime;
    readonly brokerId: number;
    /** Those of this broker. */
    readonly workers: () => TableWorkers;
    readonly registry: () => Registry;
    readonly metrics: BrokerMetrics;
    readonly logger: Logger;
  }) {
    const { internal, log, runtime, brokerId, workers, registry, metrics, logger } = parts;
    this.#log = log;
    this.#runtime = runtime;
    this.#brokerId = brokerId;
    this.#internal = internal;
    this.#running = new RunningState(runtime);
    const self = (): { clusterId: string; id: number; sid: string } | undefined => {
      const clusterId = log.cluster.current?.clusterId;
      return clusterId === undefined ? undefined : { clusterId, id: brokerId, sid: log.sid ?? '' };
    };
    this.#server = new PeerServer({
      runtime,
      self,
      onAnswered: (method, outcome) => {
        metrics.peerRequest('served', method, outcome);
      },
      onRefused: (peer, error) => {
        logger.warn('a connection to the internal listener was refused', { peer, error });
      },
    });
    this.#peers = new Peers({
      runtime,
      dialer: internal.dialer,
      self: () => (log.sid === undefined ? undefined : self()),
      onRequest: (method, outcome) => {
        metrics.peerRequest('asked', method, outcome);
      },
      onProblem: (what, error) => {
        logger.warn(what, { error });
      },
    });
    this.#nudges = new Nudges(this.#peers);
    this.#suspicion = new SuspicionWatch({
      client: log.cluster,
      runtime,
      id: brokerId,
      links: () => this.#peers.links(),
      onAction: (action, result) => {
        const outcome = result instanceof Error ? { error: result } : { outcome: result.kind };
        logger.warn(`suspicion: ${action.kind}`, {
          ...('id' in action ? { broker: action.id } : {}),
          ...outcome,
        });
      },
    });
    this.#serve(workers);
    this.#serveSchemas(registry);
  }

  start(): void {
    const { cluster } = this.#log;
    this.#server.accept(this.#internal.acceptor);
    cluster.subscribe((state) => {
      this.#peers.follow(state);
    });
    inBackground(this.#peers.run());
    inBackground(this.#suspicion.run());
    this.#measuring = this.#measure();
  }

  async stop(): Promise<void> {
    this.#running.stop();
    await this.#internal.acceptor.close();
    this.#server.close();
    await Promise.allSettled([this.#suspicion.stop(), this.#peers.stop(), this.#measuring, this.#reading]);
  }

  /** This broker has changed `meta/cluster`. */
  changed({ version }: ClusterState): void {
    this.#nudges.changed(version);
  }

  /** This broker has released a group: its next owner is told at once. */
  released(group: string, generation: number): void {
    const to = this.#log.cluster.current?.assignments.get(group)?.broker;
    if (to === undefined || to === this.#brokerId) return;
    const request = { groups: [{ group, generation }] };
    inBackground(this.#peers.request(to, releasedMethod, request, { timeoutMs: hintMs }).catch(unlessBug));
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

  /** Bytes a second by group, of all brokers that can be asked now. */
  async loads(): Promise<ReadonlyMap<string, number>> {
    const asked = this.#peers.reachable.map((broker) =>
      this.#peers.request(broker, loadsMethod, undefined, { timeoutMs: loadsMs }).catch((error: unknown) => {
        unlessBug(error);
        return new Map<string, number>();
      }),
    );
    const answers = await Promise.all(asked);
    return new Map([...answers.flatMap((loads) => [...loads]), ...this.#loads.rates]);
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
      const options = { timeoutMs: waitMs + hintMs, signal };
      return (await this.#peers.request(broker, durableMethod, { sid, slot, waitMs }, options)).slot;
    } catch (error) {
      if (error instanceof PeerError) return undefined;
      throw error;
    }
  }

  /** How many connections to others are up, and how many are not. */
  get linkCounts(): { readonly up: number; readonly down: number } {
    const states = [...this.#peers.links().values()];
    const up = states.filter(({ state }) => state === 'up').length;
    return { up, down: states.length - up };
  }

  #serve(workers: () => TableWorkers): void {
    const server = this.#server;
    server.serve(nudgeMethod, ({ version }) => {
      this.#nudged(version);
      return Promise.resolve(undefined);
    });
    server.serve(releasedMethod, ({ groups }) => {
      for (const { group } of groups) this.#log.released(group);
      return Promise.resolve(undefined);
    });
    server.serve(loadsMethod, () => Promise.resolve(this.#loads.rates));
    server.serve(durableMethod, async ({ sid, slot, waitMs }, _caller, signal) => ({
      slot: await this.#durableHere(sid, slot, waitMs, signal),
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

  async #durableHere(
    sid: string,
    slot: number,
    waitMs: number,
    signal: AbortSignal,
  ): Promise<number | undefined> {
    const session = this.#log.log?.session;
    if (session?.sid !== sid || !session.live) return undefined;
    if (session.durableEnd - 1 <= slot) {
      const over = Promise.withResolvers<void>();
      const cancel = this.#runtime.after(waitMs, over.resolve);
      signal.addEventListener('abort', () => over.resolve(), { once: true });
      await Promise.race([session.durable(slot + 2).catch(() => undefined), over.promise]);
      cancel();
    }
    return session.live ? session.durableEnd - 1 : undefined;
  }

  #nudged(version: number): void {
    this.#nudgedVersion = Math.max(this.#nudgedVersion, version);
    this.#reading ??= this.#readWhatIsNew();
  }

  async #readWhatIsNew(): Promise<void> {
    const { cluster } = this.#log;
    while (this.#running.shouldRun() && (cluster.current?.version ?? 0) < this.#nudgedVersion) {
      const version = this.#nudgedVersion;
      try {
        await cluster.refresh(this.#running.signal);
      } catch {
        // Polls report it, and make good for it.
        break;
      }
      // A read that was under way already may have been too early; a version that never was is not looked for again.
      if (version === this.#nudgedVersion && (cluster.current?.version ?? 0) < version) {
        await cluster.refresh(this.#running.signal).catch(() => undefined);
        if ((cluster.current?.version ?? 0) < version) this.#nudgedVersion = 0;
      }
      await this.#running.sleep(nudgedReadMs);
    }
    this.#reading = undefined;
  }

  async #measure(): Promise<void> {
    while (this.#running.shouldRun()) {
      this.#loads.measure(this.#log.log?.groups ?? [], this.#runtime.monotonicMs());
      await this.#running.sleep(measureEveryMs);
    }
  }
}

function unlessBug(error: unknown): void {
  if (!(error instanceof PeerError)) throw error;
}
