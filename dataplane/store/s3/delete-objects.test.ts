import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { deleteObjectsBody, fitsXml, parseDeleteResult } from './delete-objects.ts';

describe('DeleteObjects', () => {
  it('is asked for quietly, with keys escaped', () => {
    assert.equal(
      Buffer.from(deleteObjectsBody(['a/b', '<&>"\''])).toString(),
      '<?xml version="1.0" encoding="UTF-8"?><Delete xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Quiet>true</Quiet><Object><Key>a/b</Key></Object><Object><Key>&#60;&#38;&#62;&#34;&#39;</Key></Object></Delete>',
    );
  });

  it('names the keys that failed, but not those that did not exist', () => {
    const failures = parseDeleteResult(
      '<DeleteResult xmlns="x"><Deleted><Key>a</Key></Deleted><Error><Key>b&amp;c</Key><Code>SlowDown</Code><Message>m</Message></Error><Error><Key>d</Key><Code>NoSuchKey</Code></Error><Error><Key>e</Key><Code>Odd</Code></Error></DeleteResult>',
    );
    assert.deepEqual(
      failures.map(({ key, refusal }) => [key, refusal.status, refusal.code]),
      [
        ['b&c', 503, 'SlowDown'],
        ['e', 400, 'Odd'],
      ],
    );
    assert.deepEqual(parseDeleteResult('<DeleteResult/>'), []);
    assert.throws(
      () => parseDeleteResult('<Error><Code>InternalError</Code></Error>'),
      /not the result of a delete/,
    );
  });

  it('cannot name every key', () => {
    assert.ok(fitsXml('ä/\u{1f9ca}/"<&'));
    assert.ok(!fitsXml('a\uffff'));
  });
});
