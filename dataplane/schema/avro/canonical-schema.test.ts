import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readAvroTree } from './avro-tree.ts';
import { canonicalSchemaText } from './canonical-schema.ts';
import { parseSchemaJson } from './schema-json.ts';

function canonical(text: string): string {
  return canonicalSchemaText(readAvroTree(parseSchemaJson(text)));
}

/** What `new Schema.Parser().parse(text).toString()` of Avro's Java library prints. */
test('texts of one schema have one canonical text', () => {
  const cases: readonly (readonly [text: string, canonical: string])[] = [
    ['{"type":"string"}', '"string"'],
    [' [ "null" , {"type":"int"} ] ', '["null","int"]'],
    ['{"logicalType":"timestamp-millis","type":"long"}', '{"type":"long","logicalType":"timestamp-millis"}'],
    [
      '{"name":"a.b.R","fields":[],"type":"record","aliases":["Old","c.Older"],"doc":"d","x":1}',
      '{"type":"record","name":"R","namespace":"a.b","doc":"d","fields":[],"x":1,"aliases":["Old","c.Older"]}',
    ],
    [
      '{"type":"record","name":"R","namespace":"n","fields":[{"default":1.5,"order":"ignore","type":{"type":"double"},"name":"f","aliases":["g"],"doc":"of f"}]}',
      '{"type":"record","name":"R","namespace":"n","fields":[{"name":"f","type":"double","doc":"of f","default":1.5,"order":"ignore","aliases":["g"]}]}',
    ],
    [
      '{"type":"record","name":"R","namespace":"n","fields":[{"name":"e","type":{"symbols":["A"],"default":"A","name":"E","type":"enum"}},{"name":"again","type":"n.E"},{"name":"x","type":{"type":"fixed","name":"o.F","size":4}},{"name":"next","type":["null","R"],"order":"ascending"}]}',
      '{"type":"record","name":"R","namespace":"n","fields":[{"name":"e","type":{"type":"enum","name":"E","symbols":["A"],"default":"A"}},{"name":"again","type":"E"},{"name":"x","type":{"type":"fixed","name":"F","namespace":"o","size":4}},{"name":"next","type":["null","R"]}]}',
    ],
    [
      '{"type":"map","values":{"items":"int","type":"array"}}',
      '{"type":"map","values":{"type":"array","items":"int"}}',
    ],
  ];
  for (const [text, expected] of cases) {
    assert.equal(canonical(text), expected);
    assert.equal(canonical(expected), expected);
  }
});

test('numbers keep every digit', () => {
  const text =
    '{"type":"record","name":"R","fields":[{"name":"f","type":"long","default":9223372036854775807}]}';
  assert.equal(canonical(text), text);
});
