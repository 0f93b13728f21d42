import { invariant } from '../../../log/errors.ts';
import { GroupError } from '../errors.ts';
import type { RecordValue } from '../group-record.ts';
import type { Operation, Waiter } from '../operation.ts';
import { ClassicMember, joinRefused, syncRefused } from './classic-member.ts';
import type { ClassicProtocol, JoinAnswer, JoinedMember, SyncAnswer } from './classic-member.ts';
import { consumerProtocolType, subscribedTopicsOf } from './subscribed-topics.ts';

/**
 * ```
 *                ┌──────────── all members gone ────────────┐
 *                ▼                                          │
 *   Empty ── JoinGroup ──▶ PreparingRebalance ── joined ──▶ CompletingRebalance ── leader's SyncGroup ──▶ Stable
 *                                 ▲                              │                                          │
 *                                 └── a member joins, leaves or is lost, the leader or a changed one rejoins┘
 * ```
 * Groups that are gone are simply removed; Kafka's state Dead exists in answers only.
 */
export type ClassicGroupState = 'Empty' | 'PreparingRebalance' | 'CompletingRebalance' | 'Stable';

/** A group of the classic protocol (JoinGroup and SyncGroup), or one that only holds offsets. Knows no time and no I/O. */
export class ClassicGroup {
  readonly type = 'classic';
  readonly groupId: string;
  readonly members = new Map<string, ClassicMember>();
  /** Ids that were given out (KIP-394) to clients that have not joined with them yet. */
  readonly pendingMembers = new Set<string>();
  /** Answered JoinGroup, SyncGroup yet to come. */
  readonly pendingSyncMembers = new Set<string>();
  generation = 0;
  protocolType: string | undefined;
  protocolName: string | undefined;
  leaderId: string | undefined;
  /** Somebody joined since the initial rebalance delay began. */
  newMemberAdded = false;
  /** When the state last changed, wall clock; undefined as long as nothing but offsets is known of the group. */
  stateSinceMs: number | undefined;
  /** Of a group of consumers; undefined when unknown. */
  subscribedTopics: ReadonlySet<string> | undefined;
  /** The last value written for it: what a reader of the log takes the group for while it rebalances. */
  persisted: RecordValue<'groupMetadata'> | undefined;
  readonly #memberByInstance = new Map<string, string>();
  #state: ClassicGroupState;
  #previousState: ClassicGroupState = 'Empty';

  constructor(groupId: string, state: ClassicGroupState = 'Empty') {
    this.groupId = groupId;
    this.#state = state;
  }

  get state(): ClassicGroupState {
    return this.#state;
  }

  get previousState(): ClassicGroupState {
    return this.#previousState;
  }

  get isEmpty(): boolean {
    return this.members.size === 0;
  }

  /** Offsets without members ever: consumers that assign partitions themselves. */
  get isSimple(): boolean {
    return this.#state === 'Empty' && this.pendingMembers.size === 0 && this.protocolType === undefined;
  }

  get usesConsumerProtocol(): boolean {
    return this.protocolType === consumerProtocolType;
  }

  get rebalanceTimeoutMs(): number {
    let timeoutMs = 0;
    for (const member of this.members.values()) timeoutMs = Math.max(timeoutMs, member.rebalanceTimeoutMs);
    return timeoutMs;
  }

  get awaitingJoin(): number {
    let count = 0;
    for (const member of this.members.values()) if (member.isAwaitingJoin) count++;
    return count;
  }

  get sizeBytes(): number {
    let size = 0;
    for (const member of this.members.values()) size += member.sizeBytes;
    return size;
  }

  transitionTo(state: ClassicGroupState, nowMs: number): void {
    this.#previousState = this.#state;
    this.#state = state;
    this.stateSinceMs = nowMs;
  }

  isLeader(memberId: string): boolean {
    return this.leaderId === memberId;
  }

  memberOf(memberId: string): ClassicMember {
    const member = this.members.get(memberId);
    invariant(member !== undefined, `${memberId} is a member of group ${this.groupId}`);
    return member;
  }

  staticMemberId(instanceId: string): string | undefined {
    return this.#memberByInstance.get(instanceId);
  }

  /** @throws GroupError UNKNOWN_MEMBER_ID, FENCED_INSTANCE_ID */
  requireMember(memberId: string, instanceId: string | null): ClassicMember {
    if (instanceId !== null) {
      const known = this.#memberByInstance.get(instanceId);
      if (known === undefined) throw unknownMember(this.groupId, `with instance id ${instanceId}`);
      if (known !== memberId) {
        throw new GroupError(
          'FENCED_INSTANCE_ID',
          `instance id ${instanceId} of group ${this.groupId} belongs to member ${known} now, not to ${memberId}: two clients use the same group.instance.id`,
        );
      }
    }
    const member = this.members.get(memberId);
    if (member === undefined) throw unknownMember(this.groupId, JSON.stringify(memberId));
    return member;
  }

  /** Whether there is a protocol that all members and the one that wants to join support. */
  supports(protocolType: string, protocols: readonly ClassicProtocol[]): boolean {
    if (this.members.size === 0) return protocolType !== '' && protocols.length > 0;
    return protocolType === this.protocolType && protocols.some(({ name }) => this.#isSupportedByAll(name));
  }

  #isSupportedByAll(name: string): boolean {
    for (const { protocols } of this.members.values())
      if (!protocols.some((protocol) => protocol.name === name)) return false;
    return true;
  }

  /** The protocol that most members prefer among those that all support. */
  selectProtocol(): string | undefined {
    const votes = new Map<string, number>();
    for (const { protocols } of this.members.values()) {
      const choice = protocols.find(({ name }) => this.#isSupportedByAll(name));
      if (choice !== undefined) votes.set(choice.name, (votes.get(choice.name) ?? 0) + 1);
    }
    let winner: string | undefined;
    let most = 0;
    for (const [name, count] of votes) {
      if (count <= most) continue;
      winner = name;
      most = count;
    }
    return winner;
  }

  add(member: ClassicMember, protocolType: string): void {
    const { memberId, instanceId } = member;
    if (instanceId !== null) {
      invariant(!this.#memberByInstance.has(instanceId), `instance id ${instanceId} is free`);
      this.#memberByInstance.set(instanceId, memberId);
    }
    if (this.members.size === 0) this.protocolType = protocolType;
    this.leaderId ??= memberId;
    this.members.set(memberId, member);
    this.pendingMembers.delete(memberId);
  }

  /** Also forgets an id that was only given out. Its parked requests must have been answered. */
  remove(memberId: string): void {
    const member = this.members.get(memberId);
    this.members.delete(memberId);
    this.pendingMembers.delete(memberId);
    this.pendingSyncMembers.delete(memberId);
    if (member === undefined) return;
    if (member.instanceId !== null) this.#memberByInstance.delete(member.instanceId);
    if (this.leaderId === memberId) this.leaderId = this.members.keys().next().value;
  }

  /** A static member came back without knowing its id: it gets a new one and everything else of the old (KIP-345). */
  replaceStaticMember(operation: Operation, oldMemberId: string, newMemberId: string): ClassicMember {
    const old = this.memberOf(oldMemberId);
    const { instanceId } = old;
    invariant(instanceId !== null, `${oldMemberId} is a static member`);
    // Whoever still waits under the old id is a second client with this instance id.
    this.answerJoin(operation, old, joinRefused('FENCED_INSTANCE_ID', oldMemberId));
    this.answerSync(operation, old, syncRefused('FENCED_INSTANCE_ID'));
    const replacement = old.withId(newMemberId);
    const entries = [...this.members];
    this.members.clear();
    for (const [id, member] of entries) {
      if (id === oldMemberId) this.members.set(newMemberId, replacement);
      else this.members.set(id, member);
    }
    if (this.leaderId === oldMemberId) this.leaderId = newMemberId;
    if (this.pendingSyncMembers.delete(oldMemberId)) this.pendingSyncMembers.add(newMemberId);
    this.#memberByInstance.set(instanceId, newMemberId);
    return replacement;
  }

  /** Parks a JoinGroup. One that this member has parked before is sent away to join again: its client has given it up. */
  awaitJoin(operation: Operation, member: ClassicMember, waiter: Waiter<JoinAnswer>): void {
    this.answerJoin(operation, member, joinRefused('REBALANCE_IN_PROGRESS', member.memberId));
    member.joinWaiter = waiter;
  }

  awaitSync(operation: Operation, member: ClassicMember, waiter: Waiter<SyncAnswer>): void {
    this.answerSync(operation, member, syncRefused('REBALANCE_IN_PROGRESS'));
    member.syncWaiter = waiter;
  }

  answerJoin(operation: Operation, member: ClassicMember, answer: JoinAnswer): void {
    const waiter = member.joinWaiter;
    if (waiter === undefined) return;
    member.joinWaiter = undefined;
    operation.answer(waiter, answer);
  }

  /** False: the member was not waiting. */
  answerSync(operation: Operation, member: ClassicMember, answer: SyncAnswer): boolean {
    const waiter = member.syncWaiter;
    if (waiter === undefined) return false;
    member.syncWaiter = undefined;
    operation.answer(waiter, answer);
    return true;
  }

  get haveAllJoined(): boolean {
    if (this.pendingMembers.size > 0) return false;
    for (const member of this.members.values()) if (!member.isAwaitingJoin) return false;
    return true;
  }

  get haveAllSynced(): boolean {
    return this.pendingSyncMembers.size === 0;
  }

  /** Makes sure that the leader is one of those that have joined; false when nobody has. */
  electJoinedLeader(): boolean {
    if (this.leaderId === undefined) return false;
    if (this.memberOf(this.leaderId).isAwaitingJoin) return true;
    for (const member of this.members.values()) {
      if (!member.isAwaitingJoin) continue;
      this.leaderId = member.memberId;
      return true;
    }
    return false;
  }

  /** Ends the join phase: CompletingRebalance with members, else Empty. */
  beginGeneration(nowMs: number): void {
    this.generation = this.generation === 2 ** 31 - 1 ? 1 : this.generation + 1;
    this.pendingSyncMembers.clear();
    if (this.members.size === 0) {
      this.protocolName = undefined;
      this.transitionTo('Empty', nowMs);
    } else {
      this.protocolName = this.selectProtocol();
      this.transitionTo('CompletingRebalance', nowMs);
    }
    this.updateSubscribedTopics();
  }

  updateSubscribedTopics(): void {
    this.subscribedTopics = this.#computeSubscribedTopics();
  }

  #computeSubscribedTopics(): ReadonlySet<string> | undefined {
    if (!this.usesConsumerProtocol) return undefined;
    const { protocolName } = this;
    if (this.members.size === 0) return new Set();
    if (protocolName === undefined) return undefined;
    return subscribedTopicsOf([...this.members.values()].map((member) => member.metadataFor(protocolName)));
  }

  /** When in doubt, yes: nobody's offsets are deleted by mistake. */
  isSubscribedTo(topic: string): boolean {
    if (!this.usesConsumerProtocol) return false;
    return this.subscribedTopics?.has(topic) ?? true;
  }

  /** What the leader gets to assign partitions by. */
  joinedMembers(): JoinedMember[] {
    return Array.from(this.members.values(), (member) => ({
      memberId: member.memberId,
      groupInstanceId: member.instanceId,
      metadata: member.metadataFor(this.protocolName),
    }));
  }

  persist(operation: Operation): void {
    this.persisted = this.#toRecordValue();
    operation.persist({ id: 'groupMetadata', key: { group: this.groupId }, value: this.persisted });
  }

  #toRecordValue(): RecordValue<'groupMetadata'> {
    return {
      protocolType: this.protocolType ?? '',
      generation: this.generation,
      protocol: this.protocolName ?? null,
      leader: this.leaderId ?? null,
      currentStateTimestamp: this.stateSinceMs ?? -1,
      members: Array.from(this.members.values(), (member) => ({
        memberId: member.memberId,
        groupInstanceId: member.instanceId,
        clientId: member.clientId,
        clientHost: member.clientHost,
        rebalanceTimeout: member.rebalanceTimeoutMs,
        sessionTimeout: member.sessionTimeoutMs,
        subscription: member.metadataFor(this.protocolName),
        assignment: member.assignment,
      })),
    };
  }

  static fromRecordValue(groupId: string, value: RecordValue<'groupMetadata'>): ClassicGroup {
    const group = new ClassicGroup(groupId, value.members.length === 0 ? 'Empty' : 'Stable');
    for (const member of value.members) {
      const loaded = new ClassicMember({
        memberId: member.memberId,
        instanceId: member.groupInstanceId,
        clientId: member.clientId,
        clientHost: member.clientHost,
        rebalanceTimeoutMs: member.rebalanceTimeout === -1 ? member.sessionTimeout : member.rebalanceTimeout,
        sessionTimeoutMs: member.sessionTimeout,
        protocols: [{ name: value.protocol ?? '', metadata: Buffer.from(member.subscription) }],
      });
      loaded.assignment = Buffer.from(member.assignment);
      group.add(loaded, value.protocolType);
    }
    group.generation = value.generation;
    group.protocolType = value.protocolType === '' ? undefined : value.protocolType;
    group.protocolName = value.protocol ?? undefined;
    group.leaderId = value.leader ?? undefined;
    group.stateSinceMs = value.currentStateTimestamp === -1 ? undefined : value.currentStateTimestamp;
    group.updateSubscribedTopics();
    group.persisted = group.#toRecordValue();
    return group;
  }
}

export function unknownMember(groupId: string, who: string): GroupError {
  return new GroupError('UNKNOWN_MEMBER_ID', `group ${groupId} has no member ${who}: join it first`);
}
