import { StoreError } from '../store/errors.ts';
import type { ByteRange, GetResult, ObjectStore } from '../store/object-store.ts';
import { crc32c } from '../store/crc32c.ts';
import { LogError } from './errors.ts';
import type { BlockEntry } from './format/container.ts';
import { decodeContainerTail } from './format/container.ts';
import { decodeContainerHeader, headerBytes } from './format/container-header.ts';
import { corruptAdvice, LogFormatError } from './format/errors.ts';
import { slotKey } from './format/keys.ts';

/** What a slot of some session holds, as far as its index tells. */
export type SlotContent =
  | {
      readonly kind: 'data';
      readonly slot: number;
      readonly timeMs: number;
      readonly lastCheckpointSlot: number;
      readonly footerHash: string;
      readonly previousFooterHash: string;
      readonly index: readonly BlockEntry[];
    }
  /** FENCE or END: the session's log ends here. */
  | { readonly kind: 'ended' }
  | { readonly kind: 'absent' };

const TAIL_BYTES = 64 * 1024;

/** Reads WAL slots of any session from the store: indexes with one suffix GET each, blocks with one ranged GET each. */
export class WalReader {
  readonly #store: ObjectStore;
  readonly counters = { indexReads: 0, blockReads: 0 };

  constructor(store: ObjectStore) {
    this.#store = store;
  }

  async readSlot(sid: string, slot: number, signal?: AbortSignal): Promise<SlotContent> {
    const key = slotKey(sid, slot);
    let suffix = TAIL_BYTES;
    for (;;) {
      this.counters.indexReads += 1;
      const found = await this.#get(key, { suffix }, signal);
      if (found.kind !== 'found') return { kind: 'absent' };
      const tail = decodeContainerTail(found.body, found.info.sizeBytes, key);
      if (tail.kind === 'incomplete') {
        suffix = tail.needBytes;
        continue;
      }
      const { footer } = tail;
      if (footer.sid !== sid || footer.slot !== slot || footer.kind === 'segment') {
        throw misplaced(key, footer);
      }
      if (footer.kind !== 'data') return { kind: 'ended' };
      return {
        kind: 'data',
        slot,
        timeMs: footer.writerTimeMs,
        lastCheckpointSlot: footer.lastCheckpointSlot,
        footerHash: footer.footerHash,
        previousFooterHash: footer.previousFooterHash,
        index: tail.index,
      };
    }
  }

  /** What a slot holds as far as its header tells; for those who want to know no more. */
  async readKind(sid: string, slot: number, signal?: AbortSignal): Promise<SlotContent['kind']> {
    const key = slotKey(sid, slot);
    const found = await this.#get(key, { start: 0, end: headerBytes }, signal);
    if (found.kind !== 'found') return 'absent';
    const header = decodeContainerHeader(found.body, key);
    if (header.sid !== sid || header.slot !== slot || header.kind === 'segment') throw misplaced(key, header);
    return header.kind === 'data' ? 'data' : 'ended';
  }

  /** The bytes of one block, verified. A slot that is gone is reported as corruption: callers ask for live blocks only. */
  async readBlock(sid: string, slot: number, entry: BlockEntry, signal?: AbortSignal): Promise<Uint8Array> {
    const key = slotKey(sid, slot);
    this.counters.blockReads += 1;
    const range = { start: entry.position, end: entry.position + entry.sizeBytes };
    const found = await this.#get(key, range, signal);
    if (found.kind !== 'found') {
      throw new LogError(
        'CORRUPT_LOG',
        `${key} is missing although records in it are not in segments; run 'firn log verify'`,
      );
    }
    if (found.body.length !== entry.sizeBytes || crc32c(found.body) !== entry.crc32c) {
      throw new LogError(
        'CORRUPT_LOG',
        `${key}: the block at byte ${entry.position} does not match its checksum; run 'firn log verify'`,
      );
    }
    return found.body;
  }

  /** A slot that ends before the range is damaged, not a wrong request. */
  async #get(key: string, range: ByteRange, signal: AbortSignal | undefined): Promise<GetResult<Uint8Array>> {
    try {
      return await this.#store.get(key, { range, signal });
    } catch (error) {
      if (!(error instanceof StoreError) || error.code !== 'RANGE_NOT_SATISFIABLE') throw error;
      throw new LogFormatError(
        'TRUNCATED',
        key,
        `it ends before what belongs in it: ${corruptAdvice}`,
        error,
      );
    }
  }
}

function misplaced(key: string, found: { kind: string; slot: number; sid: string }): LogError {
  return new LogError(
    'CORRUPT_LOG',
    `${key} holds ${found.kind} ${found.slot} of session ${found.sid}; run 'firn log verify'`,
  );
}
