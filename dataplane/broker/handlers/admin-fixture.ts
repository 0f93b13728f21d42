import { registerBroker } from '../../cluster/broker-changes.ts';
import { ClusterClient } from '../../cluster/cluster-client.ts';
import { hexId, made } from '../../cluster/cluster-fixture.ts';
import type { ClusterState } from '../../cluster/cluster-state.ts';
import type { Change } from '../../cluster/change-batch.ts';
import type { Api } from '../../protocol/api.ts';
import { errorNameOf } from '../../protocol/error-code.ts';
import type { Runtime } from '../../runtime/runtime.ts';
import { VirtualTime } from '../../runtime/virtual-time.ts';
import { localLatencies } from '../../store/simulated/latency.ts';
import { SimulatedStore } from '../../store/simulated/simulated-store.ts';
import { ClusterChanges } from '../admin/cluster-changes.ts';
import type { WhyNoTable } from '../admin/config-changes.ts';
import { TopicCreation } from '../admin/topic-creation.ts';
import type { BrokerSettings } from '../config/broker-configs.ts';
import { defaultGroupOptions } from '../groups/options.ts';
import { defaultConnectionsOptions } from '../net/connections.ts';
import { defaultLogOptions } from '../../log/options.ts';
import { ClientZones } from '../client-zone.ts';
import { ClusterView } from '../cluster-view.ts';
import { noResponse } from '../handler.ts';
import type { Handler } from '../handler.ts';
import type { RequestContext } from '../request-context.ts';

/** For tests: what admin handlers need of a broker, over a simulated store, and requests as they come from the wire. */

export interface AdminBroker {
  readonly brokerId: number;
  readonly cluster: ClusterClient;
  readonly runtime: Runtime;
  readonly view: ClusterView;
  readonly clientZones: ClientZones;
  readonly changes: ClusterChanges;
  readonly creation: TopicCreation;
  readonly settings: BrokerSettings;
  /** Default: every topic can be a table. */
  whyNoTable: WhyNoTable;
  /** Whether the broker's log has brought its groups into service. Default: it has. */
  isServed: (topicId: string, partition: number) => boolean;
}

export interface AdminWorld {
  readonly time: VirtualTime;
  readonly server: SimulatedStore;
  /** Registers a broker; it does not poll: it learns what others change when it asks or changes something. */
  readonly join: (id: number, zone?: string) => Promise<AdminBroker>;
}

export function adminWorld(seed = 1): AdminWorld {
  const time = new VirtualTime({ seed });
  const server = new SimulatedStore({ environment: time.environment, latencies: localLatencies });
  return {
    time,
    server,
    join: async (id, zone = 'a') => {
      const process = time.process(`broker-${id}`);
      const { runtime } = process;
      const sid = hexId('5', id);
      const cluster = new ClusterClient({ store: server.connect(process), runtime, sid });
      await cluster.change((state) =>
        registerBroker(state, {
          id,
          sid,
          zone,
          address: `10.0.0.${id}:9093`,
          listeners: { internal: `broker-${id}:9092`, external: `[2001:db8::${id}]:19092` },
          supportedFormat: { min: 1, max: 1 },
        }),
      );
      const changes = new ClusterChanges({ cluster, runtime });
      const view = new ClusterView(cluster);
      const broker: AdminBroker = {
        brokerId: id,
        cluster,
        runtime,
        view,
        clientZones: new ClientZones(view),
        changes,
        creation: new TopicCreation({
          cluster,
          changes,
          runtime,
          brokerId: id,
          isServed: (topicId, partition) => broker.isServed(topicId, partition),
        }),
        settings: {
          id,
          zone,
          listeners: { internal: `broker-${id}:9092` },
          store: 'memory:',
          log: defaultLogOptions,
          groups: { ...defaultGroupOptions, maxSize: 100 },
          connections: defaultConnectionsOptions,
          fetchMaxBytes: 57_671_680,
          offsetsTopicPartitions: 50,
        },
        isServed: () => true,
        whyNoTable: () => Promise.resolve(undefined),
      };
      return broker;
    },
  };
}

/** The state after a change that must be made. */
export async function changed(broker: AdminBroker, change: Change): Promise<ClusterState> {
  const outcome = await broker.cluster.change(change);
  return made(outcome.kind === 'refused' ? outcome.refused : outcome.state);
}

export interface CallOptions {
  /** Default: the newest version. */
  readonly version?: number | undefined;
  readonly listener?: string | undefined;
  readonly clientId?: string | undefined;
}

/** The answer to a request, both as they come off the wire. */
export async function call<Req, ReqInput, Res, ResInput>(
  api: Api<string, Req, ReqInput, Res, ResInput>,
  handler: Handler<Api<string, Req, ReqInput, Res, ResInput>>,
  request: ReqInput,
  { version = api.versions.max, listener = 'internal', clientId }: CallOptions = {},
): Promise<Res> {
  const context: RequestContext = {
    connection: { id: 1, remoteAddress: '10.1.1.1', listener },
    clientId: clientId ?? null,
    apiVersion: version,
    correlationId: 1,
    principal: 'User:ANONYMOUS',
    signal: new AbortController().signal,
    afterResponse: () => undefined,
  };
  const decoded = api.request.decode(Buffer.concat(api.request.encode(request, version)), version);
  const response = await handler(decoded, context);
  if (response === noResponse) throw new Error('the handler gives no answer');
  return api.response.decode(Buffer.concat(api.response.encode(response, version)), version);
}

/** `TOPIC_ALREADY_EXISTS: topic orders exists already` */
export function shownError(failure: {
  readonly errorCode: number;
  readonly errorMessage?: string | null;
}): string {
  const { errorCode, errorMessage = null } = failure;
  return `${errorNameOf(errorCode) ?? errorCode}${errorMessage === null ? '' : `: ${errorMessage}`}`;
}
