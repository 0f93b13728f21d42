import type { ClusterState } from '../cluster/cluster-state.ts';
import { isDeadSid, liveBroker } from '../cluster/ownership.ts';
import { groupsOf } from '../cluster/partition-groups.ts';
import { forEachLimited } from '../runtime/concurrency.ts';
import { crc32c } from '../store/crc32c.ts';
import { listAll } from '../store/list-all.ts';
import type { DeadSession } from './dead-session.ts';
import { LogError } from './errors.ts';
import { manifestKey, parseGroupId, parseSessionKey, sessionsPrefix } from './format/keys.ts';
import { decodeManifest } from './format/manifest.ts';
import type { LogContext } from './log-context.ts';
import { listRemains } from './session-remains.ts';
import type { SessionRemains } from './session-remains.ts';

export interface SweepEnvironment {
  /** As last seen: says which sessions to look at, never what may be deleted. */
  readonly knownCluster: () => ClusterState | undefined;
  /** The cluster state as of a read that begins after the call. */
  readonly refreshCluster: () => Promise<ClusterState>;
  readonly deadSession: (sid: string) => DeadSession;
  /** The sweeping broker's session, named in fences. */
  readonly fencer: string;
  readonly signal: AbortSignal;
}

export interface SweepResult {
  readonly slots: number;
  readonly checkpoints: number;
}

/**
 * Deletes WAL slots of dead sessions that no manifest reaches (log.md 2.6). Any broker may do it, any number at a time.
 *
 * Order, for each dead session: (1) list its slots, (2) have a FENCE behind all of them, (3) read *all* manifests,
 * (4) delete slots covered by no run. Reading manifests before listing, or skipping one that cannot be read, would delete
 * live slots. Being old is no reason to delete anything.
 *
 * Why (2): "dead" says nothing about what the session still does. Its CAS to acquire a group may be under way, with a run
 * that starts at a slot which was unissued when the CAS was built and exists by now; when it lands after (3), that run
 * covers listed slots. But blocks of that group are written only after the session has learnt that the CAS landed, hence
 * in slots issued after the fence stood, which lie above it: the run ends at the fence with nothing in it. A fence at the
 * session's first hole would not do: the run may start above that hole.
 *
 * So what (3) found stays true: runs over listed slots only shrink from then on. A later round reads no more than the
 * manifests with such runs again, and only when they have changed. A round with nothing to do costs one listing of the
 * sessions, and a second look at one session that was found clean: a slot may have landed late.
 *
 * FENCE and END objects are never deleted: they are what refuses a slot to an owner that was paused for a week.
 */
export class Sweeper {
  readonly #context: LogContext;
  /** Sessions without anything to delete, with the number of slots they have: FENCE and END objects. */
  readonly #clean = new Map<string, number>();
  /** Dead sessions with something to delete. */
  readonly #remains = new Map<string, SessionRemains>();
  /** By session that looks dead: rounds for which it is still left to the broker that sweeps it first. */
  readonly #patience = new Map<string, number>();
  #underWay: Promise<SweepResult> | undefined;

  constructor(context: LogContext) {
    this.#context = context;
  }

  /** One round; joins the one that is under way. What fails is left for the next round, and the first failure thrown. */
  sweep(environment: SweepEnvironment): Promise<SweepResult> {
    this.#underWay ??= this.#round(environment).finally(() => {
      this.#underWay = undefined;
    });
    return this.#underWay;
  }

  async #round(environment: SweepEnvironment): Promise<SweepResult> {
    const { signal } = environment;
    const failures: unknown[] = [];
    const attempt = async (work: () => Promise<void>): Promise<void> => {
      await work().catch((error: unknown) => failures.push(error));
    };
    const found: SessionRemains[] = [];
    await forEachLimited(await this.#sessionsToLookAt(environment), SESSIONS_AT_A_TIME, (sid) =>
      attempt(async () => {
        const remains = await this.#look(sid, failures, signal);
        if (!remains.isClean) found.push(remains);
      }),
    );
    // Who has written slots had registered before. So a session with slots that this later state does not name is dead
    // and stays so; one without slots may just not have registered yet.
    const state = found.length === 0 ? undefined : await environment.refreshCluster();
    await forEachLimited(found, SESSIONS_AT_A_TIME, (remains) =>
      attempt(async () => {
        if (state === undefined || !isDeadSid(state, remains.sid)) return;
        await remains.ensureFenced(environment.deadSession(remains.sid), environment.fencer);
        this.#remains.set(remains.sid, remains);
      }),
    );
    for (const remains of this.#remains.values()) await attempt(() => remains.refresh(signal));
    await attempt(() => this.#survey(environment));
    const result = await this.#deleteUncovered(attempt, signal);
    if (failures.length > 0) throw failures[0];
    return result;
  }

  /** Sessions that look dead and of which nothing is known yet, and one that was clean when it was last looked at. */
  async #sessionsToLookAt({ knownCluster, signal }: SweepEnvironment): Promise<readonly string[]> {
    const state = knownCluster();
    if (state === undefined) return [];
    const [again] = this.#clean.keys();
    const sids: string[] = again === undefined ? [] : [again];
    for await (const { key } of listAll(this.#context.store, sessionsPrefix, signal)) {
      const sid = parseSessionKey(key)?.sid;
      if (sid === undefined) continue;
      if (!isDeadSid(state, sid)) {
        // It may have been found without slots before it had registered.
        this.#clean.delete(sid);
        this.#patience.delete(sid);
      } else if (!this.#clean.has(sid) && !this.#remains.has(sid) && this.#isOurTurn(state, sid)) {
        sids.push(sid);
      }
    }
    return sids;
  }

  /**
   * Who sweeps a session first is agreed on without a word: the live broker with the highest hash of both names. The
   * others leave it alone for a few rounds and find it clean then, so that one of them reads all manifests, not all of
   * them. Only requests are saved by this: nothing breaks when they disagree.
   */
  #isOurTurn(state: ClusterState, sid: string): boolean {
    const left = this.#patience.get(sid) ?? this.#context.options.sweepPatienceRounds;
    if (left <= 0 || firstSweeper(state, sid) === this.#context.broker.id) {
      this.#patience.delete(sid);
      return true;
    }
    this.#patience.set(sid, left - 1);
    return false;
  }

  async #look(sid: string, failures: unknown[], signal: AbortSignal): Promise<SessionRemains> {
    const knownEnded = this.#clean.get(sid);
    this.#clean.delete(sid);
    const onDamage = (error: Error): void => {
      failures.push(error);
    };
    const remains = await listRemains(this.#context, sid, { knownEnded, onDamage, signal });
    if (remains.isClean) this.#clean.set(sid, remains.ended);
    return remains;
  }

  /** Reads every manifest there is for the sessions fenced since that was last done. All or nothing: one that cannot be read leaves them unsurveyed. */
  async #survey({ refreshCluster, signal }: SweepEnvironment): Promise<void> {
    const surveys = [...this.#remains.values()]
      .filter(({ isSurveyed }) => !isSurveyed)
      .map((remains) => remains.survey());
    if (surveys.length === 0) return;
    const state = await refreshCluster();
    const groups = [...state.topics.values(), ...state.deletedTopics.values()].flatMap((topic) =>
      groupsOf(topic),
    );
    await forEachLimited(groups, MANIFESTS_AT_A_TIME, async ({ id }) => {
      const key = manifestKey(id);
      const found = await this.#context.store.get(key, { signal });
      if (found.kind !== 'found') {
        const isDeleted = state.deletedTopics.has(parseGroupId(id)?.topicId ?? '');
        if (isDeleted || state.assignments.get(id)?.hasManifest !== true) return;
        throw new LogError(
          'CORRUPT_LOG',
          `${key} is missing, so it is not known which slots it needs; nothing is swept until it is restored`,
        );
      }
      const manifest = decodeManifest(found.body, key);
      for (const { see } of surveys) see(manifest, found.info.etag);
    });
    for (const { surveyed } of surveys) surveyed();
  }

  async #deleteUncovered(
    attempt: (work: () => Promise<void>) => Promise<void>,
    signal: AbortSignal,
  ): Promise<SweepResult> {
    const swept = { slots: 0, checkpoints: 0 };
    for (const remains of this.#remains.values()) {
      await attempt(async () => {
        const deleted = await remains.deleteUncovered(signal);
        swept.slots += deleted.slots;
        swept.checkpoints += deleted.checkpoints;
      });
      // The next round looks at it once more: slots may have landed since it was listed.
      if (remains.isClean) this.#remains.delete(remains.sid);
    }
    this.#context.counters.slotsSwept += swept.slots;
    return swept;
  }
}

/** `undefined`: no broker lives. */
function firstSweeper(state: ClusterState, sid: string): number | undefined {
  let first: { readonly id: number; readonly weight: number } | undefined;
  for (const id of state.brokers.keys()) {
    if (liveBroker(state, id) === undefined) continue;
    const weight = crc32c(Buffer.from(`${sid}/${id}`));
    if (first === undefined || weight > first.weight) first = { id, weight };
  }
  return first?.id;
}

const SESSIONS_AT_A_TIME = 4;
const MANIFESTS_AT_A_TIME = 32;
