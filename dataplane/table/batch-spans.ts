import type { RecordSpans } from '../columnar/record-spans.ts';
import type { BatchHeader } from '../protocol/record-batch.ts';
import { RecordBatchError } from '../protocol/record-batch.ts';
import { RecordCursor } from '../protocol/records.ts';

/** The records of one batch after another as spans, in the same memory. */
export class BatchSpans implements RecordSpans {
  bytes: Uint8Array = new Uint8Array(0);
  count = 0;
  offsets = new Float64Array(0);
  timestampsMs = new Float64Array(0);
  keyStarts = new Int32Array(0);
  keyEnds = new Int32Array(0);
  valueStarts = new Int32Array(0);
  valueEnds = new Int32Array(0);
  headerStarts = new Int32Array(0);
  headerCounts = new Int32Array(0);

  /**
   * Takes the batch's records from `fromOffset` on. Returns what is wrong with the record after the last of them;
   * `undefined`: they are all there.
   *
   * @param records what follows the batch's header, decompressed; valid for as long as the spans are used
   */
  load(header: BatchHeader, records: Uint8Array, fromOffset: number): RecordBatchError | undefined {
    this.#reserve(header.recordCount);
    this.bytes = records;
    this.count = 0;
    const cursor = new RecordCursor(header, records);
    try {
      while (cursor.next()) {
        if (cursor.offset < fromOffset) continue;
        const at = this.count;
        this.offsets[at] = cursor.offset;
        this.timestampsMs[at] = cursor.timestampMs;
        this.keyStarts[at] = cursor.keyStart;
        this.keyEnds[at] = cursor.keyEnd;
        this.valueStarts[at] = cursor.valueStart;
        this.valueEnds[at] = cursor.valueEnd;
        this.headerStarts[at] = cursor.headersStart;
        this.headerCounts[at] = cursor.headerCount;
        this.count = at + 1;
      }
      return undefined;
    } catch (error) {
      if (error instanceof RecordBatchError) return error;
      throw error;
    }
  }

  /** Lets go of the bytes; the arrays stay. */
  clear(): void {
    this.bytes = noBytes;
    this.count = 0;
  }

  #reserve(count: number): void {
    if (this.offsets.length >= count) return;
    // A batch of a client that sends many small records: the next ones will be like it.
    const size = Math.max(256, 2 ** Math.ceil(Math.log2(count)));
    this.offsets = new Float64Array(size);
    this.timestampsMs = new Float64Array(size);
    this.keyStarts = new Int32Array(size);
    this.keyEnds = new Int32Array(size);
    this.valueStarts = new Int32Array(size);
    this.valueEnds = new Int32Array(size);
    this.headerStarts = new Int32Array(size);
    this.headerCounts = new Int32Array(size);
  }
}

const noBytes = new Uint8Array(0);
