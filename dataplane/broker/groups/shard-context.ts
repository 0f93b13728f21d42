import type { Runtime } from '../../runtime/runtime.ts';
import type { TopicsView } from './topics-view.ts';
import type { GroupRegistry } from './group-registry.ts';
import type { CommittedOffsets } from './offsets/committed-offsets.ts';
import type { Operation } from './operation.ts';
import type { GroupOptions } from './options.ts';

/** What the state machine of one partition of `__consumer_offsets` works on. */
export interface ShardContext {
  readonly runtime: Runtime;
  readonly options: GroupOptions;
  readonly groups: GroupRegistry;
  readonly offsets: CommittedOffsets;
  /** Topics as last seen. */
  topics(): TopicsView;
  /** Runs `step` as an operation after `delayMs`, instead of what was scheduled under `key`. */
  schedule(key: string, groupId: string, delayMs: number, step: (operation: Operation) => void): void;
  isScheduled(key: string): boolean;
  unschedule(key: string): void;
}

/** Who a member is besides its id. */
export interface ClientOrigin {
  readonly clientId: string;
  /** `/address`, as Kafka stores it. */
  readonly clientHost: string;
}

/** The name of a timer. Ids hold what clients like, so none can pass for another one with a part of the next. */
export function timerKey(kind: string, groupId: string, memberId = ''): string {
  return `${kind} ${groupId.length} ${groupId} ${memberId}`;
}
