import { FutureVersionError } from './errors.ts';

/**
 * The format version of what this release writes by itself. Writers write the version that `meta/cluster` names, never
 * their own maximum; readers accept this one and the next, so that a cluster runs on two releases at a time and goes
 * back to the older one until the cluster's version is raised.
 *
 * That binds every change of format: what version N + 1 adds must be skippable by a reader of version N (a longer block
 * extension in an index, more elements at the end of a JSON array, more fields in a JSON object), and may be lost when
 * that reader writes the object again. Anything else takes two steps.
 */
export const formatVersion = 1;
export const newestReadableFormatVersion = formatVersion + 1;

export function isReadableFormatVersion(version: number): boolean {
  return version >= formatVersion && version <= newestReadableFormatVersion;
}

/** @throws FutureVersionError when the object named `where` has a version that cannot be read */
export function checkFormatVersion(version: number, where: string): void {
  if (isReadableFormatVersion(version)) return;
  const supported = { oldest: formatVersion, newest: newestReadableFormatVersion };
  throw new FutureVersionError(where, version, supported);
}
