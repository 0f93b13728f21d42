import { BrokerViolation } from './violation.ts';

interface PartitionHistory {
  /** By offset: the value that an answer said is there. */
  readonly values: Map<number, string>;
  acknowledgedEnd: number;
}

/** What clients were told, and what follows from it. Every method throws a {@link BrokerViolation} when that is broken. */
export class History {
  readonly #partitions = new Map<number, PartitionHistory>();
  readonly #offsets = new Map<string, string>();
  readonly #committed = new Map<string, number>();
  readonly #generations = new Map<string, Map<string, string>>();
  acknowledged = 0;
  reads = 0;
  commits = 0;
  /** Consumers that were sent to a broker of their zone, and what they have read there. */
  redirects = 0;
  zoneReads = 0;

  /** A record was acknowledged, or read, at this place. */
  seen(partition: number, offset: number, value: string, how: 'acknowledged' | 'read'): void {
    const history = this.#of(partition);
    const before = history.values.get(offset);
    if (before !== undefined && before !== value)
      throw new BrokerViolation(
        'immutability',
        `${partition}@${offset} was ${before}, now ${value} was ${how}`,
      );
    const place = `${partition}@${offset}`;
    const other = this.#offsets.get(value);
    if (other !== undefined && other !== place)
      throw new BrokerViolation('exactly once', `${value} is at ${other} and was ${how} at ${place}`);
    history.values.set(offset, value);
    this.#offsets.set(value, place);
    if (how === 'acknowledged') {
      this.acknowledged += 1;
      history.acknowledgedEnd = Math.max(history.acknowledgedEnd, offset + 1);
    } else this.reads += 1;
  }

  /** All that is acknowledged so far: what a request that is sent now must be answered with, or more. */
  acknowledgedEnd(partition: number): number {
    return this.#of(partition).acknowledgedEnd;
  }

  /** A commit was acknowledged. */
  committed(group: string, partition: number, offset: number): void {
    const name = `${group}/${partition}`;
    this.#committed.set(name, Math.max(this.#committed.get(name) ?? -1, offset));
    this.commits += 1;
  }

  committedOffset(group: string, partition: number): number {
    return this.#committed.get(`${group}/${partition}`) ?? -1;
  }

  /** Offsets were fetched; `expected` is what had been committed when they were asked for. */
  fetchedOffset(group: string, partition: number, offset: number, expected: number): void {
    if (offset < expected)
      throw new BrokerViolation(
        'committed offsets',
        `${group}/${partition}: offset ${offset} was fetched, ${expected} had been committed before`,
      );
  }

  /** A member was told its part of a generation. */
  assigned(group: string, generation: number, member: string, partitions: readonly number[]): void {
    const name = `${group}/${generation}`;
    const owners = this.#generations.get(name) ?? new Map<string, string>();
    this.#generations.set(name, owners);
    for (const partition of partitions) {
      const owner = owners.get(String(partition));
      if (owner !== undefined && owner !== member)
        throw new BrokerViolation(
          'one owner',
          `generation ${generation} of ${group}: partition ${partition} belongs to ${owner} and to ${member}`,
        );
      owners.set(String(partition), member);
    }
  }

  /** At the end, when everything has been read: what was acknowledged is there without gaps, each producer's in order. */
  checkOrder(partition: number): void {
    const { values, acknowledgedEnd } = this.#of(partition);
    const last = new Map<string, number>();
    for (let offset = 0; offset < acknowledgedEnd; offset++) {
      const value = values.get(offset);
      if (value === undefined)
        throw new BrokerViolation('dense offsets', `nothing is at ${partition}@${offset}, below the end`);
      const [producer = '', number = ''] = value.split('#');
      const before = last.get(producer) ?? -1;
      if (Number(number) !== before + 1)
        throw new BrokerViolation('order', `partition ${partition}: ${value} comes after number ${before}`);
      last.set(producer, Number(number));
    }
  }

  #of(partition: number): PartitionHistory {
    let history = this.#partitions.get(partition);
    if (history === undefined) {
      history = { values: new Map(), acknowledgedEnd: 0 };
      this.#partitions.set(partition, history);
    }
    return history;
  }
}
