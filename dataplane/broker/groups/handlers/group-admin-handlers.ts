import type { deleteGroups, DeleteGroupsRequest } from '../../../protocol/api/delete-groups.ts';
import type { describeGroups, DescribeGroupsRequest } from '../../../protocol/api/describe-groups.ts';
import type { listGroups, ListGroupsRequest } from '../../../protocol/api/list-groups.ts';
import type { ResponseInput } from '../../../protocol/api.ts';
import { errorCode } from '../../../protocol/error-code.ts';
import type { RequestContext } from '../../request-context.ts';
import { GroupError } from '../errors.ts';
import type { GroupCoordinator } from '../group-coordinator.ts';
import { describeClassic, listGroupsOf, noAuthorizedOperations } from '../group-descriptions.ts';
import type { DescribedGroup, ListedGroup } from '../group-descriptions.ts';
import { codeOf } from './answer-errors.ts';

/** From this version of DescribeGroups on there are error messages. */
const describeHasMessagesFrom = 6;

/** DescribeGroups, ListGroups, DeleteGroups. */
export class GroupAdminHandlers {
  readonly #coordinator: GroupCoordinator;

  constructor(coordinator: GroupCoordinator) {
    this.#coordinator = coordinator;
  }

  async describeGroups(
    request: DescribeGroupsRequest,
    { apiVersion }: RequestContext,
  ): Promise<ResponseInput<typeof describeGroups>> {
    return {
      groups: await Promise.all(request.groups.map((groupId) => this.#describe(groupId, apiVersion))),
    };
  }

  async #describe(groupId: string, apiVersion: number): Promise<DescribedGroup> {
    try {
      const shard = this.#coordinator.shardOf(groupId);
      return await shard.read(groupId, ({ groups }) => describeClassic(groups, groupId, apiVersion));
    } catch (error) {
      const hasMessage = apiVersion >= describeHasMessagesFrom && error instanceof GroupError;
      return {
        errorCode: codeOf(error),
        errorMessage: hasMessage ? error.message : null,
        groupId,
        groupState: '',
        protocolType: '',
        protocolData: '',
        members: [],
        authorizedOperations: noAuthorizedOperations,
      };
    }
  }

  /** The groups that this broker coordinates: clients ask every broker. */
  async listGroups(request: ListGroupsRequest): Promise<ResponseInput<typeof listGroups>> {
    const { shards } = this.#coordinator;
    try {
      const lists = await Promise.all(
        shards.map((shard) =>
          noneIfLost(shard.read(undefined, ({ groups }) => listGroupsOf(groups, request))),
        ),
      );
      return { errorCode: errorCode.NONE, groups: lists.flat() };
    } catch (error) {
      return { errorCode: codeOf(error), groups: [] };
    }
  }

  async deleteGroups({ groupsNames }: DeleteGroupsRequest): Promise<ResponseInput<typeof deleteGroups>> {
    const results = await Promise.all(
      groupsNames.map(async (groupId) => ({ groupId, errorCode: await this.#delete(groupId) })),
    );
    return { throttleTimeMs: 0, results };
  }

  async #delete(groupId: string): Promise<number> {
    try {
      const shard = this.#coordinator.shardOf(groupId);
      await shard.write<undefined>(groupId, (operation, waiter) => {
        shard.requests.deleteGroup(operation, groupId);
        operation.answer(waiter, undefined);
      });
      return errorCode.NONE;
    } catch (error) {
      return codeOf(error);
    }
  }
}

/** Groups that have moved meanwhile are listed by the broker that has them now. */
async function noneIfLost(list: Promise<ListedGroup[]>): Promise<ListedGroup[]> {
  try {
    return await list;
  } catch (error) {
    if (error instanceof GroupError && error.code === 'NOT_COORDINATOR') return [];
    throw error;
  }
}
