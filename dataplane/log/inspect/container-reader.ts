import { decodeContainer, decodeContainerTail } from '../format/container.ts';
import type { DecodedContainer, IncompleteTail } from '../format/container.ts';
import { corruptAdvice, LogFormatError } from '../format/errors.ts';
import { parseSegmentObject } from '../format/keys.ts';
import type { ParsedKey } from '../format/keys.ts';
import type { ObjectReader, Read } from './object-reader.ts';

const tailBytes = 64 * 1024;
/** No writer makes an index larger than 64 MiB: a footer that claims more is not believed. */
const maxTailBytes = 65 * 1024 * 1024;

/** Index, header and footer of a slot or segment, one suffix GET as a rule. Small objects come whole and are checked whole. */
export async function readContainer(reader: ObjectReader, key: string): Promise<Read<DecodedContainer>> {
  for (let suffix = tailBytes; ;) {
    const found = await reader.read(
      key,
      ({ bytes, info }): DecodedContainer | IncompleteTail =>
        bytes.length === info.sizeBytes
          ? decodeContainer(bytes, key, { verifyBlocks: true })
          : decodeContainerTail(bytes, info.sizeBytes, key),
      { suffix },
    );
    if (found.kind !== 'found') return found;
    const { value, info } = found;
    if (value.kind === 'decoded') return { kind: 'found', value, info };
    if (value.needBytes <= suffix || value.needBytes > maxTailBytes) {
      const what = `its index would be its last ${value.needBytes} bytes, ${suffix} were read and at most ${maxTailBytes} are`;
      return { kind: 'damaged', error: new LogFormatError('INVALID', key, `${what}: ${corruptAdvice}`) };
    }
    suffix = value.needBytes;
  }
}

/** What the object is instead of what its key says; `undefined` when it is in its place. */
export function misplacedContainer(
  { header }: DecodedContainer,
  place: Extract<ParsedKey, { kind: 'slot' | 'segment' }>,
): string | undefined {
  const { kind, sid, slot } = header;
  const found = `${kind} ${slot} of session ${sid}`;
  if (place.kind === 'slot') {
    return kind !== 'segment' && sid === place.sid && slot === place.slot ? undefined : found;
  }
  const name = parseSegmentObject(place.object);
  const named = name === undefined || (sid.startsWith(name.sid8) && slot === name.sequence);
  return kind === 'segment' && named ? undefined : found;
}
