import type { DescribeGroupsResponse } from '../../protocol/api/describe-groups.ts';
import type { ListGroupsRequest, ListGroupsResponse } from '../../protocol/api/list-groups.ts';
import { errorCode } from '../../protocol/error-code.ts';
import type { ClassicGroup } from './classic/classic-group.ts';
import { noBytes } from './classic/classic-member.ts';
import type { Group, GroupRegistry } from './group-registry.ts';

export type DescribedGroup = DescribeGroupsResponse['groups'][number];
export type ListedGroup = ListGroupsResponse['groups'][number];

/** "Not asked for" in Kafka. */
export const noAuthorizedOperations = -0x8000_0000;

/** From this version of DescribeGroups on a group that does not exist is an error; before it is `Dead` (KIP-1043). */
const tellsOfMissingGroupsFrom = 6;

/** One group as DescribeGroups shows it. Groups of the consumer protocol do not exist for it. */
export function describeClassic(groups: GroupRegistry, groupId: string, apiVersion: number): DescribedGroup {
  const group = groups.get(groupId);
  if (group?.type !== 'classic') {
    const isError = apiVersion >= tellsOfMissingGroupsFrom;
    const what =
      group === undefined ? `Group ${groupId} not found.` : `Group ${groupId} is not a classic group.`;
    return {
      errorCode: isError ? errorCode.GROUP_ID_NOT_FOUND : errorCode.NONE,
      errorMessage: isError ? what : null,
      groupId,
      groupState: 'Dead',
      protocolType: '',
      protocolData: '',
      members: [],
      authorizedOperations: noAuthorizedOperations,
    };
  }
  const isStable = group.state === 'Stable';
  return {
    errorCode: errorCode.NONE,
    errorMessage: null,
    groupId,
    groupState: group.state,
    protocolType: group.protocolType ?? '',
    protocolData: isStable ? (group.protocolName ?? '') : '',
    members: describeMembers(group, isStable),
    authorizedOperations: noAuthorizedOperations,
  };
}

function describeMembers(group: ClassicGroup, isStable: boolean): DescribedGroup['members'] {
  return Array.from(group.members.values(), (member) => ({
    memberId: member.memberId,
    groupInstanceId: member.instanceId,
    clientId: member.clientId,
    clientHost: member.clientHost,
    // What is in flux is not shown.
    memberMetadata: isStable ? member.metadataFor(group.protocolName) : noBytes,
    memberAssignment: isStable ? member.assignment : noBytes,
  }));
}

/** The groups of one partition as ListGroups shows them; filters are case-insensitive, none means all. */
export function listGroupsOf(
  groups: GroupRegistry,
  { statesFilter, typesFilter }: ListGroupsRequest,
): ListedGroup[] {
  const states = new Set(statesFilter.map((state) => state.toLowerCase()));
  const types = new Set(typesFilter.map((type) => type.toLowerCase()));
  const listed: ListedGroup[] = [];
  for (const group of groups.all()) {
    if (states.size > 0 && !states.has(group.state.toLowerCase())) continue;
    if (types.size > 0 && !types.has(group.type)) continue;
    listed.push(listGroup(group));
  }
  return listed;
}

function listGroup(group: Group): ListedGroup {
  return {
    groupId: group.groupId,
    protocolType: group.protocolType ?? '',
    groupState: group.state,
    groupType: group.type,
  };
}
