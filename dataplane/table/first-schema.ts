import type { BrokerLog } from '../log/broker-log.ts';
import { batchData } from '../protocol/batch-data.ts';
import { isControl, readBatchHeader } from '../protocol/record-batch.ts';
import { BatchSpans } from './batch-spans.ts';
import { maxDataBytes } from './max-data-bytes.ts';
import { schemaIdOf, unframed } from './record-framing.ts';

/** Which schema the first record of a partition has: what a table begins with when its subject has no schema. */
export class FirstSchema {
  readonly #log: Pick<BrokerLog, 'read' | 'served'>;
  readonly #topicId: string;
  readonly #partition: number;
  /** `undefined`: there is no record yet, or the first one does not say. */
  id: number | undefined;
  /** Why the first record does not say. */
  problem: ({ readonly offset: number } & ReturnType<typeof unframed>) | undefined;

  constructor(log: Pick<BrokerLog, 'read' | 'served'>, topicId: string, partition: number) {
    this.#log = log;
    this.#topicId = topicId;
    this.#partition = partition;
  }

  /** Looks at the first record that there is. */
  async look(signal: AbortSignal): Promise<void> {
    const served = this.#log.served(this.#topicId, this.#partition);
    this.problem = undefined;
    if (served === undefined || this.id !== undefined) return;
    const { logStart, lastStableOffset } = served.partition;
    if (logStart >= lastStableOffset) return;
    const result = await this.#log.read(this.#topicId, this.#partition, logStart, 1, signal);
    try {
      const [piece] = result.pieces;
      if (piece === undefined) return;
      const header = readBatchHeader(piece, 0);
      if (isControl(header.attributes)) return;
      const spans = new BatchSpans();
      spans.load(header, batchData(header, piece, 0, maxDataBytes), logStart);
      const offset = spans.offsets[0];
      if (spans.count === 0 || offset === undefined) return;
      const id = schemaIdOf(spans, 0);
      if (id >= 0) this.id = id;
      else this.problem = { offset, ...unframed(id) };
    } finally {
      result.release();
    }
  }
}
