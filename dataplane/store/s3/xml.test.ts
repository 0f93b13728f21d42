import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { childOf, escapeXml, parseXml, textOf, XmlError } from './xml.ts';

describe('parseXml', () => {
  it('reads an S3 error document', () => {
    const error = parseXml(
      '<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>NoSuchKey</Code><Message>The specified key does not exist.</Message><Key>a&amp;b</Key><RequestId>4442587FB7D0A2F9</RequestId></Error>',
    );
    assert.equal(error.name, 'Error');
    assert.equal(textOf(error, 'Code'), 'NoSuchKey');
    assert.equal(textOf(error, 'Key'), 'a&b');
    assert.equal(textOf(error, 'HostId'), undefined);
  });

  it('skips attributes, namespace prefixes, comments and processing instructions', () => {
    const root = parseXml(
      '\ufeff<!-- a > b --><s3:List xmlns:s3="http://x/"  a=\'1\'><s3:Item id="1"/><?p i?><Item>x<!-- -->y</Item></s3:List>\n',
    );
    assert.equal(root.name, 'List');
    assert.deepEqual(
      root.children.map(({ name, text }) => [name, text]),
      [
        ['Item', ''],
        ['Item', 'xy'],
      ],
    );
    assert.equal(childOf(root, 'Item')?.text, '');
  });

  it('decodes entities and CDATA', () => {
    const root = parseXml('<a>&lt;&gt;&amp;&quot;&apos;&#38;&#x1F9CA;<![CDATA[<&amp;>]]>&amp;lt;</a>');
    assert.equal(root.text, '<>&"\'&\u{1f9ca}<&amp;>&lt;');
  });

  it('refuses what is not XML, and what nobody should send', () => {
    const bad = [
      '',
      'text',
      '<a>',
      '<a></b>',
      '</a>',
      '<a/><b/>',
      '<a/>text',
      '<a',
      '<>',
      '< a/>',
      '<a>&nbsp;</a>',
      '<a>&lt</a>',
      '<a>&</a>',
      '<a>&#0;</a>',
      '<a>&#xD800;</a>',
      '<a>&#x110000;</a>',
      '<a><![CDATA[</a>',
      '<!-- ',
      '<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>',
      '<a>'.repeat(100),
    ];
    for (const source of bad) assert.throws(() => parseXml(source), XmlError, source);
  });

  it('reads back whatever was escaped', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), (text) => {
        assert.equal(parseXml(`<a>${escapeXml(text)}</a>`).text, text);
      }),
    );
  });
});
