/** The partition that Kafka's own clients give to records with this key. */
export function partitionOfKey(key: Uint8Array, partitions: number): number {
  return (murmur2(key) & 0x7fff_ffff) % partitions;
}

/** Austin Appleby's MurmurHash2 of 32 bits, with the seed that Kafka's clients use. */
export function murmur2(bytes: Uint8Array): number {
  const multiplier = 0x5bd1_e995;
  const { length } = bytes;
  let hash = 0x9747_b28c ^ length;
  const view = new DataView(bytes.buffer, bytes.byteOffset, length);
  let at = 0;
  for (; at + 4 <= length; at += 4) {
    let word = Math.imul(view.getInt32(at, true), multiplier);
    word = Math.imul(word ^ (word >>> 24), multiplier);
    hash = Math.imul(hash, multiplier) ^ word;
  }
  const rest = length - at;
  if (rest >= 3) hash ^= (bytes[at + 2] ?? 0) << 16;
  if (rest >= 2) hash ^= (bytes[at + 1] ?? 0) << 8;
  if (rest >= 1) hash = Math.imul(hash ^ (bytes[at] ?? 0), multiplier);
  hash = Math.imul(hash ^ (hash >>> 13), multiplier);
  return hash ^ (hash >>> 15);
}
