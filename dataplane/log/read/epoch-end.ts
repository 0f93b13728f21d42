import type { EpochStart } from '../format/manifest.ts';

export interface EpochEnd {
  /** The epoch asked for, or the last one before it that has records. */
  readonly epoch: number;
  /** Offset after its last record. */
  readonly endOffset: number;
}

/**
 * Kafka's `LeaderEpochFileCache.endOffsetFor`. Nothing acknowledged is ever truncated here, so a consumer finds its
 * position confirmed; the answer must still be exact, since clients compare it.
 *
 * @param epochs ascending; as the manifest lists them
 * @param epoch `undefined` is returned for a negative one and for one above all others
 */
export function endOfLeaderEpoch(
  epochs: readonly EpochStart[],
  epoch: number,
  { logStart, logEnd }: { readonly logStart: number; readonly logEnd: number },
): EpochEnd | undefined {
  const last = epochs.at(-1);
  if (epoch < 0 || last === undefined || epoch > last.epoch) return undefined;
  if (epoch === last.epoch) return { epoch, endOffset: logEnd };
  const next = epochs.findIndex((entry) => entry.epoch > epoch);
  const floor = epochs[next - 1];
  // An epoch that lies below the log start entirely ends where the log starts.
  const endOffset = Math.max(logStart, epochs[next]?.startOffset ?? logEnd);
  return { epoch: floor?.epoch ?? epoch, endOffset };
}
