/** What the workload wrote down; see `workload.py`. */
export interface HistoryEvent {
  readonly what: string;
  readonly producer?: string;
  readonly consumer?: string;
  readonly partition?: number;
  readonly offset?: number;
  readonly value?: string;
  readonly error?: string;
  readonly left?: number;
}

/** What a history shows to be wrong: sentences, none when all is well. The order of the events is that of their lines. */
export function historyProblems(events: readonly HistoryEvent[]): string[] {
  return [...complaints(events), ...lostOrMoved(events), ...orderProblems(events), ...commitProblems(events)];
}

/** What librdkafka itself took for wrong. */
function complaints(events: readonly HistoryEvent[]): string[] {
  const problems: string[] = [];
  for (const { what, producer, consumer, value, error, left } of events) {
    if (what === 'failed') problems.push(`${producer}: ${value} was given up with ${error}`);
    if (what === 'invalid') problems.push(`${consumer}: its position was refused: ${error}`);
    if (what === 'produced' && left !== 0) problems.push(`${producer}: ${left} records were not delivered`);
  }
  if (!events.some(({ what }) => what === 'done')) problems.push('the workload did not end by itself');
  return problems;
}

/** Whatever was acknowledged or read is found in the end, with the same value in the same place, each value once. */
function lostOrMoved(events: readonly HistoryEvent[]): string[] {
  const final = new Map<string, string>();
  const places = new Map<string, string>();
  const problems: string[] = [];
  for (const { what, partition, offset, value = '' } of events) {
    if (what !== 'final') continue;
    const place = `${partition}@${offset}`;
    final.set(place, value);
    const other = places.get(value);
    if (other !== undefined) problems.push(`${value} is there twice: ${other} and ${place}`);
    places.set(value, place);
  }
  for (const { what, partition, offset, value } of events) {
    if (what !== 'acked' && what !== 'read') continue;
    const place = `${partition}@${offset}`;
    const found = final.get(place);
    if (found !== value)
      problems.push(`${value} was ${what} at ${place}, where ${found ?? 'nothing'} is in the end`);
  }
  return problems;
}

/** Offsets leave no gap, and each producer's numbers ascend within a partition. */
function orderProblems(events: readonly HistoryEvent[]): string[] {
  const problems: string[] = [];
  const nextOffset = new Map<number, number>();
  const lastValue = new Map<string, string>();
  for (const { what, partition = -1, offset = -1, value = '' } of events) {
    if (what !== 'final') continue;
    const expected = nextOffset.get(partition) ?? 0;
    if (offset !== expected)
      problems.push(`partition ${partition}: offset ${offset} follows ${expected - 1}`);
    nextOffset.set(partition, offset + 1);
    const producer = `${partition} ${value.slice(0, value.indexOf('-'))}`;
    const last = lastValue.get(producer);
    // Numbers have leading zeros.
    if (last !== undefined && value <= last)
      problems.push(`partition ${partition}: ${value} comes after ${last}`);
    lastValue.set(producer, value);
  }
  return problems;
}

/** A commit that was acknowledged before offsets were asked for is in the answer, or a later one is. */
function commitProblems(events: readonly HistoryEvent[]): string[] {
  const problems: string[] = [];
  const committed = new Map<number, number>();
  let asked = new Map<number, number>();
  for (const { what, partition = -1, offset = -1 } of events) {
    if (what === 'committed') committed.set(partition, Math.max(committed.get(partition) ?? -1, offset));
    if (what === 'fetching') asked = new Map(committed);
    if (what === 'fetched' && offset < (asked.get(partition) ?? -1))
      problems.push(
        `partition ${partition}: offset ${offset} was fetched, ${asked.get(partition)} had been committed`,
      );
  }
  return problems;
}
