import { LogError } from '../../log/errors.ts';
import type { Runtime } from '../../runtime/runtime.ts';
import { ParsedSchemas } from '../../schema/registry/parsed-schemas.ts';
import type { RegistryChange } from '../../schema/registry/registry-changes.ts';
import { RegistryError } from '../../schema/registry/registry-error.ts';
import { decodeRegistryRecord } from '../../schema/registry/registry-record.ts';
import type { RegistryRecord } from '../../schema/registry/registry-record.ts';
import { RegistryState } from '../../schema/registry/registry-state.ts';
import type { CoordinatorLog } from '../groups/coordinator-log.ts';
import { openBatches, replayPartition } from '../groups/partition-replay.ts';
import { registryBatches } from './registry-batches.ts';

/** The topic has one partition: ids and versions are given out in one order. */
export const registryPartition = 0;

const loadBufferBytes = 4 * 1024 * 1024;

export interface RegistryPartitionEnvironment {
  readonly log: CoordinatorLog;
  readonly runtime: Runtime;
  /** Records were applied. */
  readonly onChanged: () => void;
  /** It has closed itself because an append failed. What is in the log counts: load it again. */
  readonly onFailed: (error: unknown) => void;
}

/**
 * The registry for as long as this broker owns the partition of `_schemas`.
 *
 * A change is decided on the state, appended, and applied when it is durable; then the next one is decided. So the state
 * holds nothing that could be lost, and an answer never tells of more than is durable. When an append fails nobody can tell
 * what is in the log: the partition closes, and the state is read anew if this broker still owns it. What the log would not
 * take is refused before it is appended.
 *
 * A read, and a change that writes nothing, is answered after the log has confirmed that nobody else had taken over when
 * it arrived (log.md P6).
 */
export class RegistryPartition {
  readonly state = new RegistryState();
  readonly parsed = new ParsedSchemas();
  readonly #environment: RegistryPartitionEnvironment;
  readonly #closed = new AbortController();
  #phase: 'loading' | 'active' | 'closed' = 'loading';
  /** Of the last change that was asked for; never rejects. */
  #lastChange: Promise<unknown> = Promise.resolve();

  constructor(environment: RegistryPartitionEnvironment) {
    this.#environment = environment;
  }

  get phase(): 'loading' | 'active' | 'closed' {
    return this.#phase;
  }

  /** Call once. @throws LogError, RegistryRecordError, and what bytes that are no records make the codecs throw */
  async load(): Promise<void> {
    const limits = { maxBytes: loadBufferBytes, signal: this.#closed.signal };
    await replayPartition(this.#environment.log, registryPartition, limits, (piece, offset) => {
      let next = offset;
      for (const { cursor, nextOffset } of openBatches(piece)) {
        while (cursor.next()) {
          const { key, value } = cursor;
          if (cursor.offset < offset || key === null) continue;
          const record = decodeRegistryRecord(key, value);
          if (record !== undefined) this.state.apply(record);
        }
        next = nextOffset;
      }
      return next;
    });
    if (this.#phase !== 'loading') throw noLongerOwner();
    this.#phase = 'active';
    this.#environment.onChanged();
  }

  async read<T>(query: (state: RegistryState, parsed: ParsedSchemas) => T): Promise<T> {
    await this.#confirm();
    return query(this.state, this.parsed);
  }

  write<T>(decide: (state: RegistryState, parsed: ParsedSchemas) => RegistryChange<T>): Promise<T> {
    const made = this.#lastChange.then(() => this.#change(decide));
    this.#lastChange = made.catch(() => undefined);
    return made;
  }

  /** Whoever waits is told that this is not the owner any more. */
  close(cause?: unknown): void {
    if (this.#phase === 'closed') return;
    this.#phase = 'closed';
    this.#closed.abort(noLongerOwner(cause));
  }

  /** Resolves when it is settled whether its appends are in the log: who loads earlier may miss some. */
  async drained(): Promise<void> {
    await this.#lastChange;
  }

  async #change<T>(decide: (state: RegistryState, parsed: ParsedSchemas) => RegistryChange<T>): Promise<T> {
    this.#requireActive();
    let change: RegistryChange<T>;
    try {
      change = decide(this.state, this.parsed);
    } catch (error) {
      // A refusal tells of the state as a read does.
      await this.#confirm();
      throw error;
    }
    if (change.records.length === 0) await this.#confirm();
    else await this.#append(change.records);
    return change.answer;
  }

  async #append(records: readonly RegistryRecord[]): Promise<void> {
    const { log, runtime, onChanged } = this.#environment;
    const timestampMs = runtime.wallMs();
    for (const batch of registryBatches(records, { maxBytes: log.maxBatchBytes, timestampMs })) {
      this.#requireActive();
      try {
        await log.append(registryPartition, batch.bytes);
      } catch (error) {
        this.#fail(error);
        throw noLongerOwner(error);
      }
      // Lost meanwhile: the records are durable all the same, and whoever owns the partition now has read them.
      for (const record of batch.records) this.state.apply(record);
      if (this.#phase === 'active') onChanged();
    }
  }

  async #confirm(): Promise<void> {
    this.#requireActive();
    try {
      await this.#environment.log.endOffset(registryPartition);
    } catch (error) {
      if (error instanceof LogError) throw noLongerOwner(error);
      throw error;
    }
    this.#requireActive();
  }

  #requireActive(): void {
    if (this.#phase !== 'active') throw noLongerOwner(this.#closed.signal.reason);
  }

  #fail(error: unknown): void {
    if (this.#phase === 'closed') return;
    this.close(error);
    this.#environment.onFailed(error);
  }
}

function noLongerOwner(cause?: unknown): RegistryError {
  return new RegistryError(
    'noOwner',
    'this broker has just ceased to own the schema registry; a change that was under way may have been made: try again',
    { cause },
  );
}
