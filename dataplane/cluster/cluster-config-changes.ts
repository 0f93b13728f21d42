import { ChangeRefused } from './change-refused.ts';
import type { ClusterState, Configs } from './cluster-state.ts';
import { changedConfigs } from './topic-changes.ts';

/** Who rebalances and brings groups home: stored as `placedBy`. Creation and takeover are the brokers' in any case. */
export const placementByConfig = 'firn.placement.by';

/** Sets and removes dynamic settings of the whole cluster. `firn.placement.by` is kept as `placedBy`. */
export function setClusterConfigs(
  state: ClusterState,
  change: { readonly set: Configs; readonly remove: readonly string[] },
): ClusterState | ChangeRefused {
  const { [placementByConfig]: asked, ...set } = change.set;
  const placedBy = asked ?? (change.remove.includes(placementByConfig) ? 'brokers' : state.placedBy);
  if (placedBy !== 'brokers' && placedBy !== 'operator') {
    return new ChangeRefused(
      'INVALID_CONFIG',
      `${placementByConfig} is ${JSON.stringify(placedBy)}, "brokers" or "operator" is expected`,
    );
  }
  const configs = changedConfigs(state.configs, { set, remove: change.remove });
  if (configs === undefined && placedBy === state.placedBy) return state;
  return { ...state, placedBy, configs: configs ?? state.configs };
}
