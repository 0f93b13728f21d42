/** For tests: messages made from their declarations, whatever a version allows. */
import { VirtualRandom } from '../runtime/virtual-random.ts';
import { layoutStruct } from './field-layout.ts';
import type { FieldLayout } from './field-layout.ts';
import type { Fields, FieldType } from './field.ts';
import type { AnyMessage } from './message.ts';
import { isInRange } from './version-range.ts';

/** An integer from 0 to `max`, both included. */
export type Draw = (max: number) => number;

/** The same draws for the same seed. */
export function drawFrom(seed: number): Draw {
  const random = new VirtualRandom(seed, 'message');
  return (max) => Math.floor(((random.uint32() * 2 ** 21 + (random.uint32() >>> 11)) / 2 ** 53) * (max + 1));
}

export type Struct = Record<string, unknown>;

/** A message of that version: fields that it lacks have their defaults. */
export function drawMessage(message: AnyMessage, version: number, draw: Draw): Struct {
  return drawStruct(message.fields, version, isFlexible(message, version), draw);
}

export function isFlexible(message: AnyMessage, version: number): boolean {
  return isInRange(version, message.flexibleVersions);
}

/** A decoded message without the fields that are as if they had been left out. */
export function withoutDefaults(fields: Fields, version: number, value: Struct): Struct {
  const sparse: Struct = {};
  for (const layout of layoutStruct(fields, version, true).fields) {
    const content = value[layout.name];
    if (layout.optional && isSame(content, defaultOf(layout, version))) continue;
    sparse[layout.name] = sparseValue(layout.type, version, content);
  }
  return sparse;
}

function sparseValue(type: FieldType, version: number, value: unknown): unknown {
  if (value === null) return null;
  if (type.kind === 'struct') return withoutDefaults(type.fields, version, value as Struct);
  if (type.kind !== 'array') return value;
  return (value as readonly unknown[]).map((element) => sparseValue(type.element, version, element));
}

/** The value that decoding gives a field that its version lacks. */
export function defaultOf(field: FieldLayout, version: number): unknown {
  const { defaultValue, type } = field;
  switch (defaultValue.kind) {
    case 'scalar':
      return defaultValue.value;
    case 'empty-array':
      return [];
    case 'empty-bytes':
      return Buffer.alloc(0);
    case 'struct': {
      if (type.kind !== 'struct') throw new Error(`${field.name} is no struct`);
      const { fields } = layoutStruct(type.fields, version, true);
      return Object.fromEntries(fields.map((inner) => [inner.name, defaultOf(inner, version)]));
    }
  }
}

function isSame(value: unknown, other: unknown): boolean {
  return JSON.stringify(value, infinityAsText) === JSON.stringify(other, infinityAsText);
}

function infinityAsText(_: string, value: unknown): unknown {
  return value === Infinity ? 'Infinity' : value;
}

function drawStruct(fields: Fields, version: number, flexible: boolean, draw: Draw): Struct {
  const { fields: layouts } = layoutStruct(fields, version, flexible);
  return Object.fromEntries(
    layouts.map((layout) => [layout.name, drawField(layout, version, flexible, draw)]),
  );
}

function drawField(field: FieldLayout, version: number, flexible: boolean, draw: Draw): unknown {
  if (field.place === 'absent') return defaultOf(field, version);
  if (field.place === 'tagged' && draw(2) === 0) return defaultOf(field, version);
  if (field.nullable && draw(3) === 0) return null;
  return drawValue(field.type, version, flexible, draw);
}

function drawValue(type: FieldType, version: number, flexible: boolean, draw: Draw): unknown {
  switch (type.kind) {
    case 'int8':
      return drawInteger(draw, -0x80, 0x7f);
    case 'int16':
      return drawInteger(draw, -0x8000, 0x7fff);
    case 'uint16':
      return drawInteger(draw, 0, 0xffff);
    case 'int32':
      return drawInteger(draw, -0x8000_0000, 0x7fff_ffff);
    case 'uint32':
      return drawInteger(draw, 0, 0xffff_ffff);
    case 'int64':
      return drawInteger(draw, -Number.MAX_SAFE_INTEGER, Number.MAX_SAFE_INTEGER);
    case 'float64':
      return (draw(2 ** 31) - 2 ** 30) / 2 ** draw(20);
    case 'bool':
      return draw(1) === 1;
    case 'uuid':
      return Array.from({ length: 32 }, () => draw(15).toString(16)).join('');
    case 'string':
      return drawString(draw);
    case 'bytes':
    case 'records':
      return Buffer.from(Array.from({ length: drawLength(draw) }, () => draw(255)));
    case 'array':
      return Array.from({ length: draw(3) }, () => drawValue(type.element, version, flexible, draw));
    case 'struct':
      return drawStruct(type.fields, version, flexible, draw);
  }
}

function drawInteger(draw: Draw, min: number, max: number): number {
  const edges = [0, -1, 1, min, max, 0x7f, 0x80, 0xffff].filter((edge) => edge >= min && edge <= max);
  const choice = draw(edges.length * 2 - 1);
  // No sum beyond 2^53: the span of a safe integer is twice that.
  return edges[choice] ?? (draw(1) === 0 ? draw(max) : Math.max(min, -1 - draw(max)));
}

function drawString(draw: Draw): string {
  const alphabet = draw(2) === 0 ? ['é', '漢', '🧊', 'z', '\0'] : ['a', 'b', '-', '.', 'Z'];
  return Array.from({ length: drawLength(draw) }, () => alphabet[draw(alphabet.length - 1)]).join('');
}

/** Mostly short; at times around the length whose varint takes two bytes, or too long for a plain loop. */
function drawLength(draw: Draw): number {
  const choice = draw(9);
  if (choice === 9) return 120 + draw(20);
  return choice === 8 ? 600 + draw(10) : draw(8);
}
