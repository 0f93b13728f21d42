import { ChangeRefused } from '../cluster/change-refused.ts';
import { raiseFormatVersion } from '../cluster/broker-changes.ts';
import type { ClusterState } from '../cluster/cluster-state.ts';
import type { Features } from './request-dispatcher.ts';

/** Firn's own feature: in which version everything in the bucket is written (log.md 2.3). */
const formatFeature = 'firn.format.version';

/**
 * Features of Kafka whose level is what this release is: they cannot be changed. `group.version` 1 stands for the consumer
 * protocol of KIP-848. Absent ones count as level 0 for clients: no transactions of KIP-890, no share groups.
 */
const fixedFeatures = [{ name: 'group.version', minVersion: 0, maxVersion: 1, level: 1 }] as const;

/** What ApiVersions says. `undefined`: the state has not been read yet. */
export function featuresOf(state: ClusterState | undefined, brokerId: number): Features {
  const format = state?.brokers.get(brokerId)?.supportedFormat;
  const fixed = fixedFeatures.map(({ name, minVersion, maxVersion }) => ({ name, minVersion, maxVersion }));
  const finalized = fixedFeatures.map(({ name, level }) => ({ name, level }));
  if (state === undefined || format === undefined) return { supported: fixed, finalized: [], epoch: -1 };
  return {
    supported: [...fixed, { name: formatFeature, minVersion: format.min, maxVersion: format.max }],
    finalized: [...finalized, { name: formatFeature, level: state.formatVersion }],
    epoch: state.version,
  };
}

/** Sets the level of a feature, which is how an upgrade is finalized. There is no way back. */
export function setFeature(
  state: ClusterState,
  { name, level }: { readonly name: string; readonly level: number },
): ClusterState | ChangeRefused {
  if (name === formatFeature) return raiseFormatVersion(state, level);
  const fixed = fixedFeatures.find((feature) => feature.name === name);
  if (fixed?.level === level) return state;
  return new ChangeRefused(
    'FORMAT_NOT_SUPPORTED',
    fixed === undefined
      ? `there is no feature ${JSON.stringify(name)} here: there are ${[formatFeature, ...fixedFeatures.map((feature) => feature.name)].join(', ')}`
      : `feature ${name} is always at level ${fixed.level} and cannot be set to ${level}`,
  );
}
