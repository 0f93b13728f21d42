import { ChangeRefused } from './change-refused.ts';
import type { ClusterState, Configs } from './cluster-state.ts';
import { takersOf } from './ownership.ts';
import { groupsOf } from './partition-groups.ts';

/** `HomeZone` (a zone may be named, else one is chosen), `Pinned` (the zone must be named) or `Spread` (default). */
export const placementPolicyConfig = 'table.placement.policy';
export const placementZoneConfig = 'table.placement.zone';

export const placementPolicies = ['HomeZone', 'Pinned', 'Spread'] as const;

/**
 * The home zone that a topic with these configs has; `undefined` when it has none. A zone that was chosen stays: `present`
 * is what the topic has now.
 */
export function homeZoneOf(
  state: ClusterState,
  topic: string,
  configs: Configs,
  present: string | undefined,
): string | undefined | ChangeRefused {
  const policy = configs[placementPolicyConfig] ?? 'Spread';
  const zone = configs[placementZoneConfig] ?? '';
  if (!isPolicy(policy)) {
    return invalid(
      `topic ${topic}: ${placementPolicyConfig} is ${JSON.stringify(policy)}, one of ${placementPolicies.join(', ')} is expected`,
    );
  }
  if (policy === 'Spread') {
    if (zone === '') return undefined;
    return invalid(
      `topic ${topic}: ${placementZoneConfig} is ${JSON.stringify(zone)}, but nothing keeps the topic there: set ` +
        `${placementPolicyConfig} to HomeZone or Pinned, or remove the zone`,
    );
  }
  if (zone === '') {
    if (policy === 'HomeZone') return present ?? chooseHomeZone(state);
    return invalid(
      `topic ${topic}: ${placementPolicyConfig} is Pinned: name the zone in ${placementZoneConfig}`,
    );
  }
  if (state.zones.includes(zone)) return zone;
  return new ChangeRefused(
    'UNKNOWN_ZONE',
    `topic ${topic}: ${placementZoneConfig} is ${JSON.stringify(zone)}, but the cluster has had no broker in that zone; ` +
      `it has had some in: ${state.zones.join(', ') || 'none'}`,
  );
}

/**
 * The zone that a topic whose home is left to us gets: of those with a broker that groups can go to the one with the
 * fewest partitions per such broker, where a topic counts for its home zone even while it is abroad. `undefined` without
 * one.
 */
export function chooseHomeZone(state: ClusterState): string | undefined {
  const load = new Map<string, number>();
  for (const topic of state.topics.values()) {
    if (topic.homeZone !== undefined) add(load, topic.homeZone, topic.partitions);
    else {
      for (const group of groupsOf(topic)) {
        const zone = state.brokers.get(state.assignments.get(group.id)?.broker ?? -1)?.zone;
        if (zone !== undefined) add(load, zone, group.count);
      }
    }
  }
  const brokers = new Map<string, number>();
  for (const id of takersOf(state)) add(brokers, state.brokers.get(id)?.zone ?? '', 1);
  let best: { readonly zone: string; readonly load: number } | undefined;
  for (const zone of state.zones) {
    const count = brokers.get(zone);
    if (count === undefined) continue;
    const perBroker = (load.get(zone) ?? 0) / count;
    if (best === undefined || perBroker < best.load) best = { zone, load: perBroker };
  }
  return best?.zone;
}

function add(sums: Map<string, number>, key: string, amount: number): void {
  sums.set(key, (sums.get(key) ?? 0) + amount);
}

function isPolicy(policy: string): policy is (typeof placementPolicies)[number] {
  return (placementPolicies as readonly string[]).includes(policy);
}

function invalid(message: string): ChangeRefused {
  return new ChangeRefused('INVALID_CONFIG', message);
}
