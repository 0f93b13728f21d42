import { GroupError } from '../errors.ts';
import type { Operation } from '../operation.ts';
import type { ConsumerGroup } from './consumer-group.ts';
import { awayEpoch } from './consumer-member.ts';
import type { ConsumerMember } from './consumer-member.ts';
import type { ConsumerRecords } from './consumer-records.ts';
import { isSubset } from './topic-partitions.ts';
import type { TopicPartitions } from './topic-partitions.ts';

/**
 * The epoch that a member comes with must be its own, or the one before, if the answer that told of the newer one may have
 * got lost: then it has nothing but what it was assigned.
 *
 * @throws GroupError FENCED_MEMBER_EPOCH
 */
export function requireMemberEpoch(
  { memberId, memberEpoch, previousMemberEpoch, assigned }: ConsumerMember,
  received: number,
  owned: TopicPartitions | null,
): void {
  if (received === memberEpoch) return;
  if (
    received < memberEpoch &&
    received === previousMemberEpoch &&
    owned !== null &&
    isSubset(owned, assigned)
  )
    return;
  throw new GroupError(
    'FENCED_MEMBER_EPOCH',
    `The consumer group member ${memberId} has the member epoch ${received}, the one known by the group coordinator is ${memberEpoch}. The member must abandon all its partitions and rejoin.`,
  );
}

/**
 * The member whose place a static member takes that joins; undefined: there is none.
 *
 * @throws GroupError UNRELEASED_INSTANCE_ID when that one has not gone away
 */
export function memberToReplace(
  group: ConsumerGroup,
  instanceId: string,
  memberId: string,
): ConsumerMember | undefined {
  const known = group.staticMember(instanceId);
  if (known === undefined || known.memberId === memberId) return undefined;
  // A member of the classic protocol cannot say that it goes away: it is replaced as in a classic group.
  if (known.memberEpoch === awayEpoch || known.classic !== null) return known;
  throw new GroupError(
    'UNRELEASED_INSTANCE_ID',
    `Static member ${memberId} with instance id ${instanceId} cannot join group ${group.groupId} because the instance id is owned by member ${known.memberId}.`,
  );
}

/** A static member is back under another id: it has what the old one had. */
export function replaceStaticMember(
  operation: Operation,
  records: ConsumerRecords,
  group: ConsumerGroup,
  replaced: ConsumerMember,
  memberId: string,
): ConsumerMember {
  const target = group.target(replaced.memberId);
  const member: ConsumerMember = { ...replaced, memberId, memberEpoch: 0, previousMemberEpoch: 0 };
  records.removeMember(operation, group, replaced.memberId);
  records.setMember(operation, group, member);
  records.setTarget(operation, group, memberId, target);
  records.setCurrent(operation, group, member);
  return member;
}
