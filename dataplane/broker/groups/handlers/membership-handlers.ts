import type { heartbeat, HeartbeatRequest } from '../../../protocol/api/heartbeat.ts';
import type { joinGroup, JoinGroupRequest } from '../../../protocol/api/join-group.ts';
import type { leaveGroup, LeaveGroupRequest } from '../../../protocol/api/leave-group.ts';
import type { syncGroup, SyncGroupRequest } from '../../../protocol/api/sync-group.ts';
import type { ResponseInput } from '../../../protocol/api.ts';
import { errorCode } from '../../../protocol/error-code.ts';
import type { KafkaErrorName } from '../../../protocol/error-code.ts';
import type { RequestContext } from '../../request-context.ts';
import { joinRefused, syncRefused } from '../classic/classic-member.ts';
import type { JoinAnswer, SyncAnswer } from '../classic/classic-member.ts';
import type { MemberLeft } from '../classic/classic-requests.ts';
import { GroupError } from '../errors.ts';
import type { GroupCoordinator } from '../group-coordinator.ts';
import type { ClientOrigin } from '../shard-context.ts';
import { codeOf, requireGroupId } from './answer-errors.ts';

/** From this version of SyncGroup on the protocol has to be named (KIP-559). */
const syncNamesProtocolFrom = 5;
/** From this version of LeaveGroup on several members may leave at once. */
const leaveHasMembersFrom = 3;

/** JoinGroup, SyncGroup, Heartbeat, LeaveGroup. */
export class MembershipHandlers {
  readonly #coordinator: GroupCoordinator;

  constructor(coordinator: GroupCoordinator) {
    this.#coordinator = coordinator;
  }

  async joinGroup(
    request: JoinGroupRequest,
    context: RequestContext,
  ): Promise<ResponseInput<typeof joinGroup>> {
    const { error, ...answer } = await this.#join(request, context);
    return {
      ...answer,
      errorCode: errorCode[error],
      // Null came with version 7.
      protocolName: context.apiVersion >= 7 ? answer.protocolName : (answer.protocolName ?? ''),
    };
  }

  async #join(request: JoinGroupRequest, context: RequestContext): Promise<JoinAnswer> {
    const { groupId, memberId, sessionTimeoutMs } = request;
    try {
      requireGroupId(groupId);
      const { minSessionTimeoutMs, maxSessionTimeoutMs } = this.#coordinator.options;
      if (sessionTimeoutMs < minSessionTimeoutMs || sessionTimeoutMs > maxSessionTimeoutMs)
        return joinRefused('INVALID_SESSION_TIMEOUT', memberId);
      const join = { request, apiVersion: context.apiVersion, origin: originOf(context) };
      const shard = this.#coordinator.shardOf(groupId);
      return await shard.write<JoinAnswer>(groupId, (operation, waiter) => {
        shard.requests.join(operation, join, waiter);
      });
    } catch (error) {
      return joinRefused(nameOf(error), memberId);
    }
  }

  async syncGroup(
    request: SyncGroupRequest,
    context: RequestContext,
  ): Promise<ResponseInput<typeof syncGroup>> {
    const { error, ...answer } = await this.#sync(request, context.apiVersion);
    return { ...answer, errorCode: errorCode[error] };
  }

  async #sync(request: SyncGroupRequest, apiVersion: number): Promise<SyncAnswer> {
    const { groupId, protocolType, protocolName } = request;
    try {
      requireGroupId(groupId);
      if (apiVersion >= syncNamesProtocolFrom && (protocolType === null || protocolName === null))
        return syncRefused('INCONSISTENT_GROUP_PROTOCOL');
      const shard = this.#coordinator.shardOf(groupId);
      return await shard.write<SyncAnswer>(groupId, (operation, waiter) => {
        shard.requests.sync(operation, request, waiter);
      });
    } catch (error) {
      return syncRefused(nameOf(error));
    }
  }

  async heartbeat(request: HeartbeatRequest): Promise<ResponseInput<typeof heartbeat>> {
    const { groupId } = request;
    try {
      requireGroupId(groupId);
      const shard = this.#coordinator.shardOf(groupId);
      const error = await shard.write<KafkaErrorName>(groupId, (operation, waiter) => {
        operation.answer(waiter, shard.requests.heartbeat(request));
      });
      return { errorCode: errorCode[error] };
    } catch (error) {
      // The member is heard of again before its session, which begins anew with the load, is over.
      if (error instanceof GroupError && error.code === 'COORDINATOR_LOAD_IN_PROGRESS')
        return { errorCode: errorCode.NONE };
      return { errorCode: codeOf(error) };
    }
  }

  async leaveGroup(
    request: LeaveGroupRequest,
    context: RequestContext,
  ): Promise<ResponseInput<typeof leaveGroup>> {
    const { groupId } = request;
    const isBatch = context.apiVersion >= leaveHasMembersFrom;
    const members = isBatch
      ? request.members
      : [{ memberId: request.memberId, groupInstanceId: null, reason: null }];
    try {
      requireGroupId(groupId);
      const shard = this.#coordinator.shardOf(groupId);
      const left = await shard.write<readonly MemberLeft[]>(groupId, (operation, waiter) => {
        operation.answer(waiter, shard.requests.leave(operation, { ...request, members }));
      });
      const results = left.map(({ error, ...member }) => ({ ...member, errorCode: errorCode[error] }));
      if (isBatch) return { errorCode: errorCode.NONE, members: results };
      return { errorCode: results[0]?.errorCode ?? errorCode.NONE };
    } catch (error) {
      return { errorCode: codeOf(error), members: [] };
    }
  }
}

export function originOf({ clientId, connection }: RequestContext): ClientOrigin {
  return { clientId: clientId ?? '', clientHost: `/${connection.remoteAddress}` };
}

function nameOf(error: unknown): KafkaErrorName {
  if (error instanceof GroupError) return error.code;
  throw error;
}
