import { ChangeRefused } from './change-refused.ts';
import type { ClusterState, Configs } from './cluster-state.ts';
import { chooseHomeZone } from './place.ts';

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

function isPolicy(policy: string): policy is (typeof placementPolicies)[number] {
  return (placementPolicies as readonly string[]).includes(policy);
}

function invalid(message: string): ChangeRefused {
  return new ChangeRefused('INVALID_CONFIG', message);
}
