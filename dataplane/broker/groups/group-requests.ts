import type { HeartbeatRequest } from '../../protocol/api/heartbeat.ts';
import type { LeaveGroupRequest } from '../../protocol/api/leave-group.ts';
import type { OffsetDeleteRequest } from '../../protocol/api/offset-delete.ts';
import type { SyncGroupRequest } from '../../protocol/api/sync-group.ts';
import type { KafkaErrorName } from '../../protocol/error-code.ts';
import { ClassicJoin } from './classic/classic-join.ts';
import type { JoinArguments } from './classic/classic-join.ts';
import type { JoinAnswer, SyncAnswer } from './classic/classic-member.ts';
import { unknownMember } from './classic/classic-group.ts';
import { ClassicRebalance } from './classic/classic-rebalance.ts';
import { ClassicRequests } from './classic/classic-requests.ts';
import type { MemberLeft } from './classic/classic-requests.ts';
import { ClassicMembers } from './consumer/classic-members.ts';
import { ConsumerAssignment } from './consumer/consumer-assignment.ts';
import { ConsumerHeartbeat } from './consumer/consumer-heartbeat.ts';
import type { HeartbeatAnswer, HeartbeatArguments } from './consumer/consumer-heartbeat.ts';
import { ConsumerMembership } from './consumer/consumer-membership.ts';
import { ConsumerRecords } from './consumer/consumer-records.ts';
import { GroupMigration } from './consumer/group-migration.ts';
import { GroupError } from './errors.ts';
import type { Group } from './group-registry.ts';
import { OffsetCommits, requireFetcher } from './offsets/offset-commit.ts';
import type { CommitAnswer, OffsetCommit } from './offsets/offset-commit.ts';
import { OffsetRemoval, requireGroup } from './offsets/offset-removal.ts';
import type { Operation, Waiter } from './operation.ts';
import { applyRecord } from './replay.ts';
import type { ShardContext } from './shard-context.ts';

/** What can be asked of the groups of one partition: each request goes to the kind of group it meets. */
export class GroupRequests {
  readonly #context: ShardContext;
  readonly #rebalance: ClassicRebalance;
  readonly #join: ClassicJoin;
  readonly #classic: ClassicRequests;
  readonly #records: ConsumerRecords;
  readonly #assignment: ConsumerAssignment;
  readonly #membership: ConsumerMembership;
  readonly #consumer: ConsumerHeartbeat;
  readonly #classicMembers: ClassicMembers;
  readonly #commits: OffsetCommits;
  readonly #offsets: OffsetRemoval;

  constructor(context: ShardContext) {
    this.#context = context;
    const rebalance = new ClassicRebalance(context);
    this.#rebalance = rebalance;
    this.#join = new ClassicJoin(context, rebalance);
    this.#classic = new ClassicRequests(rebalance, () => context.runtime.wallMs());
    const records = new ConsumerRecords(context);
    this.#records = records;
    const assignment = new ConsumerAssignment(context, records);
    this.#assignment = assignment;
    const migration = new GroupMigration({ context, records, rebalance, membership: () => this.#membership });
    const membership = new ConsumerMembership({
      context,
      records,
      assignment,
      downgrade: (operation, group) => migration.downgradeIfClassic(operation, group),
    });
    this.#membership = membership;
    const heartbeat = new ConsumerHeartbeat({ context, records, assignment, membership, migration });
    this.#consumer = heartbeat;
    this.#classicMembers = new ClassicMembers({
      context,
      records,
      assignment,
      membership,
      heartbeat,
      migration,
    });
    this.#commits = new OffsetCommits(context, rebalance);
    this.#offsets = new OffsetRemoval(context);
  }

  /** The state has been read from the log: members have to report from now on. */
  resume(): void {
    for (const group of this.#context.groups.all()) {
      if (group.type === 'classic') this.#rebalance.resume(group);
      else this.#membership.resume(group);
    }
  }

  join(operation: Operation, join: JoinArguments, waiter: Waiter<JoinAnswer>): void {
    const group = this.#context.groups.get(join.request.groupId);
    if (group?.type !== 'consumer') {
      this.#join.join(operation, group, join, waiter);
      return;
    }
    if (!group.isEmpty) {
      this.#classicMembers.join(operation, group, join, waiter);
      return;
    }
    // Nobody is left of those who spoke the consumer protocol.
    if (join.request.memberId === '') this.#records.removeGroup(operation, group);
    this.#join.join(operation, undefined, join, waiter);
  }

  sync(operation: Operation, request: SyncGroupRequest, waiter: Waiter<SyncAnswer>): void {
    const group = this.#joined(request.groupId);
    if (group.type === 'classic') this.#classic.sync(operation, group, request, waiter);
    else this.#classicMembers.sync(operation, group, request, waiter);
  }

  heartbeat(request: HeartbeatRequest): KafkaErrorName {
    const group = this.#joined(request.groupId);
    if (group.type === 'classic') return this.#classic.heartbeat(group, request);
    return this.#classicMembers.heartbeat(group, request);
  }

  leave(operation: Operation, request: LeaveGroupRequest): MemberLeft[] {
    const group = this.#joined(request.groupId);
    if (group.type === 'classic') return this.#classic.leave(operation, group, request);
    return this.#classicMembers.leave(operation, group, request);
  }

  consumerHeartbeat(operation: Operation, heartbeat: HeartbeatArguments): HeartbeatAnswer {
    return this.#consumer.heartbeat(operation, heartbeat);
  }

  /** The name of the assignor that a group of the consumer protocol uses now. */
  assignorOf(group: Group): string {
    return group.type === 'consumer' ? this.#assignment.assignorOf(group) : '';
  }

  commit(operation: Operation, commit: OffsetCommit): CommitAnswer {
    return this.#commits.commit(operation, commit);
  }

  /** OffsetFetch v9+: who says which member it is has to be one. @throws GroupError UNKNOWN_MEMBER_ID, STALE_MEMBER_EPOCH, ILLEGAL_GENERATION */
  checkFetch(groupId: string, memberId: string | null, memberEpoch: number): void {
    const group = this.#context.groups.get(groupId);
    if (group?.type === 'consumer') requireFetcher(group, memberId, memberEpoch);
  }

  deleteOffsets(operation: Operation, request: OffsetDeleteRequest): number[][] {
    return this.#offsets.deleteOffsets(operation, request);
  }

  /** DeleteGroups. @throws GroupError GROUP_ID_NOT_FOUND, NON_EMPTY_GROUP */
  deleteGroup(operation: Operation, groupId: string): void {
    const group = requireGroup(this.#context, groupId);
    if (!group.isEmpty) {
      throw new GroupError(
        'NON_EMPTY_GROUP',
        `group ${groupId} has ${group.members.size} members: stop them before the group is deleted`,
      );
    }
    this.#offsets.deleteAll(operation, groupId);
    this.#remove(operation, group);
  }

  /** Expired offsets go, and groups that nothing is left of. */
  expire(operation: Operation, groupId: string): void {
    const group = this.#context.groups.get(groupId);
    if (group === undefined) return;
    const nothingLeft = this.#offsets.expire(operation, group);
    const isAwaited = group.type === 'classic' && group.pendingMembers.size > 0;
    if (nothingLeft && group.isEmpty && !isAwaited) this.#remove(operation, group);
  }

  topicsDeleted(
    operation: Operation,
    groupId: string,
    topicIds: ReadonlyMap<string, ReadonlySet<string>>,
  ): void {
    this.#offsets.topicsDeleted(operation, groupId, topicIds);
  }

  #remove(operation: Operation, group: Group): void {
    if (group.type === 'consumer') {
      this.#records.removeGroup(operation, group);
      return;
    }
    this.#rebalance.forget(group);
    applyRecord(this.#context, operation, {
      id: 'groupMetadata',
      key: { group: group.groupId },
      value: null,
    });
  }

  /** @throws GroupError UNKNOWN_MEMBER_ID: who speaks to a group that does not exist has to join it */
  #joined(groupId: string): Group {
    const group = this.#context.groups.get(groupId);
    if (group === undefined) throw unknownMember(groupId, '(there is no such group)');
    return group;
  }
}
