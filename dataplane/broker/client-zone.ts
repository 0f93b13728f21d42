import { clusterConfigOf } from '../cluster/config/cluster-configs.ts';
import { ZoneCidrs, zoneCidrsConfig } from '../cluster/config/zone-cidrs.ts';
import type { ClusterState, Configs } from '../cluster/cluster-state.ts';
import type { ClusterView } from './cluster-view.ts';
import type { ConnectionInfo, RequestContext } from './request-context.ts';

/** What a connection has said of its client, and what follows from it. */
interface Known {
  readonly rackId: string;
  readonly clientId: string | null;
  readonly state: ClusterState;
  readonly zone: string | undefined;
}

/**
 * The zones of clients (log.md, "Zone locality"). The first of these that names a zone of the cluster counts:
 *
 *   1. `client.rack`, where the request has it, or an earlier one of the same connection had;
 *   2. what the client id says, by the conventions of other systems too: {@link zonesOfClientId};
 *   3. the zone of the listener that it has come through, where the listener belongs to one;
 *   4. its address, by the cluster's config `firn.zone.cidrs`.
 *
 * Asked with every request, so what it comes to is kept for each connection and version of the cluster state.
 */
export class ClientZones {
  readonly #view: Pick<ClusterView, 'state'>;
  readonly #known = new WeakMap<ConnectionInfo, Known>();

  constructor(view: Pick<ClusterView, 'state'>) {
    this.#view = view;
  }

  /**
   * @param rackId `client.rack` as the request has it; empty: it does not say
   * @returns `undefined`: nothing tells
   */
  of(
    { connection, clientId }: Pick<RequestContext, 'connection' | 'clientId'>,
    rackId?: string | null,
  ): string | undefined {
    const { state } = this.#view;
    if (state === undefined) return undefined;
    const before = this.#known.get(connection);
    const told = rackId === undefined || rackId === null || rackId === '' ? (before?.rackId ?? '') : rackId;
    if (before?.state === state && before.clientId === clientId && before.rackId === told) return before.zone;
    const zone = zoneOf(state, { rackId: told, clientId, connection });
    this.#known.set(connection, { rackId: told, clientId, state, zone });
    return zone;
  }
}

function zoneOf(
  { zones, configs }: ClusterState,
  client: {
    readonly rackId: string;
    readonly clientId: string | null;
    readonly connection: ConnectionInfo;
  },
): string | undefined {
  const { rackId, clientId, connection } = client;
  if (zones.includes(rackId)) return rackId;
  const named = zonesOfClientId(clientId ?? '').find((zone) => zones.includes(zone));
  if (named !== undefined) return named;
  const { zone: ofListener, remoteAddress } = connection;
  if (ofListener !== undefined && zones.includes(ofListener)) return ofListener;
  const ofAddress = zoneCidrsOf(configs).zoneOf(remoteAddress);
  return ofAddress !== undefined && zones.includes(ofAddress) ? ofAddress : undefined;
}

/** In the order in which they count. */
const conventions = [
  'zone_id',
  'automq_az',
  'diskless_az',
  'warpstream_az',
  'ws_az',
  'zone',
] as const satisfies readonly string[];

const pair = new RegExp(`(?:^|[\\s,;&])(${conventions.join('|')})=([^\\s,;&=]+)`, 'g');

/**
 * The zones that a client id names, the one that counts first: `NAME=ZONE` among other things, set apart by `,`, `&`, `;`
 * or a space, as in `billing,ws_az=eu-1a` or `automq_type=consumer&automq_az=eu-1a`.
 */
export function zonesOfClientId(clientId: string): string[] {
  if (!clientId.includes('=')) return [];
  return Array.from(clientId.matchAll(pair), ([, name = '', zone = '']) => ({ name, zone }))
    .toSorted((a, b) => rankOf(a.name) - rankOf(b.name))
    .map(({ zone }) => zone);
}

function rankOf(name: string): number {
  return (conventions as readonly string[]).indexOf(name);
}

/** Parsed once for each version of the cluster's configs. */
function zoneCidrsOf(configs: Configs): ZoneCidrs {
  let cidrs = parsed.get(configs);
  if (cidrs === undefined)
    parsed.set(configs, (cidrs = ZoneCidrs.parse(clusterConfigOf(configs)[zoneCidrsConfig])));
  return cidrs;
}

const parsed = new WeakMap<Configs, ZoneCidrs>();
