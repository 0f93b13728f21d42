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
import { GroupError } from './errors.ts';
import type { Group } from './group-registry.ts';
import { OffsetCommits } from './offsets/offset-commit.ts';
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
  readonly #commits: OffsetCommits;
  readonly #offsets: OffsetRemoval;

  constructor(context: ShardContext) {
    this.#context = context;
    this.#rebalance = new ClassicRebalance(context);
    this.#join = new ClassicJoin(context, this.#rebalance);
    this.#classic = new ClassicRequests(this.#rebalance, () => context.runtime.wallMs());
    this.#commits = new OffsetCommits(context, this.#rebalance);
    this.#offsets = new OffsetRemoval(context);
  }

  /** The state has been read from the log: members have to report from now on. */
  resume(): void {
    for (const group of this.#context.groups.all()) this.#rebalance.resume(group);
  }

  join(operation: Operation, join: JoinArguments, waiter: Waiter<JoinAnswer>): void {
    this.#join.join(operation, this.#context.groups.get(join.request.groupId), join, waiter);
  }

  sync(operation: Operation, request: SyncGroupRequest, waiter: Waiter<SyncAnswer>): void {
    this.#classic.sync(operation, this.#joined(request.groupId), request, waiter);
  }

  heartbeat(request: HeartbeatRequest): KafkaErrorName {
    return this.#classic.heartbeat(this.#joined(request.groupId), request);
  }

  leave(operation: Operation, request: LeaveGroupRequest): MemberLeft[] {
    return this.#classic.leave(operation, this.#joined(request.groupId), request);
  }

  commit(operation: Operation, commit: OffsetCommit): CommitAnswer {
    return this.#commits.commit(operation, commit);
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
    if (nothingLeft && group.isEmpty && group.pendingMembers.size === 0) this.#remove(operation, group);
  }

  topicsDeleted(
    operation: Operation,
    groupId: string,
    topicIds: ReadonlyMap<string, ReadonlySet<string>>,
  ): void {
    this.#offsets.topicsDeleted(operation, groupId, topicIds);
  }

  #remove(operation: Operation, group: Group): void {
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
