import type { Operation } from '../operation.ts';
import { timerKey } from '../shard-context.ts';
import type { ShardContext } from '../shard-context.ts';
import type { ConsumerAssignment } from './consumer-assignment.ts';
import type { ConsumerGroup } from './consumer-group.ts';
import type { ConsumerMember } from './consumer-member.ts';
import type { ConsumerRecords } from './consumer-records.ts';

type TimerKind = 'consumer-session' | 'consumer-rebalance' | 'consumer-join' | 'consumer-sync';

const timerKinds: readonly TimerKind[] = [
  'consumer-session',
  'consumer-rebalance',
  'consumer-join',
  'consumer-sync',
];

/** How members of groups of the consumer protocol go: by leaving, or by not being heard of in time. */
export class ConsumerMembership {
  readonly #context: ShardContext;
  readonly #records: ConsumerRecords;
  readonly #assignment: ConsumerAssignment;
  /** What is left are members of the classic protocol: the group may become a classic one. True: it has. */
  readonly #downgrade: (operation: Operation, group: ConsumerGroup) => boolean;

  constructor(environment: {
    readonly context: ShardContext;
    readonly records: ConsumerRecords;
    readonly assignment: ConsumerAssignment;
    readonly downgrade: (operation: Operation, group: ConsumerGroup) => boolean;
  }) {
    this.#context = environment.context;
    this.#records = environment.records;
    this.#assignment = environment.assignment;
    this.#downgrade = environment.downgrade;
  }

  /** The member has given a sign of life. */
  expectHeartbeat({ groupId }: ConsumerGroup, { memberId, classic }: ConsumerMember): void {
    const timeoutMs = classic?.sessionTimeoutMs ?? this.#context.options.consumerSessionTimeoutMs;
    this.#expect('consumer-session', groupId, memberId, timeoutMs, () => true);
  }

  /** It has to give up partitions within its rebalance timeout. */
  expectRevocation(
    { groupId }: ConsumerGroup,
    { memberId, rebalanceTimeoutMs, memberEpoch }: ConsumerMember,
  ): void {
    this.#expect(
      'consumer-rebalance',
      groupId,
      memberId,
      rebalanceTimeoutMs,
      (member) => member.state === 'UnrevokedPartitions' && member.memberEpoch === memberEpoch,
    );
  }

  revocationIsOver({ groupId }: ConsumerGroup, { memberId }: ConsumerMember): void {
    this.#context.unschedule(timerKey('consumer-rebalance', groupId, memberId));
  }

  /** A member of the classic protocol was told to join again. */
  expectJoin({ groupId }: ConsumerGroup, { memberId, rebalanceTimeoutMs }: ConsumerMember): void {
    if (this.#context.isScheduled(timerKey('consumer-join', groupId, memberId))) return;
    this.#expect('consumer-join', groupId, memberId, rebalanceTimeoutMs, () => true);
  }

  hasJoined({ groupId }: ConsumerGroup, { memberId }: ConsumerMember): void {
    this.#context.unschedule(timerKey('consumer-join', groupId, memberId));
  }

  /** A member of the classic protocol has joined, and has to fetch its assignment. */
  expectSync({ groupId }: ConsumerGroup, { memberId, rebalanceTimeoutMs }: ConsumerMember): void {
    this.#expect('consumer-sync', groupId, memberId, rebalanceTimeoutMs, () => true);
  }

  hasSynced({ groupId }: ConsumerGroup, { memberId }: ConsumerMember): void {
    this.#context.unschedule(timerKey('consumer-sync', groupId, memberId));
  }

  #expect(
    kind: TimerKind,
    groupId: string,
    memberId: string,
    timeoutMs: number,
    isDue: (member: ConsumerMember) => boolean,
  ): void {
    this.#context.schedule(timerKey(kind, groupId, memberId), groupId, timeoutMs, (operation) => {
      const group = this.#context.groups.get(groupId);
      if (group?.type !== 'consumer') return;
      const member = group.members.get(memberId);
      if (member !== undefined && isDue(member)) this.remove(operation, group, [memberId]);
    });
  }

  /** Takes members out. The others get what these had when they are heard of next. */
  remove(operation: Operation, group: ConsumerGroup, memberIds: readonly string[]): void {
    if (memberIds.length === 0) return;
    for (const memberId of memberIds) {
      this.forgetTimers(group.groupId, memberId);
      this.#records.removeMember(operation, group, memberId);
    }
    if (!this.#downgrade(operation, group)) this.#assignment.refreshEpoch(operation, group, true);
  }

  forgetTimers(groupId: string, memberId: string): void {
    for (const kind of timerKinds) this.#context.unschedule(timerKey(kind, groupId, memberId));
  }

  /** A group was read from the log: its members have their whole time once more. */
  resume(group: ConsumerGroup): void {
    for (const member of group.members.values()) {
      this.expectHeartbeat(group, member);
      if (member.state === 'UnrevokedPartitions' && member.classic === null)
        this.expectRevocation(group, member);
    }
  }

  forget(group: ConsumerGroup): void {
    for (const memberId of group.members.keys()) this.forgetTimers(group.groupId, memberId);
  }
}
