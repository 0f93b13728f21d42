/**
 * How a record says which schema it was written with (Confluent's wire format).
 *
 * ```
 * value:  0 │ schema id int32 │ what the schema describes …
 * header `__value_schema_id`, `__key_schema_id`:  0 │ schema id int32    or    1 │ guid, 16 bytes
 * ```
 */
export const framePrefixBytes = 5;

export const schemaIdHeaders = ['__key_schema_id', '__value_schema_id'] as const;

const idMagic = 0;
const guidMagic = 1;
const guidBytes = 16;

/** A value with its schema id in front. */
export function frameValue(schemaId: number, payload: Uint8Array): Buffer {
  const framed = Buffer.allocUnsafe(framePrefixBytes + payload.length);
  framed.writeUInt8(idMagic);
  framed.writeInt32BE(schemaId, 1);
  framed.set(payload, framePrefixBytes);
  return framed;
}

/** The schema id that a value begins with, its payload follows after {@link framePrefixBytes}; `undefined`: it has none. */
export function framedSchemaId(value: Uint8Array): number | undefined {
  return value.length < framePrefixBytes ? undefined : idAfterMagic(value);
}

/** What a header named in {@link schemaIdHeaders} says. A guid is one that Firn's registry never gives out. */
export function headerSchemaId(
  header: Uint8Array,
): { readonly id: number } | { readonly guid: Uint8Array } | undefined {
  if (header[0] === guidMagic && header.length === 1 + guidBytes) return { guid: header.subarray(1) };
  const id = header.length === framePrefixBytes ? idAfterMagic(header) : undefined;
  return id === undefined ? undefined : { id };
}

function idAfterMagic(bytes: Uint8Array): number | undefined {
  if (bytes[0] !== idMagic) return undefined;
  const id = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).readInt32BE(1);
  return id < 0 ? undefined : id;
}
