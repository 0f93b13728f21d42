import assert from 'node:assert/strict';
import { batchPrefixBytes, parseBatches } from '../../dataplane/protocol/record-batch.ts';

/** One batch of one producer, for one partition. */
export interface ProducedBatch {
  readonly producerId: number;
  readonly partition: number;
  readonly baseSequence: number;
  readonly bytes: Uint8Array;
  /** Of its first acknowledgement. */
  offset: number | undefined;
}

/**
 * What was produced and what was acknowledged. After the producers have retried until everything was acknowledged, a
 * partition holds exactly those batches: each once, at the offset that was told, in the order of its producer.
 */
export class Ledger {
  readonly #batches: ProducedBatch[] = [];
  acknowledgedCount = 0;
  /** The first promise that was broken, as soon as it is seen. */
  broken: Error | undefined;

  add(batch: ProducedBatch): void {
    this.#batches.push(batch);
  }

  /** Every acknowledgement counts, also one that comes late or for the second time. */
  acknowledged(batch: ProducedBatch, offset: number): void {
    if (batch.offset === undefined) {
      batch.offset = offset;
      this.acknowledgedCount += 1;
    } else if (batch.offset !== offset) {
      this.broken ??= new Error(
        `${nameOf(batch)} was acknowledged at offset ${batch.offset}, and again at ${offset}`,
      );
    }
  }

  /** `bytes`: the whole partition, as read back. */
  check(partition: number, bytes: Uint8Array): void {
    const batches = this.#batches.filter((batch) => batch.partition === partition);
    const byOffset = new Map(batches.map((batch) => [batch.offset, batch]));
    const nextSequences = new Map<number, number>();
    let position = 0;
    let offset = 0;
    for (const header of parseBatches(bytes, { verifyCrc: true })) {
      const { baseOffset, producerId, baseSequence, sizeBytes, recordCount } = header;
      const found = `the batch of producer ${producerId}, sequence ${baseSequence}, at offset ${baseOffset}`;
      assert.equal(baseOffset, offset, `partition ${partition}: ${found} should begin at ${offset}`);
      const batch = byOffset.get(baseOffset);
      assert.ok(batch !== undefined, `partition ${partition}: nobody was told of ${found}`);
      assert.equal(
        baseSequence,
        nextSequences.get(producerId) ?? 0,
        `partition ${partition}: ${found} is a duplicate, or out of its producer's order`,
      );
      nextSequences.set(producerId, baseSequence + recordCount);
      const kept = bytes.subarray(position + batchPrefixBytes, position + sizeBytes);
      const sent = batch.bytes.subarray(batchPrefixBytes);
      assert.ok(Buffer.from(kept).equals(sent), `partition ${partition}: ${found} is not ${nameOf(batch)}`);
      byOffset.delete(baseOffset);
      position += sizeBytes;
      offset += header.lastOffsetDelta + 1;
    }
    const [lost] = byOffset.values();
    assert.equal(
      byOffset.size,
      0,
      `partition ${partition} ends at ${offset}, ${byOffset.size} batches are lost, among them ${lost === undefined ? '' : nameOf(lost)}`,
    );
  }
}

function nameOf({ producerId, baseSequence, partition, offset }: ProducedBatch): string {
  return `the batch of producer ${producerId}, sequence ${baseSequence}, of partition ${partition} (acknowledged at ${offset ?? 'no offset'})`;
}
