import type { DecodedContainer } from '../format/container.ts';
import { manifestKey, pageObjectKey, parseKey, segmentKey } from '../format/keys.ts';
import { decodeManifest, decodePage } from '../format/manifest.ts';
import type { Manifest, PageRef, SegmentRef } from '../format/manifest.ts';
import { inOrder } from '../../runtime/concurrency.ts';
import { misplacedContainer, readContainer } from './container-reader.ts';
import { reportDamage } from './damage.ts';
import { checkBytes } from './deep-check.ts';
import type { Read } from './object-reader.ts';
import { PartitionChain } from './partition-chain.ts';
import { pageProblem, segmentProblem } from './reference-check.ts';
import { segmentsInOrder } from './segment-order.ts';
import type { SegmentTask } from './segment-order.ts';
import type { VerifyContext } from './verify-context.ts';

/** Segment indexes of one group that are read ahead of their check. */
const readAhead = 8;

/**
 * One partition group: its manifest as last read, and its partitions' logs as far as they were followed. On a live cluster
 * the manifest moves on while it is being checked. Nothing that rests on an outdated one is reported: before anything
 * is said to be missing or wrong, the manifest is read again. The check then goes on from where it was.
 */
export class GroupCheck {
  readonly id: string;
  readonly #context: VerifyContext;
  readonly #chains = new Map<number, PartitionChain>();
  /** Whose segments an epoch's are. */
  readonly #writers = new Map<number, string>();
  #manifest: Manifest | undefined;
  /** Offset at which each partition's next block in the WAL must begin; absent: not known. */
  readonly #tailEnds = new Map<number, number>();
  /** A run of the present manifest of which the session's owner has given up the first slots. */
  trimmed: { readonly sid: string; readonly trim: number; readonly from: number } | undefined;
  /** How often it had to be begun again because it had changed. */
  restarts = 0;

  constructor(id: string, context: VerifyContext) {
    this.id = id;
    this.#context = context;
  }

  /** Only once {@link refresh} has found one. */
  get manifest(): Manifest {
    if (this.#manifest === undefined) throw new Error(`the manifest of ${this.id} has not been read`);
    return this.#manifest;
  }

  /** Reads the manifest anew and makes it the one that counts. */
  async refresh(): Promise<Read<Manifest>> {
    const found = await this.#readManifest();
    if (found.kind !== 'found') return found;
    this.#manifest = found.value;
    this.trimmed = undefined;
    this.#tailEnds.clear();
    for (const { partition, segmentEnd } of found.value.partitions) this.#tailEnds.set(partition, segmentEnd);
    return found;
  }

  /** Whether the manifest in the store is not the one that counts here any more. */
  async hasChanged(): Promise<boolean> {
    const found = await this.#readManifest();
    const changed = found.kind !== 'found' || found.value.version !== this.manifest.version;
    if (changed) this.#context.counters.rereads += 1;
    return changed;
  }

  async #readManifest(): Promise<Read<Manifest>> {
    const key = manifestKey(this.id);
    return await this.#context.reader.read(key, ({ bytes }) => decodeManifest(bytes, key));
  }

  chain(partition: number): PartitionChain {
    let chain = this.#chains.get(partition);
    if (chain === undefined) {
      const entry = this.manifest.partitions[partition - this.manifest.firstPartition];
      const start = entry?.pages[0]?.baseOffset ?? entry?.segments[0]?.baseOffset ?? entry?.logStart ?? 0;
      chain = new PartitionChain(partition, start, this.#context.producerBudget);
      this.#chains.set(partition, chain);
    }
    return chain;
  }

  /** Lets go of what was remembered: nothing more will be checked. */
  release(): void {
    for (const { producers } of this.#chains.values()) producers.forget();
    this.#chains.clear();
  }

  tailEnd(partition: number): number | undefined {
    return this.#tailEnds.get(partition);
  }

  setTailEnd(partition: number, offset: number): void {
    this.#tailEnds.set(partition, offset);
  }

  /** A slot could not be read: what comes next in which partition is not known. */
  loseTail(): void {
    this.#tailEnds.clear();
  }

  /** Checks all segments and pages that the manifest reaches and that were not checked before. */
  async checkSegments(onObject: (kind: 'segment' | 'page', object: string) => void): Promise<void> {
    const { manifest } = this;
    for (const { pages } of manifest.partitions) for (const { object } of pages) onObject('page', object);
    const tasks = segmentsInOrder(
      manifest,
      (partition) => this.chain(partition).end,
      (partition, page) => this.#readPage(partition, page),
    );
    const read = async (task: SegmentTask): Promise<[SegmentTask, Read<DecodedContainer>]> => {
      onObject('segment', task.object);
      return [task, await readContainer(this.#context.reader, segmentKey(this.id, task.object))];
    };
    for await (const [task, found] of inOrder(tasks, readAhead, read)) await this.#checkSegment(task, found);
    for (const { partition, segmentEnd } of manifest.partitions) this.chain(partition).skipTo(segmentEnd);
  }

  async #readPage(partition: number, page: PageRef): Promise<readonly SegmentRef[] | undefined> {
    const { reader, findings } = this.#context;
    const key = pageObjectKey(this.id, page.object);
    const found = await reader.read(key, ({ bytes }) => decodePage(bytes, key));
    const which = `offsets ${page.baseOffset} to ${page.endOffset - 1} of partition ${partition}`;
    if (found.kind === 'absent') {
      if (
        await this.#isNamed(partition, (entry) => entry.pages.some(({ object }) => object === page.object))
      ) {
        findings.add(
          'PAGE_MISSING',
          key,
          `this page with the ${page.count} segments of ${which} does not exist`,
        );
      }
      return undefined;
    }
    if (found.kind === 'damaged') {
      reportDamage(findings, key, found.error);
      return undefined;
    }
    const problem = pageProblem(found.value, page);
    if (problem === undefined) return found.value;
    findings.add('PAGE_MISMATCH', key, `its manifest names it for ${which}, but ${problem}`);
    return undefined;
  }

  async #checkSegment({ object, refs }: SegmentTask, found: Read<DecodedContainer>): Promise<void> {
    const { findings, counters, deep } = this.#context;
    const key = segmentKey(this.id, object);
    if (found.kind === 'absent') {
      for (const { partition, ref } of refs) {
        const which = `offsets ${ref.baseOffset} to ${ref.endOffset - 1} of partition ${partition}`;
        if (await this.#namesSegment(partition, ref))
          findings.add('SEGMENT_MISSING', key, `this segment with ${which} does not exist`);
      }
      return;
    }
    if (found.kind === 'damaged') {
      reportDamage(findings, key, found.error);
      return;
    }
    counters.segments += 1;
    const { value } = found;
    const place = parseKey(key);
    const misplaced = place?.kind === 'segment' ? misplacedContainer(value, place) : 'something else';
    if (misplaced !== undefined) {
      findings.add('WRONG_PLACE', key, `it holds ${misplaced}, not the segment of its name`);
      return;
    }
    this.#checkWriter(object, value, key);
    for (const { partition, ref } of refs) this.#checkBlock(partition, ref, value, key);
    if (deep) await checkBytes(this.#context, key, value);
  }

  #checkWriter(object: string, { header }: DecodedContainer, key: string): void {
    const epoch = Number(object.split('-')[0]);
    const writer = this.#writers.get(epoch);
    if (writer === undefined) this.#writers.set(epoch, header.sid);
    else if (writer !== header.sid) {
      const what = `it was written in epoch ${epoch} by session ${header.sid}, another segment of that epoch by ${writer}`;
      this.#context.findings.add('EPOCH_WRONG', key, what);
    }
  }

  #checkBlock(partition: number, ref: SegmentRef, value: DecodedContainer, key: string): void {
    const { findings, counters } = this.#context;
    const { topicId, partitions, firstPartition } = this.manifest;
    const block = value.index.find(({ position }) => position === ref.position);
    const problem = segmentProblem(block, ref, { topicId, partition });
    if (problem !== undefined || block === undefined) {
      findings.add('SEGMENT_MISMATCH', key, problem ?? 'it holds no such block');
      return;
    }
    const flushedIn = Number(ref.object.split('-')[0]);
    const epochs = partitions[partition - firstPartition]?.epochs ?? [];
    const epoch = epochs.findLast(({ startOffset }) => startOffset <= block.lastOffset)?.epoch;
    if (epoch !== undefined && epoch !== block.leaderEpoch) {
      const what = `offset ${block.lastOffset} of partition ${partition} has leader epoch ${block.leaderEpoch}, the manifest says ${epoch}`;
      findings.add('EPOCH_WRONG', key, what);
    } else if (block.leaderEpoch > flushedIn) {
      findings.add(
        'EPOCH_WRONG',
        key,
        `a segment of epoch ${flushedIn} holds a block of epoch ${block.leaderEpoch}`,
      );
    }
    const chain = this.chain(partition);
    counters.records += block.recordCount;
    counters.batches += block.batches.length;
    for (const batch of block.batches) {
      const broken = chain.see(batch, block.leaderEpoch);
      if (broken !== undefined) findings.add(broken.code, key, `partition ${partition}: ${broken.what}`);
    }
  }

  /** Whether the manifest in the store, as of now, still names something. */
  async #isNamed(
    partition: number,
    names: (entry: Manifest['partitions'][number]) => boolean,
  ): Promise<boolean> {
    const found = await this.#readManifest();
    if (found.kind !== 'found') return false;
    if (found.value.version !== this.manifest.version) this.#context.counters.rereads += 1;
    const entry = found.value.partitions[partition - found.value.firstPartition];
    return entry !== undefined && names(entry);
  }

  /** As {@link #isNamed}, for a segment: it may have moved from the root to a page. */
  async #namesSegment(partition: number, ref: SegmentRef): Promise<boolean> {
    let page: PageRef | undefined;
    const isRef = ({ object, baseOffset }: SegmentRef): boolean =>
      object === ref.object && baseOffset === ref.baseOffset;
    const inRoot = await this.#isNamed(partition, ({ segments, pages }) => {
      page = pages.find(
        ({ baseOffset, endOffset }) => baseOffset <= ref.baseOffset && ref.baseOffset < endOffset,
      );
      return segments.some(isRef);
    });
    if (inRoot || page === undefined) return inRoot;
    const key = pageObjectKey(this.id, page.object);
    const found = await this.#context.reader.read(key, ({ bytes }) => decodePage(bytes, key));
    return found.kind === 'found' && found.value.some(isRef);
  }
}
