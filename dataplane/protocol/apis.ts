import type { AnyApi } from './api.ts';
import { apiVersions } from './api/api-versions.ts';
import { consumerGroupDescribe } from './api/consumer-group-describe.ts';
import { consumerGroupHeartbeat } from './api/consumer-group-heartbeat.ts';
import { deleteGroups } from './api/delete-groups.ts';
import { describeGroups } from './api/describe-groups.ts';
import { fetch } from './api/fetch.ts';
import { findCoordinator } from './api/find-coordinator.ts';
import { heartbeat } from './api/heartbeat.ts';
import { joinGroup } from './api/join-group.ts';
import { leaveGroup } from './api/leave-group.ts';
import { listGroups } from './api/list-groups.ts';
import { listOffsets } from './api/list-offsets.ts';
import { metadata } from './api/metadata.ts';
import { offsetCommit } from './api/offset-commit.ts';
import { offsetDelete } from './api/offset-delete.ts';
import { offsetFetch } from './api/offset-fetch.ts';
import { produce } from './api/produce.ts';
import { syncGroup } from './api/sync-group.ts';

/** Every API that is declared, by name. The order is that of the keys. */
export const apis = {
  produce,
  fetch,
  listOffsets,
  metadata,
  offsetCommit,
  offsetFetch,
  findCoordinator,
  joinGroup,
  heartbeat,
  leaveGroup,
  syncGroup,
  describeGroups,
  listGroups,
  apiVersions,
  deleteGroups,
  offsetDelete,
  consumerGroupHeartbeat,
  consumerGroupDescribe,
} as const satisfies Record<string, AnyApi>;

export type ApiId = keyof typeof apis;

const apisByKey: readonly (AnyApi | undefined)[] = tableByKey(Object.values(apis));

/** Undefined for a key that is not declared here. */
export function apiByKey(key: number): AnyApi | undefined {
  return apisByKey[key];
}

function tableByKey(all: readonly AnyApi[]): AnyApi[] {
  const table: AnyApi[] = [];
  for (const api of all) table[api.key] = api;
  return table;
}
