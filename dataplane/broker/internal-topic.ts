import { ChangeRefused } from '../cluster/change-refused.ts';
import type { ClusterClient } from '../cluster/cluster-client.ts';
import type { Configs, TopicEntry } from '../cluster/cluster-state.ts';
import { mintHexId } from '../cluster/new-cluster.ts';
import { createTopic } from '../cluster/topic-changes.ts';
import type { Random } from '../runtime/runtime.ts';

/**
 * Creates a topic that brokers keep state in, on first need. Who loses the race gets the winner's topic: whatever topic has
 * the name then.
 */
export async function createInternalTopic(
  cluster: ClusterClient,
  random: Random,
  topic: { readonly name: string; readonly partitions: number; readonly configs: Configs },
): Promise<TopicEntry | ChangeRefused> {
  const topicId = mintHexId(random);
  const outcome = await cluster.change((state) => createTopic(state, { ...topic, topicId, internal: true }));
  const made = outcome.state.topics.get(topic.name);
  if (made !== undefined) return made;
  if (outcome.kind === 'refused') return outcome.refused;
  return new ChangeRefused('UNKNOWN_TOPIC', 'it was deleted at once');
}
