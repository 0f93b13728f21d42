import { createHmac, hash } from 'node:crypto';
import type { S3Credentials } from './credentials.ts';

export type Header = readonly [name: string, value: string];

export interface RequestToSign {
  readonly method: string;
  /** Percent-encoded once. */
  readonly path: string;
  /** In canonical form: see `canonicalQuery`. */
  readonly query: string;
  readonly host: string;
  /** Lower-case names, each once; all of them are signed. Values are printable ASCII. */
  readonly headers: readonly Header[];
  /** What `x-amz-content-sha256` says: `UNSIGNED-PAYLOAD`, a SHA-256 in hex, or a `STREAMING-…` mode. */
  readonly payloadHash: string;
}

export interface SigningScope {
  readonly region: string;
  readonly service: string;
}

/**
 * Signs requests for S3 with AWS Signature Version 4 in the `Authorization` header. The signing key is derived once a
 * day and key pair, the time stamp once a second: what is left is one SHA-256 and one HMAC a request.
 */
export class SigV4Signer {
  readonly #scope: SigningScope;
  #second = Number.NaN;
  #timestamp = '';
  #key: { readonly day: string; readonly secret: string; readonly bytes: Buffer } | undefined;

  constructor(scope: SigningScope) {
    this.#scope = scope;
  }

  /** All header lines of the signed request, each ending in CRLF, sorted by name, `authorization` last. */
  sign(request: RequestToSign, credentials: S3Credentials, wallMs: number): string {
    const timestamp = this.#timestampOf(wallMs);
    const day = timestamp.slice(0, 8);
    const headers: Header[] = [
      ...request.headers,
      ['host', request.host],
      ['x-amz-content-sha256', request.payloadHash],
      ['x-amz-date', timestamp],
    ];
    if (credentials.sessionToken !== undefined)
      headers.push(['x-amz-security-token', credentials.sessionToken]);
    headers.sort(([a], [b]) => (a < b ? -1 : 1));

    let canonicalHeaders = '';
    let signedHeaders = '';
    let lines = '';
    for (const [name, value] of headers) {
      canonicalHeaders += `${name}:${canonicalValue(value)}\n`;
      signedHeaders += signedHeaders === '' ? name : `;${name}`;
      lines += `${name}: ${value}\r\n`;
    }
    const canonicalRequest = `${request.method}\n${request.path}\n${request.query}\n${canonicalHeaders}\n${signedHeaders}\n${request.payloadHash}`;
    const scope = `${day}/${this.#scope.region}/${this.#scope.service}/aws4_request`;
    const stringToSign = `AWS4-HMAC-SHA256\n${timestamp}\n${scope}\n${hash('sha256', canonicalRequest, 'hex')}`;
    const signature = createHmac('sha256', this.#keyFor(day, credentials.secretAccessKey))
      .update(stringToSign)
      .digest('hex');
    return `${lines}authorization: AWS4-HMAC-SHA256 Credential=${credentials.accessKeyId}/${scope}, SignedHeaders=${signedHeaders}, Signature=${signature}\r\n`;
  }

  /** `20130524T000000Z` */
  #timestampOf(wallMs: number): string {
    const second = Math.floor(wallMs / 1000);
    if (second !== this.#second) {
      this.#second = second;
      this.#timestamp = new Date(second * 1000).toISOString().replace(/[-:]|\.\d{3}/g, '');
    }
    return this.#timestamp;
  }

  #keyFor(day: string, secret: string): Buffer {
    if (this.#key?.day !== day || this.#key.secret !== secret) {
      const { region, service } = this.#scope;
      let bytes = hmac(`AWS4${secret}`, day);
      for (const part of [region, service, 'aws4_request']) bytes = hmac(bytes, part);
      this.#key = { day, secret, bytes };
    }
    return this.#key.bytes;
  }
}

function hmac(key: string | Buffer, text: string): Buffer {
  return createHmac('sha256', key).update(text).digest();
}

/** Trimmed, runs of spaces made one. */
function canonicalValue(value: string): string {
  return value.includes(' ') ? value.trim().replace(/ {2,}/g, ' ') : value;
}
