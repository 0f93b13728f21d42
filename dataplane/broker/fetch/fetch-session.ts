import type { FetchRequest } from '../../protocol/api/fetch.ts';
import type { Random } from '../../runtime/runtime.ts';

/** One partition a client wants records of, and what it was told last (KIP-227). */
export interface FetchPartition {
  /** What the client named it by: the name (up to v12) or the id (from v13 on), with the partition. */
  readonly key: string;
  readonly topicName: string;
  readonly topicId: string;
  readonly partition: number;
  currentLeaderEpoch: number;
  fetchOffset: number;
  maxBytes: number;
  /** As last told; -1: never. */
  highWatermark: number;
  logStartOffset: number;
}

/** What a request asks for, with the session it belongs to, if any. */
export type FetchTarget =
  | {
      readonly kind: 'fetch';
      readonly partitions: readonly FetchPartition[];
      /** Absent: every partition is answered, and nothing is remembered. */
      readonly session?: FetchSession | undefined;
      /** Only what has changed is answered. */
      readonly isIncremental: boolean;
    }
  | {
      readonly kind: 'error';
      readonly error:
        'FETCH_SESSION_ID_NOT_FOUND' | 'INVALID_FETCH_SESSION_EPOCH' | 'FETCH_SESSION_TOPIC_ID_ERROR';
    };

export class FetchSession {
  readonly id: number;
  readonly usesTopicIds: boolean;
  /** Of the request that is expected next. */
  epoch = 1;
  /** In the order in which they are looked at: those that just had records come last. */
  readonly partitions = new Map<string, FetchPartition>();

  constructor(id: number, usesTopicIds: boolean) {
    this.id = id;
    this.usesTopicIds = usesTopicIds;
  }

  /** Behind all others, so that each partition gets its turn whatever the limits of a response. */
  moveToEnd(partition: FetchPartition): void {
    if (this.partitions.delete(partition.key)) this.partitions.set(partition.key, partition);
  }
}

const firstEpoch = 0;
const finalEpoch = -1;
const firstVersionWithTopicIds = 13;

/**
 * The incremental fetch sessions of a broker (KIP-227): soft state, so a client that is told that its session is unknown
 * sends everything again. Bounded: the session that was not used for longest goes first.
 */
export class FetchSessions {
  readonly #random: Random;
  readonly #maxSessions: number;
  readonly #maxPartitions: number;
  /** Least recently used first. */
  readonly #sessions = new Map<number, FetchSession>();
  #partitions = 0;

  constructor(random: Random, limits: { readonly maxSessions: number; readonly maxPartitions: number }) {
    this.#random = random;
    this.#maxSessions = limits.maxSessions;
    this.#maxPartitions = limits.maxPartitions;
  }

  get size(): number {
    return this.#sessions.size;
  }

  resolve(request: FetchRequest, apiVersion: number): FetchTarget {
    const usesTopicIds = apiVersion >= firstVersionWithTopicIds;
    const { sessionId, sessionEpoch } = request;
    if (sessionEpoch === finalEpoch || sessionEpoch === firstEpoch) {
      this.#remove(this.#sessions.get(sessionId));
      const partitions = asked(request, usesTopicIds);
      if (sessionEpoch === finalEpoch || partitions.length === 0 || partitions.length > this.#maxPartitions)
        return { kind: 'fetch', partitions, isIncremental: false };
      const session = this.#create(usesTopicIds, partitions);
      return { kind: 'fetch', partitions: [...session.partitions.values()], session, isIncremental: false };
    }
    const session = this.#sessions.get(sessionId);
    if (session === undefined) return { kind: 'error', error: 'FETCH_SESSION_ID_NOT_FOUND' };
    if (session.epoch !== sessionEpoch) return { kind: 'error', error: 'INVALID_FETCH_SESSION_EPOCH' };
    if (session.usesTopicIds !== usesTopicIds)
      return { kind: 'error', error: 'FETCH_SESSION_TOPIC_ID_ERROR' };
    this.#sessions.delete(sessionId);
    this.#sessions.set(sessionId, session);
    session.epoch = session.epoch === 0x7fff_ffff ? 1 : session.epoch + 1;
    this.#update(session, request);
    return {
      kind: 'fetch',
      partitions: [...session.partitions.values()],
      session,
      isIncremental: true,
    };
  }

  #update(session: FetchSession, request: FetchRequest): void {
    const { partitions } = session;
    this.#partitions -= partitions.size;
    for (const { topic, topicId, partitions: forgotten } of request.forgottenTopicsData) {
      for (const partition of forgotten)
        partitions.delete(keyOf(session.usesTopicIds ? topicId : topic, partition));
    }
    for (const wanted of asked(request, session.usesTopicIds)) {
      const known = partitions.get(wanted.key);
      if (known === undefined) {
        partitions.set(wanted.key, wanted);
        continue;
      }
      known.currentLeaderEpoch = wanted.currentLeaderEpoch;
      known.fetchOffset = wanted.fetchOffset;
      known.maxBytes = wanted.maxBytes;
    }
    this.#partitions += partitions.size;
    this.#evict(session);
  }

  #create(usesTopicIds: boolean, partitions: readonly FetchPartition[]): FetchSession {
    let id = 0;
    while (id === 0 || this.#sessions.has(id)) id = this.#random.uint32() >>> 1;
    const session = new FetchSession(id, usesTopicIds);
    for (const partition of partitions) session.partitions.set(partition.key, partition);
    this.#sessions.set(id, session);
    this.#partitions += session.partitions.size;
    this.#evict(session);
    return session;
  }

  #evict(kept: FetchSession): void {
    for (const session of this.#sessions.values()) {
      if (this.#sessions.size <= this.#maxSessions && this.#partitions <= this.#maxPartitions) return;
      if (session !== kept) this.#remove(session);
    }
  }

  #remove(session: FetchSession | undefined): void {
    if (session === undefined || !this.#sessions.delete(session.id)) return;
    this.#partitions -= session.partitions.size;
  }
}

function asked(request: FetchRequest, usesTopicIds: boolean): FetchPartition[] {
  const partitions: FetchPartition[] = [];
  for (const topic of request.topics) {
    const name = usesTopicIds ? topic.topicId : topic.topic;
    for (const { partition, currentLeaderEpoch, fetchOffset, partitionMaxBytes } of topic.partitions) {
      partitions.push({
        key: keyOf(name, partition),
        topicName: topic.topic,
        topicId: topic.topicId,
        partition,
        currentLeaderEpoch,
        fetchOffset,
        maxBytes: partitionMaxBytes,
        highWatermark: -1,
        logStartOffset: -1,
      });
    }
  }
  return partitions;
}

function keyOf(topic: string, partition: number): string {
  return `${topic}/${partition}`;
}
