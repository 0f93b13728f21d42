import { createHash } from 'node:crypto';
import type { Operation } from '../operation.ts';
import type { ShardContext } from '../shard-context.ts';
import type { TopicView, TopicsView } from '../topics-view.ts';
import type { AssignmentSpec, Assignor, MemberSpec } from './assignors/assignor.ts';
import { assignRange } from './assignors/range-assignor.ts';
import { assignUniform } from './assignors/uniform-assignor.ts';
import type { ConsumerGroup } from './consumer-group.ts';
import { isReconciledTo } from './consumer-member.ts';
import type { ConsumerMember } from './consumer-member.ts';
import type { ConsumerRecords } from './consumer-records.ts';
import { reconcile } from './reconcile.ts';
import { TopicRegex } from './regex/topic-regex.ts';
import { noPartitions, samePartitions } from './topic-partitions.ts';
import type { TopicPartitions } from './topic-partitions.ts';

export const assignorNames = ['uniform', 'range'] as const;

const assignors: Readonly<Record<(typeof assignorNames)[number], Assignor>> = {
  uniform: assignUniform,
  range: assignRange,
};

/** New topics do not make a group resolve its regular expressions more often. As in Kafka. */
const regexRefreshMinIntervalMs = 10_000;

/** Brings a group's epoch, target assignment and members in line with its subscriptions and with the topics there are. */
export class ConsumerAssignment {
  readonly #context: ShardContext;
  readonly #records: ConsumerRecords;

  constructor(context: ShardContext, records: ConsumerRecords) {
    this.#context = context;
    this.#records = records;
  }

  /** Raises the group epoch when `mustRaise`, or when the topics that are subscribed to have changed. */
  refreshEpoch(operation: Operation, group: ConsumerGroup, mustRaise: boolean): void {
    const view = this.#context.topics();
    const regexChanged = this.#refreshRegexes(operation, group, view);
    if (!mustRaise && !regexChanged && group.comparedWith === view) return;
    group.comparedWith = view;
    const hash = metadataHash(group, view);
    if (mustRaise || regexChanged || hash !== group.metadataHash)
      this.#records.setEpoch(operation, group.groupId, group.epoch + 1, hash);
  }

  /** Resolves regular expressions that are new, or again when topics or enough time have come. True: with another outcome. */
  #refreshRegexes(operation: Operation, group: ConsumerGroup, view: TopicsView): boolean {
    const regexes = group.subscribedRegexes();
    let changed = false;
    for (const regex of group.regexes.keys()) {
      if (regexes.has(regex)) continue;
      this.#records.removeRegex(operation, group, regex);
      changed = true;
    }
    if (regexes.size === 0) return changed;
    const nowMs = this.#context.runtime.monotonicMs();
    const sinceMs = nowMs - group.lastResolvedMs;
    const mustRefresh =
      (group.resolvedAgainst !== view && sinceMs >= regexRefreshMinIntervalMs) ||
      sinceMs >= this.#context.options.consumerRegexRefreshIntervalMs;
    const unresolved = [...regexes].filter((regex) => !group.regexes.has(regex));
    for (const regex of mustRefresh ? regexes : unresolved) {
      const topics = matchingTopics(regex, view);
      const before = group.regexes.get(regex)?.topics;
      if (before?.size === topics.size && [...topics].every((topic) => before.has(topic))) continue;
      this.#records.setRegex(operation, group, regex, topics);
      changed = true;
    }
    if (mustRefresh || group.resolvedAgainst === undefined) {
      group.resolvedAgainst = view;
      group.lastResolvedMs = nowMs;
    }
    return changed;
  }

  /** Computes the target assignment if the group epoch has grown since the last one. */
  refreshTarget(operation: Operation, group: ConsumerGroup): void {
    if (group.epoch <= group.assignmentEpoch) return;
    const targets = assignors[this.assignorOf(group)](this.#specOf(group));
    for (const memberId of group.members.keys()) {
      const target = targets.get(memberId) ?? noPartitions;
      const before = group.targets.get(memberId);
      if (before === undefined || !samePartitions(before, target))
        this.#records.setTarget(operation, group, memberId, target);
    }
    this.#records.setAssignmentEpoch(operation, group, group.epoch);
  }

  /** The one that most members ask for; by default the first that is configured. */
  assignorOf(group: ConsumerGroup): (typeof assignorNames)[number] {
    const preferred = group.preferredAssignor();
    const { consumerAssignors } = this.#context.options;
    return consumerAssignors.find((name) => name === preferred) ?? consumerAssignors[0] ?? 'uniform';
  }

  #specOf(group: ConsumerGroup): AssignmentSpec {
    const view = this.#context.topics();
    const members = new Map<string, MemberSpec>();
    // Members with equal subscriptions share one set: comparing them is then a matter of nothing.
    const topicIdsBySubscription = new Map<string, ReadonlySet<string>>();
    for (const member of group.members.values()) {
      const subscription = `${member.subscribedTopicNames.join('\n')}\n\n${member.subscribedTopicRegex}`;
      const subscribedTopicIds =
        topicIdsBySubscription.get(subscription) ?? new Set(topicIdsOf(group.topicsOf(member), view));
      topicIdsBySubscription.set(subscription, subscribedTopicIds);
      members.set(member.memberId, {
        instanceId: member.instanceId,
        rackId: member.rackId,
        subscribedTopicIds,
        assigned: group.target(member.memberId),
      });
    }
    return {
      members,
      partitionsOf: (topicId) => view.topicById(topicId)?.partitions ?? 0,
      racksOf: (topicId, partition) => view.topicById(topicId)?.racks?.[partition] ?? [],
    };
  }

  /** Takes the member one step further towards its target. Returns what it is then. */
  reconcileMember(
    operation: Operation,
    group: ConsumerGroup,
    member: ConsumerMember,
    step: { readonly hasSubscriptionChanged: boolean; readonly owned: TopicPartitions | null },
  ): ConsumerMember {
    if (!step.hasSubscriptionChanged && isReconciledTo(member, group.assignmentEpoch)) return member;
    const updated = reconcile(member, {
      ...step,
      assignmentEpoch: group.assignmentEpoch,
      target: group.target(member.memberId),
      subscribedTopicIds: new Set(topicIdsOf(group.topicsOf(member), this.#context.topics())),
      isOwned: (topicId, partition) => group.ownerOf(topicId, partition) !== undefined,
    });
    if (!isSameAssignment(member, updated)) this.#records.setCurrent(operation, group, updated);
    return updated;
  }

  /** Whether the member waits for partitions that others still have. */
  awaitsOthers(group: ConsumerGroup, member: ConsumerMember): boolean {
    for (const [topicId, partitions] of group.target(member.memberId)) {
      for (const partition of partitions) {
        const owner = group.ownerOf(topicId, partition);
        if (owner !== undefined && owner !== member.memberId) return true;
      }
    }
    return false;
  }
}

function isSameAssignment(a: ConsumerMember, b: ConsumerMember): boolean {
  return (
    a.memberEpoch === b.memberEpoch &&
    a.previousMemberEpoch === b.previousMemberEpoch &&
    a.state === b.state &&
    samePartitions(a.assigned, b.assigned) &&
    samePartitions(a.pendingRevocation, b.pendingRevocation)
  );
}

function topicIdsOf(names: Iterable<string>, view: TopicsView): string[] {
  const ids: string[] = [];
  for (const name of names) {
    const topic = view.topicByName(name);
    if (topic !== undefined) ids.push(topic.topicId);
  }
  return ids;
}

/** Internal topics are subscribed to by name only. */
function matchingTopics(regex: string, view: TopicsView): ReadonlySet<string> {
  const pattern = new TopicRegex(regex);
  const topics = new Set<string>();
  for (const { name, isInternal } of view.topics())
    if (isInternal !== true && pattern.matches(name)) topics.add(name);
  return topics;
}

/** Tells whether anything about the subscribed topics has changed that an assignment depends on. Below 2^48. */
function metadataHash(group: ConsumerGroup, view: TopicsView): number {
  const topics: TopicView[] = [];
  for (const name of group.subscribedTopics()) {
    const topic = view.topicByName(name);
    if (topic !== undefined) topics.push(topic);
  }
  if (topics.length === 0) return 0;
  topics.sort((a, b) => (a.topicId < b.topicId ? -1 : 1));
  const hash = createHash('sha256');
  for (const { topicId, name, partitions, racks } of topics)
    hash.update(JSON.stringify([topicId, name, partitions, racks ?? null]));
  return hash.digest().readUIntBE(0, 6);
}
