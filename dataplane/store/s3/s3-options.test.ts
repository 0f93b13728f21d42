import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { normalizedPrefix, parseS3Url, regionOf } from './s3-options.ts';

describe('parseS3Url', () => {
  it('reads bucket, prefix and parameters', () => {
    assert.deepEqual(
      parseS3Url(
        's3://bucket/some/pre%20fix?endpoint=http://[::1]:9000&region=auto&pathStyle=false&checksums=false',
      ),
      {
        bucket: 'bucket',
        prefix: '/some/pre fix',
        endpoint: 'http://[::1]:9000',
        region: 'auto',
        pathStyle: false,
        checksums: false,
        signPayload: undefined,
      },
    );
    assert.equal(parseS3Url('s3://bucket').bucket, 'bucket');
  });

  it('refuses what it does not understand, and secrets', () => {
    const refusals: [string, RegExp][] = [
      ['bucket', /not a URL of the form s3:/],
      ['http://bucket', /not a URL of the form s3:/],
      ['s3:///prefix', /not a URL of the form s3:/],
      ['s3://bucket?path_style=true', /"path_style" .* is not one of endpoint, region, pathStyle/],
      ['s3://bucket?pathStyle=yes', /pathStyle .* is "yes", not true or false/],
    ];
    for (const [url, message] of refusals) assert.throws(() => parseS3Url(url), message);
    assert.throws(
      () => parseS3Url('s3://key:secret@bucket'),
      (error) =>
        error instanceof TypeError &&
        !error.message.includes('secret') &&
        /AWS_ACCESS_KEY_ID/.test(error.message),
    );
  });
});

describe('regionOf', () => {
  const env = { AWS_REGION: 'eu-west-1', AWS_DEFAULT_REGION: 'eu-west-2' };
  it('takes the option, then the environment, then what every store but AWS accepts', () => {
    assert.equal(regionOf({ bucket: 'b', region: 'r' }, env), 'r');
    assert.equal(regionOf({ bucket: 'b' }, env), 'eu-west-1');
    assert.equal(regionOf({ bucket: 'b' }, { AWS_REGION: '', AWS_DEFAULT_REGION: 'eu-west-2' }), 'eu-west-2');
    assert.equal(regionOf({ bucket: 'b', endpoint: 'http://x' }, {}), 'us-east-1');
  });
  it('does not guess where an AWS bucket is', () => {
    assert.throws(() => regionOf({ bucket: 'b' }, {}), /set region or AWS_REGION/);
  });
});

describe('normalizedPrefix', () => {
  it('ends in a slash and does not begin with one', () => {
    assert.deepEqual(['', '/', 'a', '/a/b/', undefined].map(normalizedPrefix), ['', '', 'a/', 'a/b/', '']);
  });
});
