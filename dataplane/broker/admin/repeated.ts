/** What stands in a list more than once. */
export function repeated<T>(list: readonly T[]): ReadonlySet<T> {
  const seen = new Set<T>();
  const twice = new Set<T>();
  for (const item of list) (seen.has(item) ? twice : seen).add(item);
  return twice;
}
