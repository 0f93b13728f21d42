/** The partition of `__consumer_offsets` that holds a group, as Kafka computes it. */
export function partitionOfGroup(groupId: string, partitions: number): number {
  // abs as in Kafka: the one hash without a positive counterpart becomes 0.
  const hash = javaStringHash(groupId);
  return (hash === -0x8000_0000 ? 0 : Math.abs(hash)) % partitions;
}

/** Java's `String.hashCode`, over UTF-16 units. */
export function javaStringHash(text: string): number {
  let hash = 0;
  for (let i = 0; i < text.length; i++) hash = (Math.imul(hash, 31) + text.charCodeAt(i)) | 0;
  return hash;
}
