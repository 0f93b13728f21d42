import { deadBrokers, topicPlacements } from '../../dataplane/client/cluster-admin.ts';
import type { TopicPlacement } from '../../dataplane/client/cluster-admin.ts';
import { ClientError } from '../../dataplane/client/errors.ts';
import { groupsAt } from '../../dataplane/client/group-admin.ts';
import type { ClusterBroker, ClusterMetadata, KafkaClient } from '../../dataplane/client/kafka-client.ts';
import { KafkaError } from '../../dataplane/client/kafka-error.ts';
import { isCordoned, reassignments } from '../../dataplane/client/placement-admin.ts';
import type { Reassignment } from '../../dataplane/client/placement-admin.ts';
import { abortReason } from '../../dataplane/runtime/runtime.ts';
import { untilAborted } from '../../dataplane/store/body.ts';

/** Who does not answer by then is shown as one that does not. */
const answerMs = 3_000;

/** What Kafka's protocol tells of a cluster: by any broker, and by each of them about itself. */
export interface ClusterSeen {
  readonly metadata: ClusterMetadata;
  readonly dead: readonly ClusterBroker[];
  readonly placements: ReadonlyMap<string, TopicPlacement>;
  readonly moving: readonly Reassignment[];
  /** By broker id; one that does not answer is missing. */
  readonly answers: ReadonlyMap<number, BrokerAnswer>;
}

/** What a broker says of itself. */
export interface BrokerAnswer {
  readonly cordoned: boolean;
  /** Consumer groups that it coordinates. */
  readonly groups: number;
}

/** @throws KafkaError, ClientError, or as `signal` was aborted */
export async function seeCluster(client: KafkaClient, signal: AbortSignal): Promise<ClusterSeen> {
  const metadata = await client.retrying(() => client.metadata());
  const [dead, placements, moving, answers] = await Promise.all([
    deadBrokers(client),
    topicPlacements(
      client,
      metadata.topics.map(({ name }) => name),
    ),
    reassignments(client),
    Promise.all(metadata.brokers.map(async ({ id }) => [id, await answerOf(client, id, signal)] as const)),
  ]);
  return {
    metadata,
    dead,
    placements,
    moving,
    answers: new Map(
      answers.flatMap(([id, answer]) => (answer === undefined ? [] : [[id, answer] as const])),
    ),
  };
}

async function answerOf(
  client: KafkaClient,
  broker: number,
  signal: AbortSignal,
): Promise<BrokerAnswer | undefined> {
  const late = AbortSignal.timeout(answerMs);
  try {
    const asked = Promise.all([isCordoned(client, broker), groupsAt(client, broker)]);
    const [cordoned, groups] = await untilAborted(asked, AbortSignal.any([signal, late]));
    return { cordoned, groups: groups.length };
  } catch (error) {
    if (error instanceof ClientError || error instanceof KafkaError) return undefined;
    if (late.aborted && error === abortReason(late)) return undefined;
    throw error;
  }
}
