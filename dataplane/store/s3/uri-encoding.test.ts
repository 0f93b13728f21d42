import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { canonicalQuery, decodeListed, encodeUriComponent, encodeUriPath } from './uri-encoding.ts';

describe('URI encoding for Signature Version 4', () => {
  it('keeps unreserved characters only, and encodes bytes of UTF-8 in upper case', () => {
    assert.equal(
      encodeUriComponent("AZaz09-._~ /+!'()*=&%é😀"),
      'AZaz09-._~%20%2F%2B%21%27%28%29%2A%3D%26%25%C3%A9%F0%9F%98%80',
    );
  });

  it('keeps the slashes of a path', () => {
    assert.equal(encodeUriPath('wal/00/a b/ck-1'), 'wal/00/a%20b/ck-1');
    assert.equal(encodeUriPath('plain/path-1._~'), 'plain/path-1._~');
  });

  it('sorts a query by encoded name and leaves out what is undefined', () => {
    assert.equal(
      canonicalQuery({ prefix: 'a/b c', 'list-type': '2', 'max-keys': undefined, 'encoding-type': 'url' }),
      'encoding-type=url&list-type=2&prefix=a%2Fb%20c',
    );
    assert.equal(canonicalQuery({ delete: '' }), 'delete=');
  });

  it('never leaves a character that needs encoding, and loses nothing', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        const encoded = encodeUriComponent(text);
        assert.match(encoded, /^(?:[A-Za-z0-9\-._~]|%[0-9A-F]{2})*$/);
        assert.equal(decodeURIComponent(encoded), text);
        assert.equal(decodeListed(encoded), text);
      }),
    );
  });

  it('reads a plus in a list as a space', () => {
    assert.equal(decodeListed('a+b%2Bc%20d'), 'a b+c d');
  });
});
