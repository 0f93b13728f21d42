import type { Order } from './order.ts';
import type { TableRow } from './table-rows.ts';
import { TableViolation } from './violation.ts';

export interface SentRecord extends Order {
  readonly partition: number;
  readonly timestampMs: number;
  readonly key: string;
  readonly headers: number;
}

/** Of one topic: what producers have sent, what they were told, and where it has been seen since. */
export class RecordHistory {
  readonly topic: string;
  readonly #sent = new Map<string, SentRecord>();
  /** By name: where it is. */
  readonly #places = new Map<string, string>();
  /** By place: its name. */
  readonly #names = new Map<string, string>();
  readonly #acknowledgedEnds = new Map<number, number>();
  /** Offsets whose records may have been deleted before they became rows. */
  readonly #deleted: { readonly partition: number; readonly from: number; readonly to: number }[] = [];

  constructor(topic: string) {
    this.topic = topic;
  }

  sent(record: SentRecord): void {
    this.#sent.set(record.name, record);
  }

  /** A batch is durable. `undefined`: a record that is not one of ours, and can never be a row. */
  acknowledged(partition: number, baseOffset: number, names: readonly (string | undefined)[]): void {
    for (const [at, name] of names.entries())
      if (name !== undefined) this.#isAt(name, partition, baseOffset + at);
    this.#acknowledgedEnds.set(
      partition,
      Math.max(this.acknowledgedEnd(partition), baseOffset + names.length),
    );
  }

  acknowledgedEnd(partition: number): number {
    return this.#acknowledgedEnds.get(partition) ?? 0;
  }

  /** Somebody asks for the deletion of records, of which these may not be in the table. */
  deletes(partition: number, from: number, to: number): void {
    this.#deleted.push({ partition, from, to });
  }

  /** The first of these offsets whose record must be a row. */
  firstNeeded(partition: number, from: number, to: number): number | undefined {
    for (let offset = from; offset < to; offset++) {
      const isDeleted = this.#deleted.some(
        (range) => range.partition === partition && range.from <= offset && offset < range.to,
      );
      if (!isDeleted) return offset;
    }
    return undefined;
  }

  /** A row of the table, or a record as the log has it. */
  seen({ partition, offset, timestampMs, key, headers, name, amount, note }: TableRow): void {
    const sent = this.#sent.get(name);
    const where = `${this.topic}/${partition}@${offset}`;
    if (sent === undefined) throw new TableViolation('content', `${where}: nobody has sent ${name}`);
    if (
      sent.partition !== partition ||
      sent.amount !== amount ||
      sent.note !== note ||
      sent.timestampMs !== timestampMs ||
      sent.key !== key ||
      sent.headers !== headers
    ) {
      const row = JSON.stringify({ partition, timestampMs, key, headers, name, amount, note });
      throw new TableViolation('content', `${where}: ${JSON.stringify(sent)} was sent, the row is ${row}`);
    }
    this.#isAt(name, partition, offset);
  }

  #isAt(name: string, partition: number, offset: number): void {
    const place = `${partition}@${offset}`;
    const before = this.#places.get(name) ?? place;
    const other = this.#names.get(place) ?? name;
    if (before !== place)
      throw new TableViolation('content', `${this.topic}: ${name} is at ${before} and at ${place}`);
    if (other !== name)
      throw new TableViolation('content', `${this.topic}: at ${place} is ${other}, and now ${name}`);
    this.#places.set(name, place);
    this.#names.set(place, name);
  }
}
