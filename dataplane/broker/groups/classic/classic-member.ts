import type { KafkaErrorName } from '../../../protocol/error-code.ts';
import type { Waiter } from '../operation.ts';

export interface ClassicProtocol {
  readonly name: string;
  readonly metadata: Uint8Array;
}

export interface JoinedMember {
  readonly memberId: string;
  readonly groupInstanceId: string | null;
  readonly metadata: Uint8Array;
}

/** The answer to JoinGroup. */
export interface JoinAnswer {
  readonly error: KafkaErrorName;
  readonly memberId: string;
  readonly generationId: number;
  readonly protocolType: string | null;
  readonly protocolName: string | null;
  readonly leader: string;
  readonly skipAssignment: boolean;
  /** Of the whole group for the leader, none for the others. */
  readonly members: readonly JoinedMember[];
}

export function joinRefused(error: KafkaErrorName, memberId: string): JoinAnswer {
  return {
    error,
    memberId,
    generationId: -1,
    protocolType: null,
    protocolName: null,
    leader: '',
    skipAssignment: false,
    members: [],
  };
}

/** The answer to SyncGroup. */
export interface SyncAnswer {
  readonly error: KafkaErrorName;
  readonly protocolType: string | null;
  readonly protocolName: string | null;
  readonly assignment: Uint8Array;
}

export const noBytes = new Uint8Array(0);

export function syncRefused(error: KafkaErrorName): SyncAnswer {
  return { error, protocolType: null, protocolName: null, assignment: noBytes };
}

/** A member of a classic group. */
export class ClassicMember {
  readonly memberId: string;
  readonly instanceId: string | null;
  clientId: string;
  clientHost: string;
  rebalanceTimeoutMs: number;
  sessionTimeoutMs: number;
  /** In the member's order of preference. */
  protocols: readonly ClassicProtocol[];
  assignment: Uint8Array = noBytes;
  /** Its JoinGroup, parked until the join phase is complete. */
  joinWaiter: Waiter<JoinAnswer> | undefined;
  /** Its SyncGroup, parked until the leader has sent the assignment. */
  syncWaiter: Waiter<SyncAnswer> | undefined;
  /** It has not been answered a JoinGroup yet, so it cannot send heartbeats. */
  isNew = false;

  constructor(member: {
    readonly memberId: string;
    readonly instanceId: string | null;
    readonly clientId: string;
    readonly clientHost: string;
    readonly rebalanceTimeoutMs: number;
    readonly sessionTimeoutMs: number;
    readonly protocols: readonly ClassicProtocol[];
  }) {
    this.memberId = member.memberId;
    this.instanceId = member.instanceId;
    this.clientId = member.clientId;
    this.clientHost = member.clientHost;
    this.rebalanceTimeoutMs = member.rebalanceTimeoutMs;
    this.sessionTimeoutMs = member.sessionTimeoutMs;
    this.protocols = member.protocols;
  }

  /** What it is under another id, without what it waits for. */
  withId(memberId: string): ClassicMember {
    const { instanceId, clientId, clientHost, rebalanceTimeoutMs, sessionTimeoutMs, protocols } = this;
    const copy = new ClassicMember({
      memberId,
      instanceId,
      clientId,
      clientHost,
      rebalanceTimeoutMs,
      sessionTimeoutMs,
      protocols,
    });
    copy.assignment = this.assignment;
    return copy;
  }

  get isAwaitingJoin(): boolean {
    return this.joinWaiter !== undefined;
  }

  get isAwaitingSync(): boolean {
    return this.syncWaiter !== undefined;
  }

  /** Whoever waits for others needs no heartbeats; but a new one may be gone without anybody having noticed. */
  get needsNoHeartbeat(): boolean {
    return !this.isNew && (this.isAwaitingJoin || this.isAwaitingSync);
  }

  metadataFor(protocolName: string | undefined): Uint8Array {
    return this.protocols.find(({ name }) => name === protocolName)?.metadata ?? noBytes;
  }

  hasProtocols(protocols: readonly ClassicProtocol[]): boolean {
    if (protocols.length !== this.protocols.length) return false;
    return this.protocols.every(({ name, metadata }, i) => {
      const other = protocols[i];
      return other?.name === name && Buffer.compare(other.metadata, metadata) === 0;
    });
  }

  get sizeBytes(): number {
    const { memberId, instanceId, clientId, clientHost, assignment, protocols } = this;
    let size = 200 + memberId.length + (instanceId?.length ?? 0) + clientId.length + clientHost.length;
    size += assignment.length;
    for (const { name, metadata } of protocols) size += 50 + name.length + metadata.length;
    return size;
  }
}
