import { AssignmentBuilder, sortedIds } from './assignor.ts';
import type { AssignmentSpec, Assignor } from './assignor.ts';

interface Quota {
  readonly memberId: string;
  readonly rackId: string | null;
  count: number;
}

interface Place {
  readonly topicId: string;
  readonly partition: number;
}

/**
 * With everybody subscribed to the same topics: with `n` members and `p` partitions everybody gets `p / n`, `p % n` of them
 * one more. Whoever has more than its share keeps the first of them, and those with most keep the additional ones.
 */
export const assignUniformHomogeneous: Assignor = (spec) => {
  const builder = new AssignmentBuilder(spec.members.keys());
  const memberIds = sortedIds(spec.members.keys());
  const [firstId] = memberIds;
  const topicIds = sortedIds(
    (firstId === undefined ? undefined : spec.members.get(firstId))?.subscribedTopicIds ?? [],
  );
  let total = 0;
  for (const topicId of topicIds) total += spec.partitionsOf(topicId);
  if (memberIds.length === 0 || total === 0) return builder.assignment;
  const each = Math.floor(total / memberIds.length);
  let withOneMore = total % memberIds.length;

  const taken = new Map(topicIds.map((topicId) => [topicId, new Uint8Array(spec.partitionsOf(topicId))]));
  const quotas: Quota[] = [];
  for (const memberId of memberIds) {
    const member = spec.members.get(memberId);
    const had = validPlaces(spec, memberId, taken);
    let keep = Math.min(had.length, each);
    if (had.length > each && withOneMore > 0) {
      keep += 1;
      withOneMore -= 1;
    }
    for (const { topicId, partition } of had.slice(0, keep)) {
      const places = taken.get(topicId);
      if (places !== undefined) places[partition] = 1;
      builder.add(memberId, topicId, partition);
    }
    quotas.push({ memberId, rackId: member?.rackId ?? null, count: keep });
  }
  const free: Place[] = [];
  for (const topicId of topicIds)
    for (const [partition, isTaken] of (taken.get(topicId) ?? []).entries())
      if (isTaken === 0) free.push({ topicId, partition });
  fill(spec, builder, quotas, free, { each, withOneMore });
  return builder.assignment;
};

/** What the member had, still exists, and nobody before it has been given. */
function validPlaces(
  { members }: AssignmentSpec,
  memberId: string,
  taken: ReadonlyMap<string, Uint8Array>,
): Place[] {
  const places: Place[] = [];
  for (const [topicId, partitions] of members.get(memberId)?.assigned ?? []) {
    const known = taken.get(topicId);
    if (known === undefined) continue;
    for (const partition of partitions) if (known[partition] === 0) places.push({ topicId, partition });
  }
  return places;
}

/** Gives out the free partitions: first to members of their rack, then to whoever has room. */
function fill(
  spec: AssignmentSpec,
  builder: AssignmentBuilder,
  quotas: readonly Quota[],
  free: readonly Place[],
  { each, withOneMore }: { readonly each: number; readonly withOneMore: number },
): void {
  let additional = withOneMore;
  const take = (turns: Turns | undefined): Quota | undefined => {
    const quota = turns?.next((candidate) => candidate.count < each);
    if (quota !== undefined || additional === 0) return quota;
    const one = turns?.nextAdditional((candidate) => candidate.count === each);
    if (one !== undefined) additional -= 1;
    return one;
  };
  const give = (quota: Quota, { topicId, partition }: Place): void => {
    quota.count += 1;
    builder.add(quota.memberId, topicId, partition);
  };
  const racks = new Map<string, Quota[]>();
  for (const quota of quotas)
    if (quota.rackId !== null) racks.set(quota.rackId, [...(racks.get(quota.rackId) ?? []), quota]);
  const turnsByRack = new Map(Array.from(racks, ([rack, members]) => [rack, new Turns(members)]));
  const rest = free.filter((place) => {
    for (const rack of spec.racksOf(place.topicId, place.partition)) {
      const quota = take(turnsByRack.get(rack));
      if (quota === undefined) continue;
      give(quota, place);
      return false;
    }
    return true;
  });
  const everybody = new Turns(quotas);
  for (const place of rest) {
    const quota = take(everybody);
    if (quota !== undefined) give(quota, place);
  }
}

/** Members one after the other, round about; who is full is not asked again. */
class Turns {
  #open: Quota[];
  #additional: Quota[];
  #at = 0;

  constructor(quotas: readonly Quota[]) {
    this.#open = [...quotas];
    this.#additional = [...quotas];
  }

  next(hasRoom: (quota: Quota) => boolean): Quota | undefined {
    return this.#next(this.#open, hasRoom);
  }

  /** For one more than the others have. */
  nextAdditional(hasRoom: (quota: Quota) => boolean): Quota | undefined {
    return this.#next(this.#additional, hasRoom);
  }

  #next(candidates: Quota[], hasRoom: (quota: Quota) => boolean): Quota | undefined {
    while (candidates.length > 0) {
      this.#at %= candidates.length;
      const quota = candidates[this.#at];
      if (quota !== undefined && hasRoom(quota)) {
        this.#at += 1;
        return quota;
      }
      candidates.splice(this.#at, 1);
    }
    return undefined;
  }
}
