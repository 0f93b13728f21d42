/**
 * Declaration → straight-line JavaScript for one version, as in `compile-decoder.ts`. For ListOffsets v1:
 *
 *     return function (w, v) {
 *       const f0 = v.replicaId, f1 = v.isolationLevel, f2 = v.topics;
 *       if (!(f1 === undefined || f1 === 0)) throw fail('version', …);   // unless it is ignorable
 *       if (f0 !== (f0 | 0)) throw fail('value', …);
 *       { const p = w.reserve(4), b = w.bytes; f0 at b[p]; }
 *       if (!Array.isArray(f2)) throw fail('value', …);
 *       w.int32(f2.length);
 *       for (…) { … }
 *     }
 */
import { longestString } from './compile-decoder.ts';
import type { VersionedMessage } from './compile-decoder.ts';
import { defaultText, emptyBytes, scalarText } from './default-text.ts';
import { encodingFailures } from './encoding-problem.ts';
import { fixedSizeOf, inlineFields, layoutStruct, taggedFields } from './field-layout.ts';
import type { DefaultValue, FieldLayout, StructLayout } from './field-layout.ts';
import type { FieldType, FixedKind } from './field.ts';
import { FieldPath, SourceText } from './source-text.ts';
import { isUuid, piecesLength, WireWriter, writeFloat64, writeInt64, writeUuid } from './wire-writer.ts';

export type Encoder = (writer: WireWriter, value: unknown) => void;

export function compileEncoder(message: VersionedMessage): Encoder {
  const compiler = new EncoderCompiler(message.version, message.isLenient);
  const { source } = compiler;
  const layout = layoutStruct(message.fields, message.version, message.flexible);
  compiler.struct(layout, 'v', new FieldPath('', []), 'w');
  const text = `'use strict';
return function (w, v) {
${source.toString()}
};`;
  const runtime = {
    WireWriter,
    emptyBytes,
    isUuid,
    piecesLength,
    writeFloat64,
    writeInt64,
    writeUuid,
    fail: encodingFailures(message.name, message.version, source.sites, compiler.expected),
  };
  // oxlint-disable-next-line typescript/no-implied-eval
  const make = new Function(...Object.keys(runtime), text) as (...values: unknown[]) => Encoder;
  return make(...Object.values(runtime));
}

const expectations: Readonly<Record<FieldType['kind'], string>> = {
  int8: 'an int8',
  int16: 'an int16',
  int32: 'an int32',
  uint16: 'a uint16',
  uint32: 'a uint32',
  int64: 'an integer within ±(2^53 - 1)',
  float64: 'a number',
  bool: 'a boolean',
  uuid: 'a uuid of 32 lower-case hexadecimal characters',
  string: `a string of at most ${longestString} bytes`,
  bytes: 'a Uint8Array',
  records: 'a Uint8Array, an array of them, or null',
  array: 'an array',
  struct: 'an object',
};

class EncoderCompiler {
  readonly source = new SourceText();
  /** What belongs at a site, for messages. */
  readonly expected = new Map<number, string>();
  readonly #version: number;
  readonly #isLenient: boolean;

  constructor(version: number, isLenient: boolean) {
    this.#version = version;
    this.#isLenient = isLenient;
  }

  /** Lines that write the struct whose source text is `value` to the writer `w`. */
  struct(layout: StructLayout, value: string, path: FieldPath, w: string): void {
    const { source } = this;
    source.line(
      `if (typeof ${value} !== 'object' || ${value} === null) ${this.#wrong('struct', path, value)}`,
    );
    const values = new Map<string, string>();
    for (const field of layout.fields) values.set(field.name, this.#takeField(field, value, path));
    const inline = inlineFields(layout);
    for (let i = 0; i < inline.length;) {
      const rest = inline.slice(i);
      const length = rest.findIndex((field) => fixedSizeOf(field.type) === undefined);
      const run = length === -1 ? rest : rest.slice(0, length);
      if (run.length > 0) this.#fixedFields(run, values, w);
      const next = inline[i + run.length];
      if (next !== undefined) {
        this.#variableField(next, values.get(next.name) ?? '', path.field(next.name), w);
      }
      i += run.length + 1;
    }
    if (layout.flexible) this.#tagSection(taggedFields(layout), values, path, w);
  }

  /** The variable that holds the field's value, with its default put in, checked as far as its type is fixed. */
  #takeField(field: FieldLayout, owner: string, path: FieldPath): string {
    const { source } = this;
    const fieldPath = path.field(field.name);
    const name = source.name('f');
    source.line(`let ${name} = ${owner}.${field.name};`);
    if (field.place === 'absent') {
      if (!field.ignorable && !this.#isLenient) {
        const isDefault = this.#isDefault(name, field.defaultValue, field.type);
        source.line(`if (!(${isDefault})) throw fail('version', ${fieldPath.arguments(source)}, ${name});`);
      }
      return name;
    }
    // Tagged fields are looked at where they are written: with their default, and without a value, they are not.
    if (field.place === 'tagged') return name;
    if (field.optional) {
      const text = defaultText(field.defaultValue, field.type, this.#version);
      source.line(`if (${name} === undefined) ${name} = ${text};`);
    }
    if (fixedSizeOf(field.type) !== undefined) this.#check(field.type, name, fieldPath);
    return name;
  }

  #check(type: FieldType, value: string, path: FieldPath): void {
    this.source.line(
      `if (${invalidText(type.kind as FixedKind, value)}) ${this.#wrong(type.kind, path, value)}`,
    );
  }

  #fixedFields(run: readonly FieldLayout[], values: ReadonlyMap<string, string>, w: string): void {
    const { source } = this;
    const size = run.reduce((sum, field) => sum + (fixedSizeOf(field.type) ?? 0), 0);
    source.line(`{ const p = ${w}.reserve(${size}), b = ${w}.bytes;`);
    let offset = 0;
    for (const field of run) {
      source.line(storeText(field.type.kind as FixedKind, values.get(field.name) ?? '', offset));
      offset += fixedSizeOf(field.type) ?? 0;
    }
    source.line('}');
  }

  #variableField(field: FieldLayout, value: string, path: FieldPath, w: string): void {
    const { source } = this;
    const { type, flexible, nullable } = field;
    if (nullable) {
      source.line(`if (${value} === null) {`);
      source.line(nullText(field, w));
      source.line('} else {');
    }
    if (type.kind === 'struct' && nullable) source.line(`${w}.byte(1);`);
    this.#value(type, flexible, value, path, w);
    if (nullable) source.line('}');
  }

  /** A value that is not null. */
  #value(type: FieldType, flexible: boolean, value: string, path: FieldPath, w: string): void {
    const { source } = this;
    switch (type.kind) {
      case 'struct':
        return this.struct(layoutStruct(type.fields, this.#version, flexible), value, path, w);
      case 'string': {
        const write = flexible ? 'compactString' : 'string';
        const wrong = this.#wrong(type.kind, path, value);
        source.line(`if (typeof ${value} !== 'string' || !${w}.${write}(${value})) ${wrong}`);
        return;
      }
      case 'bytes':
        source.line(`if (!(${value} instanceof Uint8Array)) ${this.#wrong(type.kind, path, value)}`);
        source.line(`${lengthText(`${value}.length`, flexible, w)} ${w}.piece(${value});`);
        return;
      case 'records': {
        const size = source.name('n');
        source.line(`const ${size} = piecesLength(${value});`);
        source.line(`if (${size} < 0) ${this.#wrong(type.kind, path, value)}`);
        source.line(lengthText(size, flexible, w));
        source.line(`if (Array.isArray(${value})) ${w}.pieces(${value}); else ${w}.piece(${value});`);
        return;
      }
      case 'array': {
        source.line(`if (!Array.isArray(${value})) ${this.#wrong(type.kind, path, value)}`);
        source.line(lengthText(`${value}.length`, flexible, w));
        const index = source.name('i');
        const element = source.name('e');
        source.line(`for (let ${index} = 0; ${index} < ${value}.length; ${index}++) {`);
        source.line(`const ${element} = ${value}[${index}];`);
        this.#value(type.element, flexible, element, path.element(index), w);
        source.line('}');
        return;
      }
      default:
        this.#check(type, value, path);
        source.line(`{ const p = ${w}.reserve(${fixedSizeOf(type)}), b = ${w}.bytes;`);
        source.line(`${storeText(type.kind, value, 0)} }`);
    }
  }

  #tagSection(
    fields: readonly FieldLayout[],
    values: ReadonlyMap<string, string>,
    path: FieldPath,
    w: string,
  ): void {
    const { source } = this;
    if (fields.length === 0) {
      source.line(`${w}.byte(0);`);
      return;
    }
    // Fields that have their defaults are not written.
    const flags = fields.map((field) => {
      const flag = source.name('h');
      const value = values.get(field.name) ?? '';
      source.line(`const ${flag} = !(${this.#isDefault(value, field.defaultValue, field.type)});`);
      return flag;
    });
    source.line(`${w}.unsignedVarint(${flags.join(' + ')});`);
    fields.forEach((field, i) => {
      const value = values.get(field.name) ?? '';
      const fieldPath = path.field(field.name);
      const inner = source.name('w');
      source.line(`if (${flags[i]}) {`);
      source.line(`${w}.unsignedVarint(${field.tag});`);
      const size = fixedSizeOf(field.type);
      if (size !== undefined) {
        source.line(`${w}.unsignedVarint(${size});`);
        this.#value(field.type, field.flexible, value, fieldPath, w);
      } else {
        // Its size comes first: written apart. Such fields are rare.
        source.line(`const ${inner} = new WireWriter(256);`);
        this.#variableField(field, value, fieldPath, inner);
        source.line(`${w}.unsignedVarint(${inner}.length); ${w}.pieces(${inner}.finish());`);
      }
      source.line('}');
    });
  }

  /** Source text: whether the value is the field's default. Undefined is. */
  #isDefault(value: string, defaultValue: DefaultValue, type: FieldType): string {
    switch (defaultValue.kind) {
      case 'scalar': {
        return `${value} === undefined || ${value} === ${scalarText(defaultValue.value)}`;
      }
      case 'empty-array':
      case 'empty-bytes':
        return `${value} === undefined || ${value} !== null && ${value}.length === 0`;
      case 'struct': {
        const fields = type.kind === 'struct' ? layoutStruct(type.fields, this.#version, true).fields : [];
        const all = fields.map((field) => {
          const text = this.#isDefault(`${value}.${field.name}`, field.defaultValue, field.type);
          return `(${text})`;
        });
        return `${value} === undefined || ${value} !== null && ${all.join(' && ')}`;
      }
    }
  }

  #wrong(kind: FieldType['kind'], path: FieldPath, value: string): string {
    const place = path.arguments(this.source);
    this.expected.set(this.source.sites.length - 1, expectations[kind]);
    return `throw fail('value', ${place}, ${value});`;
  }
}

function invalidText(kind: FixedKind, value: string): string {
  switch (kind) {
    case 'int8':
      return `${value} !== ${value} << 24 >> 24`;
    case 'int16':
      return `${value} !== ${value} << 16 >> 16`;
    case 'uint16':
      return `${value} !== (${value} & 0xffff)`;
    case 'int32':
      return `${value} !== (${value} | 0)`;
    case 'uint32':
      return `${value} !== ${value} >>> 0`;
    case 'int64':
      return `!Number.isSafeInteger(${value})`;
    case 'float64':
      return `typeof ${value} !== 'number'`;
    case 'bool':
      return `${value} !== true && ${value} !== false`;
    case 'uuid':
      return `!isUuid(${value})`;
  }
}

/** A statement that stores a checked value at `b[p + offset]`. */
function storeText(kind: FixedKind, value: string, offset: number): string {
  const bytes = (count: number): string =>
    Array.from({ length: count }, (_, i) => {
      const shift = 8 * (count - 1 - i);
      return `b[p + ${offset + i}] = ${shift === 0 ? value : `${value} >>> ${shift}`};`;
    }).join(' ');
  switch (kind) {
    case 'int8':
      return bytes(1);
    case 'int16':
    case 'uint16':
      return bytes(2);
    case 'int32':
    case 'uint32':
      return bytes(4);
    case 'bool':
      return `b[p + ${offset}] = ${value} ? 1 : 0;`;
    case 'int64':
      return `writeInt64(b, p + ${offset}, ${value});`;
    case 'float64':
      return `writeFloat64(b, p + ${offset}, ${value});`;
    case 'uuid':
      return `writeUuid(b, p + ${offset}, ${value});`;
  }
}

function lengthText(length: string, flexible: boolean, w: string): string {
  return flexible ? `${w}.unsignedVarint(${length} + 1);` : `${w}.int32(${length});`;
}

function nullText({ type, flexible, place }: FieldLayout, w: string): string {
  // Structs have a marker of one byte; as tagged fields, one that is a varint.
  if (type.kind === 'struct') return `${w}.byte(${place === 'tagged' ? 0 : 255});`;
  if (flexible) return `${w}.unsignedVarint(0);`;
  return type.kind === 'string' ? `${w}.int16(-1);` : `${w}.int32(-1);`;
}
