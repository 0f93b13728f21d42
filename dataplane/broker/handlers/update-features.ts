import { ChangeRefused } from '../../cluster/change-refused.ts';
import type { ClusterState } from '../../cluster/cluster-state.ts';
import type { updateFeatures } from '../../protocol/api/update-features.ts';
import { kafkaErrors } from '../../protocol/error-code.ts';
import type { ClusterChanges } from '../admin/cluster-changes.ts';
import { setFeature } from '../features.ts';
import type { Handler } from '../handler.ts';

/** UpdateFeatures: all of them or none. */
export function updateFeaturesHandler({
  changes,
}: {
  readonly changes: ClusterChanges;
}): Handler<typeof updateFeatures> {
  return async ({ featureUpdates, timeoutMs, validateOnly }) => {
    const levels = featureUpdates.map(({ feature, maxVersionLevel }) => ({
      name: feature,
      level: maxVersionLevel,
    }));
    const failure = await changes.one(
      (state) =>
        levels.reduce<ClusterState | ChangeRefused>(
          (now, change) => (now instanceof ChangeRefused ? now : setFeature(now, change)),
          state,
        ),
      { timeoutMs, validateOnly },
    );
    return {
      throttleTimeMs: 0,
      errorCode: failure?.code ?? kafkaErrors.NONE.code,
      errorMessage: failure?.message ?? null,
      results:
        failure === undefined
          ? levels.map(({ name }) => ({
              feature: name,
              errorCode: kafkaErrors.NONE.code,
              errorMessage: null,
            }))
          : [],
    };
  };
}
