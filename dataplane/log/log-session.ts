import { StoreError } from '../store/errors.ts';
import type { ClusterState } from '../cluster/cluster-state.ts';
import type { AppendOptions, AppendResult } from './append.ts';
import { AppendAdmission } from './append-admission.ts';
import type { AppendBudget } from './append-budget.ts';
import type { DeadSession } from './dead-session.ts';
import type { LogError } from './errors.ts';
import type { ArrivingGroups, GroupMoveEvents } from './group-moves.ts';
import { GroupMoves } from './group-moves.ts';
import type { LogContext } from './log-context.ts';
import type { OwnedGroup } from './owned-group.ts';
import type { TailBlock } from './owned-partition.ts';
import type { Served } from './served-groups.ts';
import { ServedGroups } from './served-groups.ts';
import type { ServingListener } from './served-groups.ts';
import { SlotAssembler } from './slot-assembler.ts';
import { Trimmer } from './trimmer.ts';
import { UnflushedRecords } from './unflushed-records.ts';
import type { WalSession } from './session.ts';

export interface LogSessionEnvironment extends GroupMoveEvents {
  readonly session: WalSession;
  readonly context: LogContext;
  readonly budget: AppendBudget;
  readonly refreshCluster: () => Promise<ClusterState>;
  readonly serving: ServingListener;
}

/**
 * What one WAL session owns and does: its groups come by {@link reconcile} from `meta/cluster` and go by hand-over, or all
 * at once when the session dies. Nothing survives the session: a broker that goes on gets a new session and a new object.
 */
export class LogSession {
  readonly session: WalSession;
  readonly assembler: SlotAssembler;
  readonly trimmer: Trimmer;
  readonly #groups: ServedGroups;
  readonly #moves: GroupMoves;
  readonly #unflushed: UnflushedRecords;
  readonly #admission: AppendAdmission;

  constructor(environment: LogSessionEnvironment) {
    const { session, context, budget, refreshCluster } = environment;
    const groups = new ServedGroups(environment.serving);
    this.#groups = groups;
    this.session = session;
    this.assembler = new SlotAssembler({
      session,
      runtime: context.runtime,
      options: context.options,
      onIssued: (slot) => {
        this.trimmer.issued(slot);
      },
      onDurable: () => {
        this.#unflushed.relieve();
      },
    });
    this.trimmer = new Trimmer(session, context);
    this.#unflushed = new UnflushedRecords({
      session,
      context,
      budget,
      groups,
      isAcquiring: () => this.#moves.isAcquiringMany,
      onProblem: environment.onProblem,
    });
    this.#moves = new GroupMoves({
      session,
      context,
      groups,
      assembler: this.assembler,
      refreshCluster,
      events: environment,
      onGone: (group) => {
        this.#forget(group);
        context.gone(group);
      },
      onSettled: () => {
        this.#admission.unblock();
      },
    });
    this.#admission = new AppendAdmission({
      session,
      context,
      budget,
      groups,
      unflushed: this.#unflushed,
      assembler: this.assembler,
      askFor: (topicId, partition) => {
        this.#moves.askFor(topicId, partition);
      },
    });
    session.signal.addEventListener('abort', () => {
      this.#abandonAll(session.deathReason);
    });
  }

  get groups(): readonly OwnedGroup[] {
    return this.#groups.all();
  }

  /** Groups on their way here. */
  get arriving(): ArrivingGroups {
    return this.#moves.arriving;
  }

  served(topicId: string, partition: number): Served | undefined {
    return this.#groups.partition(topicId, partition);
  }

  /** What this session has found out about a dead one, shared by all groups that come from it. */
  deadSession(sid: string): DeadSession {
    return this.#moves.deadSession(sid);
  }

  /** Starts what brings the owned groups in line with the cluster state. Call after every change of it; returns at once. */
  reconcile(state: ClusterState, brokerId: number): void {
    this.#moves.reconcile(state, brokerId);
  }

  /** Its old owner says that it has released the group: a hint to look now. */
  released(group: string): void {
    this.#moves.released(group);
  }

  /** Somebody wants this partition, which is not served yet: its group goes before those that only wait. */
  askFor(topicId: string, partition: number): void {
    this.#moves.askFor(topicId, partition);
  }

  /** See {@link AppendAdmission.append}. */
  append(
    topicId: string,
    partition: number,
    bytes: Uint8Array,
    options?: AppendOptions,
    signal?: AbortSignal,
  ): Promise<AppendResult> {
    return this.#admission.append(topicId, partition, bytes, options, signal);
  }

  /** See {@link UnflushedRecords.flush}. */
  flush(group: OwnedGroup): Promise<void> {
    return this.#unflushed.flush(group);
  }

  /** Called by the flush: the blocks are in segments, their memory may go. */
  flushed(blocks: readonly TailBlock[]): void {
    this.#unflushed.flushed(blocks);
  }

  /**
   * Tries again what failed and flushes what is due. Resolves when that has been tried; need not be waited for, however
   * long it takes.
   */
  async flushDue(): Promise<void> {
    if (!this.session.live) return;
    this.#moves.retry();
    await this.#unflushed.flushDue();
  }

  /** Trims the WAL and writes a checkpoint as far as there is reason to. One round at a time. */
  async trim(): Promise<void> {
    if (this.session.live) await this.trimmer.advance(this.neededSlot());
  }

  /** One round of what keeps the log short: flush what is due, then trim, then checkpoint. */
  async housekeeping(): Promise<void> {
    await this.flushDue();
    await this.trim();
  }

  /** The first slot that some group of this session still needs. */
  neededSlot(): number | undefined {
    return this.#groups.neededSlot();
  }

  /** Hands all groups over to nobody (whole-broker shutdown, P4) and writes END. */
  async drain(): Promise<void> {
    await this.#moves.drain();
    if (this.session.live && this.#groups.size === 0) {
      // Nothing is needed any more: what is not deleted here the sweep has to find. Should the session be fenced at the last
      // moment, all it had has been handed over, and it is over all the same.
      const tidied = this.trimmer.advance(this.neededSlot()).catch((error: unknown) => {
        if (!(error instanceof StoreError)) throw error;
      });
      const ending = tidied.then(() => this.session.end());
      await ending.catch((error: unknown) => {
        if (this.session.live) throw error;
      });
      this.session.close();
    }
  }

  #forget(group: OwnedGroup): void {
    for (const partition of group.partitions.values()) this.assembler.forget(partition);
    this.#unflushed.forget(group);
  }

  #abandonAll(error: LogError): void {
    for (const group of this.#groups.all()) {
      group.abandon(error);
      this.#forget(group);
    }
    this.#groups.clear();
    this.#admission.abandon(error);
    this.#moves.abandon();
  }
}
