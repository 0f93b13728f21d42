import type { PartitionLeader } from './cluster-view.ts';

export interface NodeEndpoint {
  readonly nodeId: number;
  readonly host: string;
  readonly port: number;
  readonly rack: string;
}

/**
 * Where the leaders are that a response names instead of this broker (KIP-951), each once. Those without an address for
 * the client's listener are left out: the client asks for metadata then.
 */
export function nodeEndpoints(
  leaders: readonly (PartitionLeader | undefined)[],
  listener: string,
): NodeEndpoint[] {
  const endpoints = new Map<number, NodeEndpoint>();
  for (const leader of leaders) {
    if (leader === undefined || endpoints.has(leader.brokerId)) continue;
    const address = leader.entry.listeners[listener];
    if (address === undefined) continue;
    endpoints.set(leader.brokerId, {
      nodeId: leader.brokerId,
      ...splitAddress(address),
      rack: leader.entry.zone,
    });
  }
  return [...endpoints.values()];
}

/** `host:port`; IPv6 hosts stand in brackets, which clients are not told. */
export function splitAddress(address: string): { readonly host: string; readonly port: number } {
  const colon = address.lastIndexOf(':');
  const host = address.slice(0, colon).replace(/^\[(.*)\]$/, '$1');
  return { host, port: Number(address.slice(colon + 1)) };
}
