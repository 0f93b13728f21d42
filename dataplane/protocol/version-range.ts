/** Versions of a message as Kafka writes them: `3`, `2-7`, `5+` or `none`. */
export type VersionRangeText = `${number}` | `${number}-${number}` | `${number}+` | 'none';

/** Both ends inclusive; nothing is inside when `min > max`. */
export interface VersionRange {
  readonly min: number;
  readonly max: number;
}

const highestVersion = 32_767;
const noVersion: VersionRange = { min: 0, max: -1 };

export function parseVersionRange(text: VersionRangeText): VersionRange {
  if (text === 'none') return noVersion;
  const match = /^(?<min>\d+)(?:(?<open>\+)|-(?<max>\d+))?$/.exec(text);
  const groups = match?.groups;
  if (groups === undefined) throw new Error(`not a range of versions: ${text}`);
  const min = Number(groups['min']);
  if (groups['open'] !== undefined) return { min, max: highestVersion };
  return { min, max: groups['max'] === undefined ? min : Number(groups['max']) };
}

export function isInRange(version: number, range: VersionRange): boolean {
  return version >= range.min && version <= range.max;
}
