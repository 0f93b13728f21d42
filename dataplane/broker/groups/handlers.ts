import type { CoordinatorDirectory } from './coordinator-directory.ts';
import type { GroupCoordinator } from './group-coordinator.ts';
import { ConsumerGroupHandlers } from './handlers/consumer-group-handlers.ts';
import { FindCoordinatorHandler } from './handlers/find-coordinator-handler.ts';
import { GroupAdminHandlers } from './handlers/group-admin-handlers.ts';
import { MembershipHandlers } from './handlers/membership-handlers.ts';
import { OffsetHandlers } from './handlers/offset-handlers.ts';

/**
 * A handler for each API of groups and offsets: `(request, context) => Promise<response>`. What is wrong with the group or
 * the coordinator is in the response; a handler rejects only for a bug.
 */
export function groupHandlers(environment: {
  readonly coordinator: GroupCoordinator;
  readonly directory: CoordinatorDirectory;
  readonly onProblem: (what: string, error: unknown) => void;
}) {
  const { coordinator, directory, onProblem } = environment;
  const find = new FindCoordinatorHandler(directory, onProblem);
  const membership = new MembershipHandlers(coordinator);
  const consumer = new ConsumerGroupHandlers(coordinator);
  const offsets = new OffsetHandlers(coordinator);
  const admin = new GroupAdminHandlers(coordinator);
  return {
    findCoordinator: find.findCoordinator.bind(find),
    joinGroup: membership.joinGroup.bind(membership),
    syncGroup: membership.syncGroup.bind(membership),
    heartbeat: membership.heartbeat.bind(membership),
    leaveGroup: membership.leaveGroup.bind(membership),
    consumerGroupHeartbeat: consumer.consumerGroupHeartbeat.bind(consumer),
    consumerGroupDescribe: consumer.consumerGroupDescribe.bind(consumer),
    offsetCommit: offsets.offsetCommit.bind(offsets),
    offsetFetch: offsets.offsetFetch.bind(offsets),
    offsetDelete: offsets.offsetDelete.bind(offsets),
    describeGroups: admin.describeGroups.bind(admin),
    listGroups: admin.listGroups.bind(admin),
    deleteGroups: admin.deleteGroups.bind(admin),
  };
}
