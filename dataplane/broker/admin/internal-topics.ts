import { ChangeRefused } from '../../cluster/change-refused.ts';
import type { TopicEntry } from '../../cluster/cluster-state.ts';

/** Topics of Kafka that no client may make its own: brokers create those of them that they have. */
const reservedNames: ReadonlySet<string> = new Set([
  '__cluster_metadata',
  '__consumer_offsets',
  '__share_group_state',
  '__transaction_state',
]);

export function isReservedTopic(name: string): boolean {
  return reservedNames.has(name);
}

/** Why a client may not do `what` to a topic; `undefined` when it may. */
export function internalProblem(
  name: string,
  topic: TopicEntry | undefined,
  what: string,
): ChangeRefused | undefined {
  if (topic === undefined ? !isReservedTopic(name) : !topic.internal) return undefined;
  return new ChangeRefused(
    'INTERNAL_TOPIC',
    `topic ${name} cannot be ${what}: it is internal, and brokers alone look after it`,
  );
}
