import type { BrokerLog } from '../log/broker-log.ts';
import { batchData } from '../protocol/batch-data.ts';
import { isControl, readBatchHeader } from '../protocol/record-batch.ts';
import type { SchemaLookup } from '../schema/registry/schema-lookup.ts';
import { BatchSpans } from './batch-spans.ts';
import { maxDataBytes } from './max-data-bytes.ts';
import { schemaIdOf, unframed } from './record-framing.ts';
import { lookUpSchema } from './record-problem.ts';
import type { UnfitRecord } from './record-problem.ts';

/** Which schema the first record of a partition has: what a table begins with when its subject has no schema. */
export class FirstSchema {
  readonly #log: Pick<BrokerLog, 'read' | 'served'>;
  readonly #schemas: SchemaLookup;
  readonly #topicId: string;
  readonly #partition: number;
  /** Of the record that `id` or `problem` are about. */
  #offset: number | undefined;
  /** One that the registry knows and a table can be made of; `undefined`: there is no record yet, or see `problem`. */
  id: number | undefined;
  /** Why the first record does not say. */
  problem: (UnfitRecord & { readonly offset: number }) | undefined;

  constructor(
    { log, schemas }: { readonly log: Pick<BrokerLog, 'read' | 'served'>; readonly schemas: SchemaLookup },
    topicId: string,
    partition: number,
  ) {
    this.#log = log;
    this.#schemas = schemas;
    this.#topicId = topicId;
    this.#partition = partition;
  }

  /** Something was registered, or set otherwise: the next look is a first one. */
  forget(): void {
    this.#offset = undefined;
    this.id = undefined;
    this.problem = undefined;
  }

  /** Looks at the first record that there is, unless it knows what that says. */
  async look(signal: AbortSignal): Promise<void> {
    const served = this.#log.served(this.#topicId, this.#partition);
    if (served === undefined) return;
    const { logStart, lastStableOffset } = served.partition;
    // DeleteRecords: another record is the first one now.
    if (this.#offset !== undefined && logStart > this.#offset) this.forget();
    if (this.problem?.code === 'REGISTRY_UNAVAILABLE') this.forget();
    if (this.#offset !== undefined || logStart >= lastStableOffset) return;
    const first = await this.#first(logStart, signal);
    if (first === undefined) return;
    const { offset, id } = first;
    const found = id >= 0 ? await lookUpSchema(id, this.#schemas, signal) : unframed(id);
    this.#offset = offset;
    if ('code' in found) this.problem = { offset, ...found };
    else this.id = id;
  }

  /** The first record from the log start on, with its schema id or what `schemaIdOf` says instead. */
  async #first(
    logStart: number,
    signal: AbortSignal,
  ): Promise<{ readonly offset: number; readonly id: number } | undefined> {
    const result = await this.#log.read(this.#topicId, this.#partition, logStart, 1, signal);
    try {
      const [piece] = result.pieces;
      if (piece === undefined) return undefined;
      const header = readBatchHeader(piece, 0);
      if (isControl(header.attributes)) return undefined;
      const spans = new BatchSpans();
      spans.load(header, batchData(header, piece, 0, maxDataBytes), logStart);
      const offset = spans.offsets[0];
      return spans.count === 0 || offset === undefined ? undefined : { offset, id: schemaIdOf(spans, 0) };
    } finally {
      result.release();
    }
  }
}
