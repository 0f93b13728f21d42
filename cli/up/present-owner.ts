import { BrokerConnection } from '../../dataplane/client/broker-connection.ts';
import { ClientError } from '../../dataplane/client/errors.ts';
import { decodeClusterState } from '../../dataplane/cluster/cluster-codec.ts';
import { clusterKey } from '../../dataplane/cluster/cluster-state.ts';
import type { BrokerEntry } from '../../dataplane/cluster/cluster-state.ts';
import { metadata } from '../../dataplane/protocol/api/metadata.ts';
import { ProtocolError } from '../../dataplane/protocol/errors.ts';
import { realRuntime } from '../../dataplane/runtime/real-runtime.ts';
import type { ObjectStore } from '../../dataplane/store/object-store.ts';

/** It is asked only to be able to warn. */
const timeoutMs = 1_000;

/**
 * The process that serves under this broker id now, if one does: `meta/cluster` names it, and it answers for this
 * cluster. One that was killed is still named there, and answers nothing.
 *
 * @param ours addresses that this process listens on: whoever had them before is gone
 */
export async function presentOwner(
  store: ObjectStore,
  id: number,
  ours: readonly string[],
): Promise<BrokerEntry | undefined> {
  const found = await store.get(clusterKey);
  if (found.kind !== 'found') return undefined;
  const { brokers, clusterId } = decodeClusterState(found.body, clusterKey);
  const entry = brokers.get(id);
  if (entry === undefined || entry.state === 'dead') return undefined;
  const addresses = Object.values(entry.listeners);
  const [address] = addresses;
  if (address === undefined || addresses.some((one) => ours.includes(one))) return undefined;
  return (await clusterIdAt(address)) === clusterId ? entry : undefined;
}

async function clusterIdAt(address: string): Promise<string | null | undefined> {
  const at = address.lastIndexOf(':');
  const host = address.slice(0, at).replace(/^\[(.*)\]$/, '$1');
  let connection: BrokerConnection | undefined;
  try {
    connection = await BrokerConnection.open({
      host,
      port: Number(address.slice(at + 1)),
      clientId: 'firn-up',
      runtime: realRuntime,
      timeoutMs,
    });
    return (await connection.request(metadata, { topics: [] })).clusterId;
  } catch (error) {
    if (error instanceof ClientError || error instanceof ProtocolError) return undefined;
    throw error;
  } finally {
    connection?.close();
  }
}
