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

/** What is wrong with a version number, for a message; `undefined` when it can be read. */
export function formatVersionProblem(version: number): string | undefined {
  if (version >= formatVersion && version <= newestReadableFormatVersion) return undefined;
  return (
    `it has format version ${version}, this release of firn reads ${formatVersion} and ` +
    `${newestReadableFormatVersion}: use the release that wrote it, or a newer one`
  );
}
