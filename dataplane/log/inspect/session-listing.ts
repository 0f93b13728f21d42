import { parseKey, slotPrefix, trimKey } from '../format/keys.ts';
import { decodeTrim } from '../format/trim.ts';
import type { ObjectReader, Read } from './object-reader.ts';
import { SlotRanges } from '../slot-ranges.ts';

/** What lies below a session's WAL prefix, by one LIST. */
export interface SessionListing {
  readonly slots: SlotRanges;
  /** Slots up to which checkpoints reach, ascending. */
  readonly checkpoints: readonly number[];
  readonly bytes: number;
}

export async function listSession(reader: ObjectReader, sid: string): Promise<SessionListing> {
  const slots = new SlotRanges();
  const checkpoints: number[] = [];
  let bytes = 0;
  for await (const { key, sizeBytes } of reader.list(slotPrefix(sid))) {
    const place = parseKey(key);
    bytes += sizeBytes;
    if (place?.kind === 'slot') slots.add(place.slot);
    if (place?.kind === 'checkpoint') checkpoints.push(place.slot);
  }
  return { slots, checkpoints: checkpoints.toSorted((a, b) => a - b), bytes };
}

/** The session's trim point, 0 when it has none yet; or what is wrong with the object that should tell. */
export async function readTrim(reader: ObjectReader, sid: string): Promise<number | Error> {
  const key = trimKey(sid);
  const found: Read<number> = await reader.read(key, ({ bytes }) => decodeTrim(bytes, key));
  if (found.kind === 'damaged') return found.error;
  return found.kind === 'found' ? found.value : 0;
}
