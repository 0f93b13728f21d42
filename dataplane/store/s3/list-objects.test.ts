import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { listQuery, parseListPage } from './list-objects.ts';
import { AnswerError } from './object-headers.ts';

function contents(key: string, size = '1'): string {
  return `<Contents><Key>${key}</Key><LastModified>2013-05-24T00:00:00.000Z</LastModified><ETag>&quot;e&quot;</ETag><Size>${size}</Size><StorageClass>STANDARD</StorageClass></Contents>`;
}

function page(inner: string): string {
  return `<?xml version="1.0" encoding="UTF-8"?>\n<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Name>bucket</Name>${inner}</ListBucketResult>`;
}

describe('ListObjectsV2', () => {
  it('is asked for with the prefix of the store in front of everything', () => {
    assert.equal(
      listQuery('root/', 'a b', { startAfter: 'a c', maxKeys: 10 }),
      'encoding-type=url&list-type=2&max-keys=10&prefix=root%2Fa%20b&start-after=root%2Fa%20c',
    );
    assert.equal(
      listQuery('', '', { continuation: '1/token+=' }),
      'continuation-token=1%2Ftoken%2B%3D&encoding-type=url&list-type=2&prefix=',
    );
  });

  it('is read with keys decoded and cut', () => {
    const xml = page(
      `<IsTruncated>true</IsTruncated><EncodingType>url</EncodingType><NextContinuationToken>n</NextContinuationToken>${contents('root/a+b%2Bc%0Ad')}`,
    );
    assert.deepEqual(parseListPage(xml, 'root/'), {
      objects: [{ key: 'a b+c\nd', sizeBytes: 1, etag: '"e"', lastModifiedMs: Date.UTC(2013, 4, 24) }],
      next: 'n',
    });
  });

  it('is read as it stands when the store did not encode', () => {
    const { objects } = parseListPage(page(contents('a+b%20&amp;c')), '');
    assert.deepEqual(
      objects.map(({ key }) => key),
      ['a+b%20&c'],
    );
  });

  it('may be empty, and quotes ETags that are not', () => {
    assert.deepEqual(parseListPage(page('<IsTruncated>false</IsTruncated>'), ''), {
      objects: [],
      next: undefined,
    });
    const [object] = parseListPage(page(contents('a').replaceAll('&quot;', '')), '').objects;
    assert.equal(object?.etag, '"e"');
  });

  it('is refused when it is incomplete', () => {
    const bad = [
      '<Error><Code>InternalError</Code></Error>',
      page('<IsTruncated>true</IsTruncated>'),
      page(contents('elsewhere/a')),
      page(contents('root/a', 'many')),
      page('<Contents><Key>root/a</Key><Size>1</Size></Contents>'),
    ];
    for (const xml of bad) assert.throws(() => parseListPage(xml, 'root/'), AnswerError);
    assert.throws(
      () => parseListPage(page(`<EncodingType>url</EncodingType>${contents('root/%')}`), 'root/'),
      URIError,
    );
  });
});
