import type { Runtime } from '../../runtime/runtime.ts';
import type { ObjectStore } from '../../store/object-store.ts';
import { decodeProbeRecord } from '../../store/probe/probe-record.ts';
import { clusterKey } from '../../cluster/cluster-state.ts';
import { groupPrefix, manifestKey, pidBlockKey } from '../format/keys.ts';
import { decodePidBlock } from '../format/pid-block.ts';
import { ClusterView } from './cluster-view.ts';
import { forEachLimited } from '../../runtime/concurrency.ts';
import { reportDamage } from './damage.ts';
import { FindingSink } from './finding.ts';
import type { Finding, FindingCode, Severity } from './finding.ts';
import { GroupCheck } from './group-check.ts';
import { ObjectReader } from './object-reader.ts';
import { reportOrphans } from './orphan-check.ts';
import { ReadOnlyStore } from './read-only-store.ts';
import { RunCheck } from './run-check.ts';
import { checkSession } from './session-check.ts';
import type { SessionMemory } from './session-check.ts';
import { checkSnapshot } from './snapshot-check.ts';
import { surveyBucket } from './survey.ts';
import type { Survey } from './survey.ts';
import type { VerifyContext, VerifyCounters } from './verify-context.ts';

export interface VerifyOptions {
  readonly runtime: Runtime;
  /** Read record bytes too, not only what stands around them. Default false. */
  readonly deep?: boolean | undefined;
  /** Default 3 s. */
  readonly settleMs?: number | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Called for each finding as it is made; of very many alike only for the first. */
  readonly onFinding: (finding: Finding) => void;
  /** What is being done now, for people who wait. */
  readonly onProgress?: ((what: string) => void) | undefined;
}

export interface VerifySummary {
  readonly store: string;
  readonly clusterId: string | undefined;
  readonly deep: boolean;
  readonly objects: number;
  readonly bytes: number;
  readonly counters: Readonly<VerifyCounters>;
  readonly requests: number;
  readonly bytesRead: number;
  /** Findings by severity. */
  readonly totals: Readonly<Record<Severity, number>>;
  /** Findings that were only counted, by code. */
  readonly untold: Readonly<Partial<Record<FindingCode, number>>>;
}

const groupsAtATime = 8;
const sessionsAtATime = 4;
/** How often a group that moves on is looked at again. */
const maxRestarts = 8;
/** About 150 bytes each. */
const maxProducers = 200_000;

/**
 * Checks everything that the log has in a store, and writes nothing: the store is wrapped so that it cannot. May be run
 * against a cluster at work; what moves is looked at again before it is reported.
 *
 * Order: the whole bucket is listed; every group's manifest and segments are followed up to where its WAL begins; then
 * every session's slots are walked, once for all groups that need them. A group whose manifest was replaced meanwhile goes
 * through the last two steps again from where it stands. Memory: a few hundred bytes per session and partition, names of
 * the segments of {@link groupsAtATime} groups, indexes of what is being read.
 *
 * Rejects when the store cannot be read. What was found until then has been told.
 */
export async function verifyLog(store: ObjectStore, options: VerifyOptions): Promise<VerifySummary> {
  const reader = new ObjectReader(new ReadOnlyStore(store), options.signal);
  const findings = new FindingSink(options.onFinding);
  const counters = {
    groups: 0,
    sessions: 0,
    segments: 0,
    slots: 0,
    batches: 0,
    records: 0,
    recordBytes: 0,
    rereads: 0,
  };
  const context: VerifyContext = {
    reader,
    runtime: options.runtime,
    findings,
    cluster: new ClusterView(reader),
    deep: options.deep ?? false,
    settleMs: options.settleMs ?? 3_000,
    producerBudget: { left: maxProducers },
    counters,
  };
  const survey = await new Verification(context, options.onProgress ?? (() => undefined)).run();
  return {
    store: store.name,
    clusterId: context.cluster.state?.clusterId,
    deep: context.deep,
    objects: survey.objects,
    bytes: survey.bytes,
    counters,
    requests: reader.counters.requests,
    bytesRead: reader.counters.bytes,
    totals: findings.counts,
    untold: Object.fromEntries(findings.untold),
  };
}

class Verification {
  readonly #context: VerifyContext;
  readonly #progress: (what: string) => void;
  readonly #unborn = new Set<string>();
  readonly #sessions = new Map<string, SessionMemory>();

  constructor(context: VerifyContext, progress: (what: string) => void) {
    this.#context = context;
    this.#progress = progress;
  }

  async run(): Promise<Survey> {
    const { reader, cluster } = this.#context;
    this.#progress('listing all objects');
    const survey = await surveyBucket(reader);
    await this.#checkSingles(survey);
    this.#checkKeys(survey);
    const ids = new Set([...survey.groups.keys(), ...cluster.groups.keys()]);
    this.#progress(`checking ${ids.size} partition groups and their segments`);
    const groups: GroupCheck[] = [];
    await forEachLimited(ids, groupsAtATime, async (id) => {
      const group = await this.#checkGroup(id, survey);
      if (group !== undefined) groups.push(group);
    });
    await this.#checkTails(groups, survey);
    return survey;
  }

  /** The objects of which there is one: cluster state, block of producer ids, probe records. */
  async #checkSingles(survey: Survey): Promise<void> {
    const { reader, cluster, findings } = this.#context;
    const state = await cluster.refresh();
    if (state.kind === 'damaged') reportDamage(findings, clusterKey, state.error);
    if (state.kind === 'absent' && survey.sessions.size + survey.groups.size > 0) {
      findings.add('CLUSTER_MISSING', clusterKey, 'it does not exist, but sessions or partition groups do');
    }
    for (const key of survey.singles) {
      if (key === clusterKey) continue;
      const found = await reader.read(key, ({ bytes }) => {
        if (key === pidBlockKey) decodePidBlock(bytes, key);
        else decodeProbeRecord(bytes);
      });
      if (found.kind === 'damaged') reportDamage(findings, key, found.error);
    }
  }

  #checkKeys({ unknown, foreign }: Survey): void {
    const { findings } = this.#context;
    for (const key of unknown.examples)
      findings.add('UNKNOWN_KEY', key, 'it is none of the keys that firn has in this folder');
    const more = unknown.count - unknown.examples.length;
    if (more > 0)
      findings.add('UNKNOWN_KEY', unknown.examples[0]?.split('/')[0] ?? '', `${more} more such keys`);
    for (const [folder, { count, bytes, examples }] of foreign) {
      findings.add(
        'FOREIGN_KEYS',
        folder,
        `${count} objects (${bytes} bytes), for example ${examples[0] ?? ''}`,
      );
    }
  }

  /** Manifest, segments, snapshot and orphans of a group. Returns it when its WAL is to be followed. */
  async #checkGroup(id: string, survey: Survey): Promise<GroupCheck | undefined> {
    const { cluster, findings, counters } = this.#context;
    const key = manifestKey(id);
    const group = new GroupCheck(id, this.#context);
    const found = await group.refresh();
    if (found.kind === 'absent') {
      const surveyed = survey.groups.get(id);
      if (surveyed !== undefined && surveyed.segments + surveyed.pages + surveyed.snapshots > 0) {
        const { segments, pages, snapshots } = surveyed;
        findings.add(
          'MANIFEST_MISSING',
          key,
          `it does not exist, but the group has ${segments} segments, ${pages} pages and ${snapshots} snapshots`,
        );
      } else if (surveyed?.hasManifest === true) {
        findings.add(
          'MANIFEST_MISSING',
          key,
          'it was deleted while this check was running; firn never deletes a manifest',
        );
      } else if (
        cluster.groups.get(id)?.isDeleted === false &&
        cluster.groups.get(id)?.hasManifest === true
      ) {
        findings.add(
          'MANIFEST_MISSING',
          key,
          'it does not exist, but meta/cluster says that the group has been served',
        );
      } else if (cluster.groups.get(id)?.isDeleted === false) {
        this.#unborn.add(id);
      }
      return undefined;
    }
    if (found.kind === 'damaged') {
      reportDamage(findings, key, found.error);
      return undefined;
    }
    counters.groups += 1;
    if (!(await this.#checkIdentity(group))) return undefined;
    const reached = { segments: new Set<string>(), pages: new Set<string>() };
    await group.checkSegments((kind, object) =>
      (kind === 'segment' ? reached.segments : reached.pages).add(object),
    );
    await checkSnapshot(group, this.#context);
    await reportOrphans(group, { ...reached, snapshot: group.manifest.snapshot?.object }, this.#context);
    if (group.manifest.runs.length > 0) return group;
    group.release();
    return undefined;
  }

  /** Whether the manifest is the one of its key and of `meta/cluster`. */
  async #checkIdentity(group: GroupCheck): Promise<boolean> {
    const { cluster, findings } = this.#context;
    const { manifest, id } = group;
    const key = manifestKey(id);
    if (manifest.group !== id) {
      findings.add('WRONG_PLACE', key, `it is the manifest of group ${manifest.group}`);
      return false;
    }
    if (cluster.state === undefined) return true;
    if (!cluster.groups.has(id)) await cluster.refresh();
    const declared = cluster.groups.get(id);
    if (declared === undefined) {
      // A deleted group's manifest stays for ever; it is no reason for a word.
      if (manifest.state !== 'deleted')
        findings.add(
          'UNKNOWN_GROUP',
          groupPrefix(id),
          `its topic ${manifest.topicId} is not in meta/cluster`,
        );
      return true;
    }
    const { firstPartition, count, topicName, generation } = declared;
    if (manifest.firstPartition !== firstPartition || manifest.partitionCount !== count) {
      const has = `${manifest.partitionCount} partitions from ${manifest.firstPartition} on`;
      findings.add(
        'MANIFEST_MISPLACED',
        key,
        `it has ${has}, meta/cluster gives the group ${count} from ${firstPartition} on (topic ${topicName})`,
      );
      return false;
    }
    if (generation !== undefined && manifest.assignmentGeneration > generation) {
      await cluster.refresh();
      const now = cluster.groups.get(id)?.generation;
      if (now !== undefined && manifest.assignmentGeneration > now) {
        findings.add(
          'CLUSTER_WENT_BACK',
          key,
          `it was assigned ${manifest.assignmentGeneration} times, meta/cluster knows of ${now}`,
        );
      }
    }
    return true;
  }

  /** Follows the groups' runs, oldest first, session by session; and checks every session there is. */
  async #checkTails(groups: readonly GroupCheck[], survey: Survey): Promise<void> {
    let pending = groups.map((group) => ({ group, next: 0 }));
    const { cluster, findings } = this.#context;
    const sessions = new Set([...survey.sessions.keys(), ...(cluster.state?.applied.keys() ?? [])]);
    for (let isFirstRound = true; isFirstRound || pending.length > 0; isFirstRound = false) {
      const runs = new Map<string, RunCheck[]>();
      const checks = new Map<GroupCheck, RunCheck>();
      for (const { group, next } of pending) {
        const run = group.manifest.runs[next];
        if (run === undefined) continue;
        const check = new RunCheck(group, run, this.#context);
        checks.set(group, check);
        const ofSession = runs.get(run.sid);
        if (ofSession === undefined) runs.set(run.sid, [check]);
        else ofSession.push(check);
      }
      const sids = new Set([...runs.keys(), ...(isFirstRound ? sessions : [])]);
      this.#progress(`walking the slots of ${sids.size} sessions`);
      await forEachLimited(sids, sessionsAtATime, async (sid) => {
        const memory = this.#sessions.get(sid) ?? { isChecked: false, checkpointed: 0 };
        this.#sessions.set(sid, memory);
        await checkSession({ sid, runs: runs.get(sid) ?? [], unborn: this.#unborn, memory }, this.#context);
      });
      const after: { group: GroupCheck; next: number }[] = [];
      await forEachLimited(pending, groupsAtATime, async ({ group, next }) => {
        if (checks.get(group)?.state !== 'outdated') {
          if (next + 1 < group.manifest.runs.length) after.push({ group, next: next + 1 });
          else group.release();
        } else if (++group.restarts > maxRestarts) {
          findings.add(
            'MOVING',
            manifestKey(group.id),
            `it was replaced ${group.restarts} times while its newest records were being followed`,
          );
          group.release();
        } else if (await this.#catchUp(group)) {
          after.push({ group, next: 0 });
        }
      });
      pending = after;
    }
  }

  /** Follows the group's newer manifest up to where its WAL begins. False: there is nothing more to follow. */
  async #catchUp(group: GroupCheck): Promise<boolean> {
    const { findings } = this.#context;
    const found = await group.refresh();
    if (found.kind === 'damaged') reportDamage(findings, manifestKey(group.id), found.error);
    if (found.kind !== 'found') return false;
    await group.checkSegments(() => undefined);
    return group.manifest.runs.length > 0;
  }
}
