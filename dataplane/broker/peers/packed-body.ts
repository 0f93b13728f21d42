import { Fields } from '../../cluster/json-fields.ts';
import { compressAsync } from '../../protocol/compression/compress.ts';
import { decompressAsync } from '../../protocol/compression/decompress.ts';
import type { PeerShape } from './peer-method.ts';

/** The body of an HTTP message on its way between brokers. */
export interface PackedBody {
  readonly codec: 'none' | 'zstd';
  readonly bytes: Uint8Array;
}

/** Smaller ones travel as they are. */
const minPackedBytes = 16 * 1024;
/** What a body may be once it is open again: JSON that was packed is many times as large. */
const maxOpenBytes = 256 * 1024 * 1024;

const base64 = /^[A-Za-z0-9+/]*={0,2}$/;

export const packedBody: PeerShape<PackedBody> = {
  encode: ({ codec, bytes }) => ({ codec, bytes: Buffer.from(bytes).toString('base64') }),
  decode: (json) => {
    const fields = new Fields(json);
    return {
      codec: fields.oneOf('codec', ['none', 'zstd']),
      bytes: Buffer.from(fields.text('bytes', base64), 'base64'),
    };
  },
};

export async function packBody(body: string | Uint8Array): Promise<PackedBody> {
  const bytes = typeof body === 'string' ? Buffer.from(body) : body;
  if (bytes.length < minPackedBytes) return { codec: 'none', bytes };
  return { codec: 'zstd', bytes: await compressAsync('zstd', bytes) };
}

/** @throws CompressionError */
export async function openBody({ codec, bytes }: PackedBody): Promise<Uint8Array> {
  return codec === 'none' ? bytes : await decompressAsync(codec, bytes, maxOpenBytes);
}
