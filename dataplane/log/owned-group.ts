import type { Runtime } from '../runtime/runtime.ts';
import { compareAndSwap } from '../store/compare-and-swap.ts';
import type { SwapResult } from '../store/compare-and-swap.ts';
import type { ETag, ObjectStore } from '../store/object-store.ts';
import { DiscardedObjects } from './discarded-objects.ts';
import type { LogError } from './errors.ts';
import { invariant } from './errors.ts';
import type { Manifest, PartitionManifest } from './format/manifest.ts';
import { checkSuccessor, decodeManifest, encodeManifest } from './format/manifest.ts';
import { manifestKey } from './format/keys.ts';
import type { OwnedPartition } from './owned-partition.ts';
import { PageIndex } from './page-index.ts';
import type { WalSession } from './session.ts';

export type GroupPhase =
  /** Appends and reads are served. */
  | 'serving'
  /** On its way to another broker: appends wait, reads are served. */
  | 'releasing'
  /** No longer ours. */
  | 'gone';

/**
 * A partition group this session owns: its manifest as last written by us, and its partitions.
 *
 * Atomicity of the manifest: only its owner changes it, by CAS on the ETag of the version before, one change at a time.
 * Losing a CAS therefore means that another session took the group over after fencing ours: the whole session dies. It
 * must not go on without this group: its trim would pass over slots that the new owner still needs (log.md P3).
 */
export class OwnedGroup {
  readonly id: string;
  readonly session: WalSession;
  readonly partitions: ReadonlyMap<number, OwnedPartition>;
  phase: GroupPhase = 'serving';
  /** By this owner. */
  appendedBytes = 0;
  readonly pages: PageIndex;
  readonly discarded: DiscardedObjects;
  /** Whether what earlier owners left behind has been looked for. */
  isCleanedUp = false;
  readonly #store: ObjectStore;
  readonly #runtime: Runtime;
  readonly #formatVersion: () => number;
  #manifest: Manifest;
  #etag: ETag;
  /** Changes and flushes run one after another. */
  #turn: Promise<unknown> = Promise.resolve();

  constructor(environment: {
    readonly store: ObjectStore;
    readonly runtime: Runtime;
    readonly session: WalSession;
    readonly formatVersion: () => number;
    readonly manifest: Manifest;
    readonly etag: ETag;
    readonly partitions: ReadonlyMap<number, OwnedPartition>;
  }) {
    this.#store = environment.store;
    this.#runtime = environment.runtime;
    this.session = environment.session;
    this.#formatVersion = environment.formatVersion;
    this.#manifest = environment.manifest;
    this.#etag = environment.etag;
    this.partitions = environment.partitions;
    this.id = environment.manifest.group;
    this.pages = new PageIndex(environment.manifest.partitionCount);
    this.discarded = new DiscardedObjects(environment.store);
  }

  get manifest(): Manifest {
    return this.#manifest;
  }

  /** Runs `work` when everything queued before it has ended. All that changes the manifest goes through here. */
  exclusive<T>(work: () => Promise<T>): Promise<T> {
    const run = this.#turn.then(() => {
      if (this.phase === 'gone' || !this.session.live) throw this.session.deathReason;
      return work();
    });
    this.#turn = run.catch(() => undefined);
    return run;
  }

  /**
   * Read confirmation (log.md P6) for this group: at some moment after the call it was still ours. A session that has not
   * been fenced is not enough while a release is under way: it may have landed, and the next owner acknowledged more,
   * before we are told. Rejects when the session dies or the group is gone.
   */
  async confirm(): Promise<void> {
    await this.session.confirm();
    if (this.phase !== 'serving') await this.exclusive(() => Promise.resolve());
  }

  /**
   * Writes the next version of the manifest; call inside {@link exclusive}. Rejects, with the session dead, when the
   * group has been taken over.
   */
  async write(next: Manifest): Promise<void> {
    const lost = await this.tryWrite(next);
    if (lost === undefined) return;
    this.session.die(`group ${this.id} was taken over by ${describeOwner(lost.current)}`);
    throw this.session.deathReason;
  }

  /** As {@link write}, but leaves it to the caller what a lost CAS means. */
  async tryWrite(next: Manifest): Promise<{ readonly current: Manifest | undefined } | undefined> {
    const problem = checkSuccessor(this.#manifest, next);
    invariant(problem === undefined, `manifest of ${this.id}: ${problem ?? ''}`);
    const key = manifestKey(this.id);
    const bytes = encodeManifest(next, this.#formatVersion());
    let result: SwapResult;
    try {
      result = await compareAndSwap(this.#store, this.#runtime, {
        key,
        expected: this.#etag,
        bytes,
        id: `${next.writer}/${next.version}`,
        signal: this.session.signal,
        isOurs: (current) => isSameWrite(decodeManifest(current, key), next),
      });
    } catch (error) {
      // The write may still land, and what it names must then exist: going on without knowing is not possible.
      this.session.die(`the manifest of group ${this.id} could not be written`, error);
      throw error;
    }
    if (result.kind === 'lost') {
      return {
        current: result.current === undefined ? undefined : decodeManifest(result.current.bytes, key),
      };
    }
    // An earlier attempt of the same write may have landed with other bytes: what stands in the store counts.
    this.#manifest = result.bytes === bytes ? next : decodeManifest(result.bytes, key);
    this.#etag = result.etag;
    this.pages.keepOnly(this.#manifest);
    return undefined;
  }

  /** The manifest's entry for one of the group's partitions. */
  partitionManifest(partition: number): PartitionManifest {
    const found = partitionOf(this.#manifest, partition);
    invariant(found !== undefined, `partition ${partition} belongs to group ${this.id}`);
    return found;
  }

  /** The first slot of our session that holds a block which no segment has yet; `undefined`: none does. */
  firstUnflushedSlot(): number | undefined {
    let first: number | undefined;
    for (const partition of this.partitions.values()) {
      const block = partition.tail.find(
        (candidate) => !candidate.flushed && candidate.sid === this.session.sid,
      );
      if (block !== undefined && (first === undefined || block.slot < first)) first = block.slot;
    }
    return first;
  }

  unflushedBytes(): number {
    let sum = 0;
    for (const partition of this.partitions.values()) {
      for (const block of partition.tail) if (!block.flushed) sum += block.entry.sizeBytes;
    }
    return sum;
  }

  /** Takes the group out of service; everything that waits fails with `error`. */
  abandon(error: LogError): void {
    this.phase = 'gone';
    for (const partition of this.partitions.values()) partition.fail(error);
  }
}

/** A session writes each version of a manifest at most once, so version and writer name a write. */
export function isSameWrite(current: Manifest, written: Manifest): boolean {
  return current.version === written.version && current.writer === written.writer;
}

export function partitionOf(manifest: Manifest, partition: number): PartitionManifest | undefined {
  return manifest.partitions[partition - manifest.firstPartition];
}

export function describeOwner(manifest: Manifest | undefined): string {
  if (manifest === undefined) return 'somebody who deleted its manifest';
  const { owner, epoch } = manifest;
  return owner === undefined
    ? `nobody (epoch ${epoch}, ${manifest.state})`
    : `broker ${owner.broker}, session ${owner.sid}, epoch ${epoch}`;
}
