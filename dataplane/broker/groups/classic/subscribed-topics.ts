import { decodeSubscription } from '../../../protocol/consumer-protocol.ts';
import { ProtocolError } from '../../../protocol/errors.ts';

/** The protocol type of Kafka's consumers. Others (Connect, schema registries) put other things into the metadata. */
export const consumerProtocolType = 'consumer';

/** The topics that consumers of a classic group subscribe to; undefined: at least one's metadata is no subscription. */
export function subscribedTopicsOf(metadata: Iterable<Uint8Array>): ReadonlySet<string> | undefined {
  const topics = new Set<string>();
  try {
    for (const bytes of metadata) for (const topic of decodeSubscription(bytes).topics) topics.add(topic);
  } catch (error) {
    if (error instanceof ProtocolError) return undefined;
    throw error;
  }
  return topics;
}
