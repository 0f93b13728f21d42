import { ChangeRefused } from './change-refused.ts';
import type { BrokerEntry, ClusterState, Configs } from './cluster-state.ts';

/** Whether a broker is to own nothing: kept in its entry as `cordoned`. */
export const cordonedConfig = 'firn.placement.cordoned';

/** What is set for one broker. */
export function presentBrokerConfigs({ cordoned }: Pick<BrokerEntry, 'cordoned'>): Configs {
  return cordoned === true ? { [cordonedConfig]: 'true' } : {};
}

/**
 * Sets and removes settings of one broker, which hold for every session of its id until they are changed again. The groups
 * of a broker that is cordoned then go elsewhere by hand-over, which is for whoever moves groups.
 */
export function setBrokerConfigs(
  state: ClusterState,
  change: { readonly id: number; readonly set: Configs; readonly remove: readonly string[] },
): ClusterState | ChangeRefused {
  const { id, set, remove } = change;
  const entry = state.brokers.get(id);
  const asked = set[cordonedConfig] ?? (remove.includes(cordonedConfig) ? 'false' : undefined);
  if (entry === undefined) {
    // What was never set is removed: tools do that to brokers that are gone.
    if (Object.keys(set).length === 0) return state;
    return new ChangeRefused('INVALID_BROKER', `broker ${id} cannot be configured: there is no such broker`);
  }
  if (asked === undefined || (asked === 'true') === (entry.cordoned === true)) return state;
  const { cordoned: _before, ...kept } = entry;
  const next: BrokerEntry = asked === 'true' ? { ...kept, cordoned: true } : kept;
  return { ...state, brokers: new Map(state.brokers).set(id, next) };
}
