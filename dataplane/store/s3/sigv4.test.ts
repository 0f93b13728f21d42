import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { SigV4Signer } from './sigv4.ts';
import type { Header, RequestToSign } from './sigv4.ts';
import { canonicalQuery, encodeUriPath } from './uri-encoding.ts';

/** The examples of "Signature Calculations for the Authorization Header" in the Amazon S3 API Reference. */
const credentials = {
  accessKeyId: 'AKIAIOSFODNN7EXAMPLE',
  secretAccessKey: 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY',
};
const wallMs = Date.UTC(2013, 4, 24);
const emptyHash = 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855';

const examples: Record<string, { request: Partial<RequestToSign>; signed: string; signature: string }> = {
  'GET object': {
    request: { path: '/test.txt', headers: [['range', 'bytes=0-9']] },
    signed: 'host;range;x-amz-content-sha256;x-amz-date',
    signature: 'f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41',
  },
  'PUT object': {
    request: {
      method: 'PUT',
      path: encodeUriPath('/test$file.text'),
      headers: [
        ['date', 'Fri, 24 May 2013 00:00:00 GMT'],
        ['x-amz-storage-class', 'REDUCED_REDUNDANCY'],
      ],
      payloadHash: '44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072',
    },
    signed: 'date;host;x-amz-content-sha256;x-amz-date;x-amz-storage-class',
    signature: '98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd',
  },
  'GET bucket lifecycle': {
    request: { query: canonicalQuery({ lifecycle: '' }) },
    signed: 'host;x-amz-content-sha256;x-amz-date',
    signature: 'fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543',
  },
  'GET bucket (list objects)': {
    request: { query: canonicalQuery({ prefix: 'J', 'max-keys': '2' }) },
    signed: 'host;x-amz-content-sha256;x-amz-date',
    signature: '34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7',
  },
};

function request(parts: Partial<RequestToSign> = {}): RequestToSign {
  return {
    method: 'GET',
    path: '/',
    query: '',
    host: 'examplebucket.s3.amazonaws.com',
    headers: [],
    payloadHash: emptyHash,
    ...parts,
  };
}

function signer(): SigV4Signer {
  return new SigV4Signer({ region: 'us-east-1', service: 's3' });
}

function signatureOf(lines: string): string | undefined {
  return /Signature=([0-9a-f]{64})\r\n$/.exec(lines)?.[1];
}

describe('SigV4Signer', () => {
  for (const [name, { request: parts, signed, signature }] of Object.entries(examples)) {
    it(`signs AWS's published example: ${name}`, () => {
      const lines = signer().sign(request(parts), credentials, wallMs);
      assert.equal(
        lines.split('\r\n').at(-2),
        `authorization: AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request, SignedHeaders=${signed}, Signature=${signature}`,
      );
    });
  }

  it('writes every header line, sorted, with the session token among the signed ones', () => {
    const lines = signer().sign(
      request({
        headers: [
          ['x-amz-meta-id', 'me'],
          ['if-none-match', '*'],
        ],
        payloadHash: 'UNSIGNED-PAYLOAD',
      }),
      { ...credentials, sessionToken: 'token' },
      wallMs + 61_999,
    );
    const [authorization, ...others] = lines.trimEnd().split('\r\n').reverse();
    assert.deepEqual(others.reverse(), [
      'host: examplebucket.s3.amazonaws.com',
      'if-none-match: *',
      'x-amz-content-sha256: UNSIGNED-PAYLOAD',
      'x-amz-date: 20130524T000101Z',
      'x-amz-meta-id: me',
      'x-amz-security-token: token',
    ]);
    assert.match(
      authorization ?? '',
      /SignedHeaders=host;if-none-match;x-amz-content-sha256;x-amz-date;x-amz-meta-id;x-amz-security-token, /,
    );
  });

  it('reuses its key only within a day and for the same secret', () => {
    const used = signer();
    const others = [
      [wallMs, credentials],
      [wallMs + 86_400_000, credentials],
      [wallMs + 86_400_000, { ...credentials, secretAccessKey: 'another' }],
      [wallMs, credentials],
    ] as const;
    for (const [ms, who] of others)
      assert.equal(used.sign(request(), who, ms), signer().sign(request(), who, ms));
  });

  it('signs a value with runs of spaces as if they were one', () => {
    const id = (value: string): Header[] => [['x-amz-meta-id', value]];
    const [several, one] = ['a  b   c', 'a b c'].map((value) =>
      signer().sign(request({ headers: id(value) }), credentials, wallMs),
    );
    assert.ok(several?.includes('x-amz-meta-id: a  b   c\r\n'));
    assert.equal(signatureOf(several ?? ''), signatureOf(one ?? ''));
  });
});
