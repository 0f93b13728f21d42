/**
 * Says what is wrong with a key, or `undefined`. The rules are what every store we know handles right:
 * segments of 1 to 255 bytes joined by `/`, at most 1024 bytes in all, no `.` or `..` segment, no control characters.
 * Beyond that, no key may be a `/`-prefix of another key (versitygw refuses it, MinIO lists it wrongly): that is the
 * caller's to keep, since it cannot be seen from one key.
 */
export function keyProblem(key: string): string | undefined {
  if (key.length === 0) return 'the key is empty';
  if (Buffer.byteLength(key) > 1024)
    return `the key has ${Buffer.byteLength(key)} bytes, at most 1024 are allowed`;
  // oxlint-disable-next-line no-control-regex -- control characters are exactly what is refused
  if (/[\u0000-\u001f\u007f]/.test(key)) return 'the key has control characters';
  for (const segment of key.split('/')) {
    if (segment === '') return 'the key has an empty path segment';
    if (segment === '.' || segment === '..') return `the key has the path segment ${JSON.stringify(segment)}`;
    if (Buffer.byteLength(segment) > 255)
      return `a path segment has ${Buffer.byteLength(segment)} bytes, at most 255 are allowed`;
  }
  return undefined;
}
