import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { zstdCompressSync } from 'node:zlib';
import { AvroWriter } from './avro-writer.ts';
import { readContainerFile, writeContainerFile } from './container-file.ts';
import { DecodeBudget } from './decode-budget.ts';

const source = 'memory:/tables/a/b.avro';
const syncMarker = new Uint8Array(16);

/** A file whose records are written by `write`. */
function fileOf(schema: unknown, records: number, write: (to: AvroWriter) => void): Uint8Array {
  const header = [['avro.schema', JSON.stringify(schema)]] as const;
  return writeContainerFile({ header, syncMarker }, Array.from({ length: records }), write);
}

/** One record of `values` booleans. */
function flags(values: number): Uint8Array {
  const fields = [{ name: 'flags', type: { type: 'array', items: 'boolean' } }];
  return fileOf({ type: 'record', name: 'top', fields }, 1, (to) => {
    to.blocks(Array.from({ length: values }), () => to.boolean(true));
  });
}

/** A record of ten records of ten records … of a null. */
function nest(depth: number): unknown {
  let inner: unknown = { type: 'record', name: 'r0', fields: [{ name: 'nothing', type: 'null' }] };
  for (let level = 1; level <= depth; level += 1) {
    const fields = Array.from({ length: 10 }, (_, at) => ({
      name: `f${at}`,
      type: at === 0 ? inner : `r${level - 1}`,
    }));
    inner = { type: 'record', name: `r${level}`, fields };
  }
  return inner;
}

describe('an Avro file', () => {
  it('of records that nest without taking bytes does not expand without end', () => {
    const read = (depth: number): unknown => {
      const fields = [
        { name: 'nest', type: nest(depth) },
        { name: 'flag', type: 'boolean' },
      ];
      const file = fileOf({ type: 'record', name: 'top', fields }, 1, (to) => to.boolean(true));
      return readContainerFile(file, source);
    };
    read(2);
    for (const depth of [3, 12, 40])
      assert.throws(() => read(depth), {
        name: 'FormatError',
        message: /more values than a file of this size/,
      });
  });

  it('of arrays of nulls has no more of them than its bytes allow', () => {
    const fields = [{ name: 'nulls', type: { type: 'array', items: 'null' } }];
    const file = fileOf({ type: 'record', name: 'top', fields }, 1, (to) => {
      for (let blocks = 0; blocks < 10_000; blocks += 1) to.long(5_000);
      to.long(0);
    });
    assert.throws(() => readContainerFile(file, source), { name: 'FormatError', message: /more values/ });
  });

  it('has no more values than there may be, however many bytes it has', () => {
    readContainerFile(flags(4_000), source, new DecodeBudget({ values: 5_000 }));
    assert.throws(() => readContainerFile(flags(6_000), source, new DecodeBudget({ values: 5_000 })), {
      name: 'FormatError',
      message: /more values/,
    });
  });

  it('that consists of nulls of unions, the densest that there is, is read whole', () => {
    const fields = Array.from({ length: 100 }, (_, at) => ({ name: `f${at}`, type: ['null', 'long'] }));
    const file = fileOf({ type: 'record', name: 'top', fields }, 2_000, (to) => {
      for (let at = 0; at < 100; at += 1) to.long(0);
    });
    assert.equal(readContainerFile(file, source).records.length, 2_000);
  });

  it('whose blocks expand to more than there may be in all is refused, with every codec', () => {
    const schema = JSON.stringify({ type: 'record', name: 'top', fields: [{ name: 'text', type: 'bytes' }] });
    const plain = new AvroWriter();
    plain.bytes(new Uint8Array(10_000));
    const file = (blocks: number, codec: string, body: Uint8Array): Uint8Array => {
      const to = new AvroWriter();
      to.fixed(Uint8Array.of(0x4f, 0x62, 0x6a, 1));
      to.blocks(Object.entries({ 'avro.schema': schema, 'avro.codec': codec }), ([name, value]) => {
        to.string(name);
        to.string(value);
      });
      to.fixed(syncMarker);
      for (let at = 0; at < blocks; at += 1) {
        to.long(1);
        to.bytes(body);
        to.fixed(syncMarker);
      }
      return to.finish();
    };
    const bodies = { null: plain.finish(), zstandard: zstdCompressSync(plain.finish()) };
    for (const [codec, body] of Object.entries(bodies)) {
      const read = (blocks: number, plainBytes: number): number =>
        readContainerFile(file(blocks, codec, body), source, new DecodeBudget({ plainBytes })).records.length;
      assert.equal(read(3, 3 * plain.sizeBytes), 3);
      assert.throws(() => read(3, 3 * plain.sizeBytes - 1), {
        name: 'FormatError',
        message: /expands to more than a file may/,
      });
      assert.throws(() => read(4, 3 * plain.sizeBytes), { name: 'FormatError', message: /expands to more/ });
    }
    const texts = fileOf(JSON.parse(schema), 3, (to) => to.bytes(new Uint8Array(70_000)));
    assert.throws(() => readContainerFile(texts, source, new DecodeBudget({ plainBytes: 200_000 })), {
      name: 'FormatError',
      message: /expands to more/,
    });
  });

  it('whose types name one another in a long chain is refused, not run through the stack', () => {
    const fields = Array.from({ length: 20_000 }, (_, at) => ({
      name: `f${at}`,
      type: {
        type: 'record',
        name: `r${at}`,
        fields: at === 0 ? [] : [{ name: 'inner', type: `r${at - 1}` }],
      },
    }));
    const file = fileOf({ type: 'record', name: 'top', fields }, 1, (to) => to.boolean(true));
    assert.throws(() => readContainerFile(file, source), { name: 'FormatError', message: /nested deeper/ });
  });
});
