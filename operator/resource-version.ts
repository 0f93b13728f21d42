/**
 * Kubernetes' resourceVersions are decimal numbers that grow over all objects of a kind (KEP-5504 makes that a promise).
 * True when `a` is the same state as `b` or an older one; false when it is newer or when either is no such number.
 */
export function isNotNewer(a: string, b: string): boolean {
  if (a === b) return true;
  if (!isNumber(a) || !isNumber(b)) return false;
  return a.length === b.length ? a < b : a.length < b.length;
}

function isNumber(version: string): boolean {
  return /^(0|[1-9]\d*)$/.test(version);
}
