import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { resolveEndpoint } from './endpoint.ts';
import type { EndpointOptions } from './endpoint.ts';

/** Where a GET of key `k` goes. */
function placeOf(options: Omit<EndpointOptions, 'region'> & { region?: string }): string {
  const { origin, host, objectPath, bucketPath } = resolveEndpoint({ region: 'eu-west-1', ...options });
  assert.ok(objectPath.startsWith(bucketPath));
  return `${origin.secure ? 'tls' : 'tcp'} ${origin.hostname} ${origin.port}, ${host} ${objectPath}k`;
}

describe('resolveEndpoint', () => {
  it('addresses AWS in virtual-host style', () => {
    assert.equal(
      placeOf({ bucket: 'my-bucket' }),
      'tls my-bucket.s3.eu-west-1.amazonaws.com 443, my-bucket.s3.eu-west-1.amazonaws.com /k',
    );
    assert.match(
      placeOf({ bucket: 'my-bucket', region: 'cn-north-1' }),
      /my-bucket\.s3\.cn-north-1\.amazonaws\.com\.cn /,
    );
  });

  it('puts into the path what no certificate covers', () => {
    for (const bucket of ['with.dots', 'Upper', 'under_score'])
      assert.match(placeOf({ bucket }), new RegExp(`, s3\\.eu-west-1\\.amazonaws\\.com /${bucket}/k$`));
    assert.match(placeOf({ bucket: 'my-bucket', pathStyle: true }), / \/my-bucket\/k$/);
  });

  it('addresses other stores in path style, with their port and path, unless told otherwise', () => {
    assert.equal(
      placeOf({ bucket: 'b1', endpoint: 'http://127.0.0.1:9000' }),
      'tcp 127.0.0.1 9000, 127.0.0.1:9000 /b1/k',
    );
    assert.equal(placeOf({ bucket: 'b1', endpoint: 'https://minio:443/' }), 'tls minio 443, minio /b1/k');
    assert.equal(
      placeOf({ bucket: 'b1', endpoint: 'http://gateway/s3/' }),
      'tcp gateway 80, gateway /s3/b1/k',
    );
    assert.equal(
      placeOf({ bucket: 'b1', endpoint: 'https://objects.example:8443', pathStyle: false }),
      'tls b1.objects.example 8443, b1.objects.example:8443 /k',
    );
  });

  it('knows IPv6 addresses', () => {
    assert.equal(placeOf({ bucket: 'b1', endpoint: 'http://[::1]:9000' }), 'tcp ::1 9000, [::1]:9000 /b1/k');
  });

  it('refuses what cannot be right, and says why', () => {
    const refusals: [Omit<EndpointOptions, 'region'> & { region?: string }, RegExp][] = [
      [{ bucket: 'a/b' }, /"a\/b" is not the name of a bucket/],
      [{ bucket: 'bucket', endpoint: 'ftp://x' }, /"ftp:\/\/x" is not an http/],
      [{ bucket: 'bucket', endpoint: 'minio:9000' }, /not an http/],
      [{ bucket: 'bucket', endpoint: 'http://key:secret@minio' }, /at minio has more than a host/],
      [{ bucket: 'bucket', endpoint: 'http://[::1]:9000', pathStyle: false }, /set pathStyle/],
      [{ bucket: 'bucket', region: 'eu west' }, /"eu west" is not an AWS region/],
    ];
    for (const [options, message] of refusals) {
      assert.throws(
        () => placeOf(options),
        (error) => {
          assert.ok(error instanceof TypeError);
          assert.match(error.message, message);
          assert.doesNotMatch(error.message, /secret/);
          return true;
        },
      );
    }
  });
});
