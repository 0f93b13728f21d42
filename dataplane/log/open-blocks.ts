import type { Append } from './append.ts';
import type { AdmittedBatch } from './producer-table.ts';
import { invariant } from './errors.ts';

/** What one slot gets of one partition. */
export interface OpenBlock {
  /** In offset order. */
  readonly appends: Append[];
  /** Batches of idempotent producers: they get the slot's time. */
  readonly produced: AdmittedBatch[];
  /** Whether some of the appends are to be stamped with the slot's time. */
  hasLogAppendTime: boolean;
  sizeBytes: number;
}

/**
 * What one partition has admitted and no slot has yet, in blocks: while no slot can be sent much gathers, and one
 * partition alone must not fill a slot beyond its bound. A single larger append makes one larger block.
 */
export class OpenBlocks {
  readonly #maxBlockBytes: number;
  readonly #blocks: OpenBlock[] = [];
  #sizeBytes = 0;

  constructor(maxBlockBytes: number) {
    this.#maxBlockBytes = maxBlockBytes;
  }

  get isEmpty(): boolean {
    return this.#blocks.length === 0;
  }

  get sizeBytes(): number {
    return this.#sizeBytes;
  }

  /** Of the block that comes next; 0 when there is none. */
  get nextBytes(): number {
    return this.#blocks[0]?.sizeBytes ?? 0;
  }

  /** The block that `append` has become part of. */
  add(append: Append): OpenBlock {
    const sizeBytes = append.bytes.length;
    let block = this.#blocks.at(-1);
    if (block === undefined || block.sizeBytes + sizeBytes > this.#maxBlockBytes) {
      block = { appends: [], produced: [], hasLogAppendTime: false, sizeBytes: 0 };
      this.#blocks.push(block);
    }
    block.appends.push(append);
    block.hasLogAppendTime ||= append.logAppendTime;
    block.sizeBytes += sizeBytes;
    this.#sizeBytes += sizeBytes;
    return block;
  }

  /** Takes the oldest block out. */
  take(): OpenBlock {
    const block = this.#blocks.shift();
    invariant(block !== undefined, 'closing a block that was never opened');
    this.#sizeBytes -= block.sizeBytes;
    return block;
  }

  reject(error: Error): void {
    for (const { appends } of this.#blocks) for (const append of appends) append.reject(error);
  }

  /** Forgets everything; returns how many bytes that were. */
  drop(): number {
    const sizeBytes = this.#sizeBytes;
    this.#blocks.length = 0;
    this.#sizeBytes = 0;
    return sizeBytes;
  }
}
