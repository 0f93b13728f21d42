import type { ClusterState } from '../../cluster/cluster-state.ts';
import { decodeClusterState } from '../../cluster/cluster-codec.ts';
import { clusterKey } from '../../cluster/cluster-state.ts';
import { isDeadSid } from '../../cluster/ownership.ts';
import type { VirtualTime } from '../../runtime/virtual-time.ts';
import type { ApplyEvent, RequestEvent } from '../../store/simulated/observation.ts';
import type { SimulatedStore } from '../../store/simulated/simulated-store.ts';
import type { BrokerLog } from '../broker-log.ts';
import type { BlockEntry } from '../format/container.ts';
import {
  parseManifestKey,
  parsePageKey,
  parseSegmentKey,
  parseSlotKey,
  parseSnapshotKey,
  parseTrimKey,
  snapshotKey,
} from '../format/keys.ts';
import { checkSuccessor, decodeManifest } from '../format/manifest.ts';
import type { Manifest, PartitionManifest, SegmentRef } from '../format/manifest.ts';
import type { WalSession } from '../session.ts';
import { PartitionHistory } from './partition-history.ts';
import { RetentionAudit } from './retention-audit.ts';
import { StoreView } from './store-view.ts';
import type { Invariant } from './violation.ts';
import { InvariantViolation } from './violation.ts';

/**
 * The invariants of log.md 2.13, checked from outside at every instant at which the store changes, and at the clients.
 * Works on the bytes in the store: it shares the codecs with the log and nothing else.
 */
export class LogChecker {
  readonly #time: VirtualTime;
  readonly #store: SimulatedStore;
  readonly #view: StoreView;
  readonly #checkSequences: boolean;
  readonly #histories = new Map<string, PartitionHistory>();
  readonly #manifests = new Map<string, Manifest>();
  /** Groups whose manifest names a session in a run. */
  readonly #groupsOf = new Map<string, Set<string>>();
  readonly #epochOwners = new Map<string, string>();
  readonly #verifiedBlocks = new WeakSet<BlockEntry>();
  /** Slots that their own session has written, perhaps deleted since. */
  readonly #written = new Set<string>();
  readonly #durableEnds = new WeakMap<WalSession, number>();
  /** Sessions that have written END. */
  readonly #ended = new Set<string>();
  readonly #maxUnflushedBytes: number;
  readonly #wallMs: (process: string) => number;
  readonly retention: RetentionAudit;
  #cluster: ClusterState | undefined;

  constructor(
    time: VirtualTime,
    store: SimulatedStore,
    options: {
      readonly checkSequences: boolean;
      readonly clocksCanBeTrusted: boolean;
      readonly maxUnflushedBytes: number;
      /** What the clock of a process says. */
      readonly wallMs: (process: string) => number;
    },
  ) {
    this.#time = time;
    this.#store = store;
    this.#view = new StoreView(store);
    this.#checkSequences = options.checkSequences;
    this.#maxUnflushedBytes = options.maxUnflushedBytes;
    this.#wallMs = options.wallMs;
    this.retention = new RetentionAudit(options.clocksCanBeTrusted);
    store.onApply((event) => {
      this.#guard(() => {
        this.#applied(event);
      });
    });
    store.onRequest((event) => {
      this.#guard(() => {
        this.#sent(event);
      });
    });
  }

  get cluster(): ClusterState | undefined {
    return this.#cluster;
  }

  get histories(): Iterable<PartitionHistory> {
    return this.#histories.values();
  }

  history(topicId: string, partition: number): PartitionHistory {
    const name = `${topicId}/${partition}`;
    let history = this.#histories.get(name);
    if (history === undefined) {
      history = new PartitionHistory(name, this.#checkSequences);
      this.#histories.set(name, history);
    }
    return history;
  }

  /** The session that owns a group as of its manifest. */
  ownerOf(group: string): string | undefined {
    return this.#manifests.get(group)?.owner?.sid;
  }

  logStart(topicId: string, partition: number): number {
    for (const manifest of this.#manifests.values()) {
      if (manifest.topicId !== topicId) continue;
      const found = manifest.partitions[partition - manifest.firstPartition];
      if (found !== undefined) return found.logStart;
    }
    return 0;
  }

  /** The newest segments of a partition, as its manifest's root lists them; `undefined` when older ones are on pages. */
  segmentsFrom(topicId: string, partition: number): readonly SegmentRef[] | undefined {
    for (const manifest of this.#manifests.values()) {
      if (manifest.topicId !== topicId) continue;
      const found = manifest.partitions[partition - manifest.firstPartition];
      if (found !== undefined) return found.pages.length === 0 ? found.segments : undefined;
    }
    return undefined;
  }

  violation(invariant: Invariant, what: string): void {
    this.#time.fail(new InvariantViolation(invariant, what));
  }

  /** A client was told that its batch is durable at `baseOffset` (invariants 1, 9). */
  acknowledged(
    topicId: string,
    partition: number,
    baseOffset: number,
    lastOffset: number,
    crc: number,
  ): void {
    const history = this.history(topicId, partition);
    const seen = history.at(baseOffset);
    if (seen?.crc !== crc || seen.lastOffset !== lastOffset) {
      this.violation(
        'durability',
        `${history.name}: acknowledged at offset ${baseOffset}, but ${seen === undefined ? 'nothing' : 'another batch'} is there`,
      );
      return;
    }
    history.ackedEnd = Math.max(history.ackedEnd, lastOffset + 1);
  }

  /** Invariants 5 and 6, as far as a broker's own belief goes: every slot it holds for durable was written by itself. */
  brokerStep(log: BrokerLog): void {
    const { usedBytes } = log.budget;
    if (usedBytes < 0 || usedBytes > this.#maxUnflushedBytes)
      this.violation(
        'back-pressure',
        `session ${log.sid ?? 'none'} holds ${usedBytes} bytes, allowed are ${this.#maxUnflushedBytes}`,
      );
    const session = log.log?.session;
    if (session?.live !== true) return;
    const before = this.#durableEnds.get(session) ?? 0;
    const end = session.durableEnd;
    if (end === before) return;
    this.#durableEnds.set(session, end);
    for (let slot = before; slot < end; slot++) {
      if (!this.#written.has(`${session.sid}/${slot}`)) {
        this.violation(
          'prefix ack',
          `session ${session.sid} holds slot ${slot} for durable, but never wrote it`,
        );
      }
    }
  }

  #guard(check: () => void): void {
    try {
      check();
    } catch (error) {
      this.#time.fail(error);
    }
  }

  #sent(event: RequestEvent): void {
    if (event.operation !== 'put' || event.id?.startsWith('fence/') !== true) return;
    const sid = parseSlotKey(event.key)?.sid;
    if (sid !== undefined && this.#cluster !== undefined && !isDeadSid(this.#cluster, sid)) {
      this.violation('no needless death', `a fence is sent into session ${sid}, which is not dead`);
    }
  }

  #applied(event: ApplyEvent): void {
    if (event.result !== 'written' && event.result !== 'deleted') return;
    const { key } = event;
    if (key === clusterKey) {
      const object = this.#store.peek(key);
      if (object !== undefined) this.#cluster = decodeClusterState(object.bytes, key);
      return;
    }
    const manifest = parseManifestKey(key);
    if (manifest !== undefined) {
      this.#manifestWritten(manifest.group, event);
      return;
    }
    const slot = parseSlotKey(key);
    if (slot !== undefined && event.result === 'written' && event.id?.startsWith(`${slot.sid}/`) === true) {
      this.#written.add(`${slot.sid}/${slot.slot}`);
      if (this.#view.slot(slot.sid, slot.slot)?.kind === 'ended') this.#sessionEnded(slot.sid);
    }
    const sid = slot?.sid ?? parseTrimKey(key)?.sid;
    if (sid !== undefined) {
      for (const group of this.#groupsOf.get(sid) ?? []) this.#checkGroup(group, 'slots');
      return;
    }
    const owned = parseSegmentKey(key) ?? parsePageKey(key) ?? parseSnapshotKey(key);
    if (owned !== undefined && event.result === 'deleted') this.#checkGroup(owned.group, 'all');
  }

  #sessionEnded(sid: string): void {
    this.#ended.add(sid);
    for (const manifest of this.#manifests.values()) this.#checkEnded(manifest);
  }

  #checkEnded({ group, owner, runs, state }: Manifest): void {
    // A tombstone names who made it.
    if (state === 'deleted') return;
    const sid = [owner?.sid, ...runs.map((run) => run.sid)].find(
      (candidate) => candidate !== undefined && this.#ended.has(candidate),
    );
    if (sid !== undefined)
      this.violation('planned leave', `session ${sid} has written END, and ${group} still needs it`);
  }

  #manifestWritten(group: string, event: ApplyEvent): void {
    const object = this.#store.peek(event.key);
    const before = this.#manifests.get(group);
    if (object === undefined) {
      this.violation('monotone manifest', `the manifest of ${group} was deleted`);
      return;
    }
    const after = decodeManifest(object.bytes, event.key);
    if (before !== undefined) {
      const problem = checkSuccessor(before, after);
      if (problem !== undefined) this.violation('monotone manifest', `manifest of ${group}: ${problem}`);
      for (const run of before.runs) this.#groupsOf.get(run.sid)?.delete(group);
    }
    for (const run of after.runs) {
      const groups = this.#groupsOf.get(run.sid);
      if (groups === undefined) this.#groupsOf.set(run.sid, new Set([group]));
      else groups.add(group);
    }
    if (after.owner !== undefined) {
      const name = `${group}/${after.epoch}`;
      const owner = this.#epochOwners.get(name);
      if (owner !== undefined && owner !== after.owner.sid)
        this.violation('one writer per epoch', `epoch ${after.epoch} of ${group} has two owners`);
      this.#epochOwners.set(name, after.owner.sid);
    }
    this.#manifests.set(group, after);
    this.#checkEnded(after);
    this.#checkGroup(group, 'all');
    if (before !== undefined && after.state !== 'deleted') this.#checkLogStarts(before, after, event.process);
    for (const partition of after.partitions) {
      const sum = this.history(after.topicId, partition.partition).sumBelow(partition.segmentEnd);
      if (sum !== partition.appended)
        this.violation(
          'conservation',
          `partition ${partition.partition} of ${group}: what is said to be appended is not what was`,
        );
    }
  }

  #checkLogStarts(before: Manifest, after: Manifest, process: string): void {
    for (const [index, { partition, logStart }] of after.partitions.entries()) {
      const start = before.partitions[index]?.logStart ?? 0;
      if (logStart === start) continue;
      const history = this.history(after.topicId, partition);
      const problem = this.retention.problem(
        history,
        after,
        start,
        logStart,
        this.#cluster,
        this.#wallMs(process),
      );
      if (problem !== undefined) this.violation('retention', `${history.name}: ${problem}`);
    }
  }

  /** Invariants 1, 2, 3, 4, 6 and 7 for every partition of the group, on what the store holds now. */
  #checkGroup(group: string, what: 'all' | 'slots'): void {
    const manifest = this.#manifests.get(group);
    if (manifest === undefined || manifest.state === 'deleted') return;
    if (
      manifest.snapshot !== undefined &&
      this.#store.peek(snapshotKey(group, manifest.snapshot.object)) === undefined
    ) {
      this.violation(
        'reference safety',
        `snapshot ${manifest.snapshot.object} of ${group} is referenced and does not exist`,
      );
    }
    const ends = new Map<string, number>();
    for (const partition of manifest.partitions) {
      // Segments and pages are immutable: they can only be deleted, or others be named.
      if (what === 'all') this.#checkSegments(manifest, partition);
      ends.set(`${manifest.topicId}/${partition.partition}`, partition.segmentEnd);
    }
    for (const run of manifest.runs) {
      const start = Math.max(run.from, run.flushedTo, this.#view.trim(run.sid));
      for (let slot = start; run.to === undefined || slot < run.to; slot++) {
        const view = this.#view.slot(run.sid, slot);
        if (view?.kind !== 'data') {
          if (run.to !== undefined)
            this.violation(
              'reference safety',
              `${group}: slot ${slot} of session ${run.sid} is ${view === undefined ? 'missing' : 'a fence'} in a closed run to ${run.to}`,
            );
          break;
        }
        for (const [name, end] of ends) {
          for (const block of view.blocks.get(name) ?? []) {
            if (block.baseOffset !== (ends.get(name) ?? end)) {
              this.violation(
                'dense',
                `${name}: slot ${slot} of ${run.sid} continues at ${block.baseOffset}, expected ${ends.get(name) ?? end}`,
              );
              return;
            }
            this.#seeBlock(block, group, run.sid);
            ends.set(name, block.lastOffset + 1);
          }
        }
      }
    }
    for (const [name, end] of ends) {
      const history = this.#histories.get(name);
      if (history !== undefined && end < history.end) {
        if (end < history.ackedEnd)
          this.violation(
            'durability',
            `${name}: acknowledged records from ${end} to ${history.ackedEnd} are lost`,
          );
        else
          this.violation(
            'immutability',
            `${name}: records that were visible up to ${history.end} are gone from ${end} on`,
          );
      }
    }
  }

  #checkSegments(manifest: Manifest, partition: PartitionManifest): void {
    const name = `${manifest.topicId}/${partition.partition}`;
    let expected: number | undefined;
    const refs: SegmentRef[] = [];
    for (const page of partition.pages) {
      const listed = this.#view.page(manifest.group, page.object);
      if (listed === undefined)
        this.violation(
          'reference safety',
          `page ${page.object} of ${manifest.group} is referenced and does not exist`,
        );
      else refs.push(...listed);
    }
    refs.push(...partition.segments);
    for (const ref of refs) {
      if (expected !== undefined && ref.baseOffset !== expected)
        this.violation('dense', `${name}: segments leave a gap at ${expected}`);
      expected = ref.endOffset;
      const blocks = this.#view.segment(manifest.group, ref.object);
      const block = blocks?.find(
        (candidate) => candidate.partition === partition.partition && candidate.baseOffset === ref.baseOffset,
      );
      if (block === undefined || block.lastOffset + 1 !== ref.endOffset || block.position !== ref.position) {
        this.violation(
          'reference safety',
          `${name}: segment ${ref.object} is referenced for offsets ${ref.baseOffset} to ${ref.endOffset} and ${blocks === undefined ? 'does not exist' : 'holds something else'}`,
        );
        return;
      }
      this.#seeBlock(block, manifest.group, undefined);
    }
    if (refs.length > 0 && expected !== partition.segmentEnd)
      this.violation(
        'dense',
        `${name}: segments end at ${expected ?? 0}, the manifest says ${partition.segmentEnd}`,
      );
    const first = refs[0]?.baseOffset ?? partition.segmentEnd;
    if (first > partition.logStart && partition.logStart < partition.segmentEnd)
      this.violation(
        'durability',
        `${name}: the log starts at ${partition.logStart}, its first segment at ${first}`,
      );
  }

  #seeBlock(block: BlockEntry, group: string, writer: string | undefined): void {
    if (this.#verifiedBlocks.has(block)) return;
    const history = this.history(block.topicId, block.partition);
    for (const batch of block.batches) {
      const problem = history.see(batch, block.leaderEpoch);
      if (problem !== undefined) {
        this.violation(problem.invariant, problem.what);
        return;
      }
    }
    const owner = this.#epochOwners.get(`${group}/${block.leaderEpoch}`);
    if (writer !== undefined && owner !== writer)
      this.violation(
        'one writer per epoch',
        `${history.name}: a batch of epoch ${block.leaderEpoch} was written by session ${writer}, the owner was ${owner ?? 'nobody'}`,
      );
    this.#verifiedBlocks.add(block);
  }
}
