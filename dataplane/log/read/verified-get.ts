import { StoreError } from '../../store/errors.ts';
import type { ByteRange, GetOptions, GetResult, ObjectStore } from '../../store/object-store.ts';
import { LogError } from '../errors.ts';
import { corruptAdvice, LogFormatError } from '../format/errors.ts';
import type { FetchGate } from './fetch-gate.ts';
import { RecordBytes } from './record-memory.ts';
import type { RecordMemory } from './record-memory.ts';

export type FoundBytes = Extract<GetResult<Uint8Array>, { kind: 'found' }>;

export interface VerifiedGetCounters {
  gets: number;
  getBytes: number;
  /** GETs repeated because the first answer did not pass its checks. */
  repeated: number;
}

/**
 * GETs of immutable objects, or ranges of them, whose bytes carry their own checks. Bytes can change on the way, where no
 * checksum of the store covers a range: an answer that does not pass is asked for once more. When that fails too the
 * object itself is damaged, and CORRUPT_LOG names it: never wrong data.
 */
export class VerifiedGet {
  readonly counters: VerifiedGetCounters = { gets: 0, getBytes: 0, repeated: 0 };
  readonly #store: ObjectStore;
  readonly #gate: FetchGate;
  readonly #memory: RecordMemory;

  constructor(store: ObjectStore, gate: FetchGate, memory: RecordMemory) {
    this.#store = store;
    this.#gate = gate;
    this.#memory = memory;
  }

  /**
   * @param expectedBytes what the answer will take in memory, about
   * @param decode throws LogFormatError when the bytes are not what they must be
   * @returns 'gone' when the object does not exist: what names it is out of date, or the log is damaged; callers tell
   */
  async get<T>(
    key: string,
    range: ByteRange | undefined,
    expectedBytes: number,
    decode: (found: FoundBytes) => T,
    signal: AbortSignal | undefined,
  ): Promise<T | 'gone'> {
    return await this.#twice(expectedBytes, signal, async () => {
      const found = await this.#found(key, { range, signal });
      return found === 'gone' ? found : decode(found);
    });
  }

  /** The bytes of [start, end), which must all be there; held for the caller. */
  async getSpan(
    key: string,
    start: number,
    end: number,
    verify: (bytes: Uint8Array) => void,
    signal: AbortSignal | undefined,
  ): Promise<RecordBytes | 'gone'> {
    return await this.#twice(end - start, signal, async () => {
      const into = this.#memory.take(end - start);
      // Should it fail, `into` may still be written to: it is forgotten.
      const found = await this.#found(key, { range: { start, end }, signal, into });
      if (found === 'gone') {
        if (into !== undefined) this.#memory.free(into);
        return found;
      }
      const { offset, body } = found;
      const records = this.#recordBytes(body, into);
      try {
        if (offset !== start || body.length !== end - start) {
          throw new LogFormatError(
            'TRUNCATED',
            key,
            `bytes ${start} to ${end} were asked for, ${body.length} bytes from ${offset} on came back: ${corruptAdvice}`,
          );
        }
        verify(body);
        return records;
      } catch (error) {
        records.release();
        throw error;
      }
    });
  }

  #recordBytes(body: Uint8Array, into: Uint8Array | undefined): RecordBytes {
    if (into === undefined) return new RecordBytes(body);
    if (body.buffer === into.buffer) return new RecordBytes(body, { pool: this.#memory, memory: into });
    this.#memory.free(into);
    return new RecordBytes(body);
  }

  /** @param read called a second time when what it got is damaged */
  async #twice<T>(
    expectedBytes: number,
    signal: AbortSignal | undefined,
    read: () => Promise<T>,
  ): Promise<T> {
    await this.#gate.enter(expectedBytes, signal);
    try {
      return await verifiedTwice(read, this.counters);
    } finally {
      this.#gate.leave(expectedBytes);
    }
  }

  async #found(key: string, options: GetOptions): Promise<FoundBytes | 'gone'> {
    this.counters.gets += 1;
    try {
      const found = await this.#store.get(key, options);
      if (found.kind !== 'found') return 'gone';
      this.counters.getBytes += found.body.length;
      return found;
    } catch (error) {
      if (!(error instanceof StoreError) || error.code !== 'RANGE_NOT_SATISFIABLE') throw error;
      throw new LogFormatError(
        'TRUNCATED',
        key,
        `it ends before what is stored in it: ${corruptAdvice}`,
        error,
      );
    }
  }
}

/**
 * Reads again, once, what came back damaged; then gives up with CORRUPT_LOG. What a newer release wrote is UNSUPPORTED_FORMAT
 * at once: its checksums hold.
 */
export async function verifiedTwice<T>(read: () => Promise<T>, counters: { repeated: number }): Promise<T> {
  try {
    return await read();
  } catch (error) {
    if (!(error instanceof LogFormatError)) throw error;
    if (error.code === 'FUTURE_VERSION') throw readFailure(error);
    counters.repeated += 1;
  }
  try {
    return await read();
  } catch (error) {
    if (!(error instanceof LogFormatError)) throw error;
    throw readFailure(error);
  }
}

function readFailure(error: LogFormatError): LogError {
  const code = error.code === 'FUTURE_VERSION' ? 'UNSUPPORTED_FORMAT' : 'CORRUPT_LOG';
  return new LogError(code, error.message, { cause: error });
}
