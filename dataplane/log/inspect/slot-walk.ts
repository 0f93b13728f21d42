import type { DecodedContainer } from '../format/container.ts';
import { slotKey } from '../format/keys.ts';
import { inOrder } from '../../runtime/concurrency.ts';
import { readContainer } from './container-reader.ts';
import type { ObjectReader, Read } from './object-reader.ts';
import type { SlotRanges } from '../slot-ranges.ts';

/** Slots whose indexes are read ahead. */
const readAhead = 16;

export type SlotStep =
  | {
      readonly kind: 'slot';
      readonly slot: number;
      readonly found: Exclude<Read<DecodedContainer>, { kind: 'absent' }>;
    }
  /** Slots [from, to) do not exist; `to` is absent when nothing beyond is known to exist either. */
  | { readonly kind: 'gap'; readonly from: number; readonly to: number | undefined };

export interface SlotWalk {
  readonly sid: string;
  readonly slots: SlotRanges;
  readonly from: number;
  /** The first slot from `from` on that somebody needs, listed or not. Asked again and again while walking. */
  readonly firstNeeded: (from: number) => number | undefined;
}

/**
 * Reads the indexes of a session's slots in slot order. Slots that were not listed are looked for only where they are
 * needed, and one at a time up to the first that is really not there: on a live session they appear while we read.
 */
export async function* walkSlots(
  reader: ObjectReader,
  walk: SlotWalk,
): AsyncGenerator<SlotStep, void, undefined> {
  const { sid, slots } = walk;
  const read = (slot: number): Promise<Read<DecodedContainer>> => readContainer(reader, slotKey(sid, slot));
  const unlisted = async function* (
    from: number,
    to: number | undefined,
  ): AsyncGenerator<SlotStep, void, undefined> {
    for (let slot = walk.firstNeeded(from); slot !== undefined; slot = walk.firstNeeded(slot + 1)) {
      if (to !== undefined && slot >= to) return;
      const found = await read(slot);
      if (found.kind === 'absent') {
        yield { kind: 'gap', from: slot, to };
        return;
      }
      yield { kind: 'slot', slot, found };
    }
  };
  for (let next: number | undefined = walk.from; next !== undefined;) {
    const listed: number | undefined = slots.atLeast(next);
    if (listed !== next) yield* unlisted(next, listed);
    if (listed === undefined) return;
    const range = slots.ranges.find(({ from, to }) => from <= listed && listed < to);
    const end: number = range?.to ?? listed + 1;
    const numbers = function* (): Generator<number> {
      for (let slot = listed; slot < end; slot++) yield slot;
    };
    const results = inOrder(numbers(), readAhead, async (slot) => ({ slot, found: await read(slot) }));
    for await (const { slot, found } of results) {
      if (found.kind === 'absent') yield { kind: 'gap', from: slot, to: slot + 1 };
      else yield { kind: 'slot', slot, found };
    }
    next = end;
  }
}
