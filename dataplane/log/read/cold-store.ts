import type { ObjectStore } from '../../store/object-store.ts';
import { crc32c } from '../../store/crc32c.ts';
import type { BlockEntry } from '../format/container.ts';
import { decodeContainer } from '../format/container.ts';
import { corruptAdvice, LogFormatError } from '../format/errors.ts';
import { slotKey } from '../format/keys.ts';
import type { LogOptions } from '../options.ts';
import type { SlotContent } from '../wal-reader.ts';
import { WalReader } from '../wal-reader.ts';
import { FetchGate } from './fetch-gate.ts';
import { LoadingCache } from './loading-cache.ts';
import type { Lifetime } from './loading-cache.ts';
import { RecordBytes, RecordMemory } from './record-memory.ts';
import { SegmentDirectory } from './segment-directory.ts';
import type { SegmentIndex } from './segment-index.ts';
import { SequentialReads } from './sequential-reads.ts';
import { VerifiedGet, verifiedTwice } from './verified-get.ts';

export type ColdStoreOptions = Pick<LogOptions, 'coldCacheBytes' | 'readChunkBytes' | 'readAheadBytes'>;

export type DataSlot = Extract<SlotContent, { kind: 'data' }>;

/**
 * What all readers of a process share: GETs under way, and what they brought. At most `coldCacheBytes` of record bytes are
 * kept and half as much is under way, or free memory for what comes next; indexes of segments, indexes of slots and pages
 * each add at most a sixteenth.
 *
 * Bytes are handed out as views. A view keeps the whole chunk it lies in alive: copy what is to be kept for long.
 */
export class ColdStore {
  readonly options: ColdStoreOptions;
  readonly gate: FetchGate;
  readonly memory: RecordMemory;
  readonly verified: VerifiedGet;
  /** Record bytes, verified: chunks of segments, blocks of slots, whole slots. */
  readonly chunks: LoadingCache<RecordBytes | 'gone'>;
  readonly indexes: LoadingCache<SegmentIndex | 'gone'>;
  readonly directory: SegmentDirectory;
  readonly sequential: SequentialReads;
  readonly #slots: LoadingCache<SlotContent>;
  readonly #wal: WalReader;

  constructor(store: ObjectStore, options: ColdStoreOptions) {
    this.options = options;
    this.gate = new FetchGate(options.coldCacheBytes / 2);
    this.memory = new RecordMemory({
      limitBytes: options.coldCacheBytes / 2,
      leastBytes: options.readChunkBytes / 16,
      underWayBytes: () => this.gate.insideBytes,
    });
    this.verified = new VerifiedGet(store, this.gate, this.memory);
    this.chunks = new LoadingCache(options.coldCacheBytes, recordLifetime);
    this.indexes = new LoadingCache(options.coldCacheBytes / 16);
    this.directory = new SegmentDirectory(this.verified, options.coldCacheBytes / 16);
    this.sequential = new SequentialReads(options.readAheadBytes);
    this.#slots = new LoadingCache(options.coldCacheBytes / 16);
    this.#wal = new WalReader(store);
  }

  /**
   * Index of a WAL slot of any session. Only what can never change is kept: not that a slot is absent.
   *
   * @param how 'whole': the slot's bytes come along in the same GET and are kept, for readers that want most of them
   */
  async slot(sid: string, slot: number, how: SlotGet, signal: AbortSignal | undefined): Promise<SlotContent> {
    return await this.#slots.get(
      slotKey(sid, slot),
      (signal) => this.#loadSlot(sid, slot, how, signal),
      signal,
    );
  }

  /** Begins to read a slot that will be asked for soon; it should exist. */
  slotAhead(sid: string, slot: number, how: SlotGet): void {
    this.#slots.ahead(slotKey(sid, slot), slotAheadBytes, (signal) => this.#loadSlot(sid, slot, how, signal));
  }

  /** The index of a slot, if it is in memory. */
  keptSlot(sid: string, slot: number): DataSlot | undefined {
    const content = this.#slots.peek(slotKey(sid, slot));
    return content?.kind === 'data' ? content : undefined;
  }

  async #loadSlot(
    sid: string,
    slot: number,
    how: SlotGet,
    signal: AbortSignal,
  ): Promise<{ value: SlotContent; keepBytes?: number }> {
    const value =
      how === 'index'
        ? await verifiedTwice(() => this.#wal.readSlot(sid, slot, signal), this.verified.counters)
        : await this.#wholeSlot(sid, slot, signal);
    if (value.kind !== 'data') return { value };
    const batches = value.index.reduce((sum, block) => sum + block.batches.length, 0);
    return { value, keepBytes: 500 + value.index.length * 300 + batches * 150 };
  }

  async #wholeSlot(sid: string, slot: number, signal: AbortSignal): Promise<SlotContent> {
    const key = slotKey(sid, slot);
    // Its size is not known before; most slots are smaller than a chunk.
    const found = await this.verified.get(
      key,
      undefined,
      this.options.readChunkBytes,
      ({ body }) => {
        const decoded = decodeContainer(body, key, { verifyBlocks: true });
        const { header } = decoded;
        if (header.sid !== sid || header.slot !== slot || header.kind === 'segment') {
          const what = `${header.kind} ${header.slot} of session ${header.sid}`;
          throw new LogFormatError('INVALID', key, `it holds ${what}: ${corruptAdvice}`);
        }
        return { body, decoded };
      },
      signal,
    );
    if (found === 'gone') return { kind: 'absent' };
    const { footer, index } = found.decoded;
    if (footer.kind !== 'data') return { kind: 'ended' };
    this.chunks.put(wholeSlot(key), new RecordBytes(found.body), found.body.length);
    return {
      kind: 'data',
      slot,
      timeMs: footer.writerTimeMs,
      lastCheckpointSlot: footer.lastCheckpointSlot,
      footerHash: footer.footerHash,
      previousFooterHash: footer.previousFooterHash,
      index,
    };
  }

  /** The bytes of one block of a slot, held for the caller. */
  async slotBlock(
    sid: string,
    slot: number,
    entry: BlockEntry,
    signal: AbortSignal | undefined,
  ): Promise<RecordBytes | 'gone'> {
    const key = slotKey(sid, slot);
    const whole = this.chunks.peek(wholeSlot(key));
    // Not released: it has memory of its own, which the view keeps alive.
    if (whole !== undefined && whole !== 'gone') {
      return new RecordBytes(whole.bytes.subarray(entry.position, entry.position + entry.sizeBytes));
    }
    return await this.chunks.get(chunkName(key, entry.position), this.#blockLoad(key, entry), signal);
  }

  slotBlockAhead(sid: string, slot: number, entry: BlockEntry): void {
    const key = slotKey(sid, slot);
    if (this.chunks.has(wholeSlot(key)) || !this.gate.hasRoom(entry.sizeBytes)) return;
    this.chunks.ahead(chunkName(key, entry.position), entry.sizeBytes, this.#blockLoad(key, entry));
  }

  #blockLoad(key: string, entry: BlockEntry): (signal: AbortSignal) => Promise<LoadedBytes> {
    return async (signal) => {
      const { position, sizeBytes, baseOffset, topicId, partition } = entry;
      const verify = (bytes: Uint8Array): void => {
        if (crc32c(bytes) === entry.crc32c) return;
        throw new LogFormatError(
          'CHECKSUM',
          key,
          `the CRC of the block of ${topicId}-${partition} at byte ${position} (from offset ${baseOffset} on) does ` +
            `not match: ${corruptAdvice}`,
        );
      };
      return loadedBytes(await this.verified.getSpan(key, position, position + sizeBytes, verify, signal));
    };
  }
}

export type SlotGet = 'index' | 'whole';

export interface LoadedBytes {
  readonly value: RecordBytes | 'gone';
  readonly keepBytes: number | undefined;
}

export function loadedBytes(value: RecordBytes | 'gone'): LoadedBytes {
  return { value, keepBytes: value === 'gone' ? undefined : value.memoryBytes };
}

const recordLifetime: Lifetime<RecordBytes | 'gone'> = {
  hold(value) {
    if (value !== 'gone') value.hold();
  },
  release(value) {
    if (value !== 'gone') value.release();
  },
};

/** Under which name the bytes of `key` from `start` on are kept. */
export function chunkName(key: string, start: number): string {
  return `${key}#${start}`;
}

function wholeSlot(key: string): string {
  return `${key}#whole`;
}

/** What an index that is read ahead of need counts as; most are smaller. */
const slotAheadBytes = 64 * 1024;
