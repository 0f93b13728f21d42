/** What one version of a message makes of its fields: shared by the two compilers and the tests' generators. */
import type { Field, Fields, FieldType, FixedKind } from './field.ts';
import { isInRange, parseVersionRange } from './version-range.ts';

export const fixedSizes: Readonly<Record<FixedKind, number>> = {
  int8: 1,
  bool: 1,
  int16: 2,
  uint16: 2,
  int32: 4,
  uint32: 4,
  int64: 8,
  float64: 8,
  uuid: 16,
};

export interface FieldLayout {
  readonly name: string;
  readonly type: FieldType;
  /** `tagged`: in the tagged fields at the end of its struct. `absent`: this version lacks it. */
  readonly place: 'inline' | 'tagged' | 'absent';
  /** Only of tagged fields. */
  readonly tag: number;
  readonly nullable: boolean;
  readonly ignorable: boolean;
  /** May be left out when encoding: as its type says. */
  readonly optional: boolean;
  /** Strings, bytes and arrays have compact lengths. */
  readonly flexible: boolean;
  readonly defaultValue: DefaultValue;
}

/** `empty`: no elements, no characters, no bytes. `struct`: all its fields have their defaults. */
export type DefaultValue =
  | { readonly kind: 'scalar'; readonly value: number | string | boolean | null }
  | { readonly kind: 'empty-array' | 'empty-bytes' | 'struct' };

export interface StructLayout {
  readonly fields: readonly FieldLayout[];
  /** Ends with tagged fields. */
  readonly flexible: boolean;
}

export function layoutStruct(fields: Fields, version: number, flexible: boolean): StructLayout {
  const layouts = Object.entries(fields).map(([name, field]) => layoutField(name, field, version, flexible));
  const tagged = layouts.filter((field) => field.place === 'tagged');
  if (tagged.length > 0 && !flexible)
    throw new Error(`tagged fields in a version without: ${tagged[0]?.name}`);
  return { fields: layouts, flexible };
}

export function inlineFields(layout: StructLayout): FieldLayout[] {
  return layout.fields.filter((field) => field.place === 'inline');
}

/** In the order of their tags, in which they are written. */
export function taggedFields(layout: StructLayout): FieldLayout[] {
  return layout.fields.filter((field) => field.place === 'tagged').sort((a, b) => a.tag - b.tag);
}

/** The size of a value that always has the same, else undefined. */
export function fixedSizeOf(type: FieldType): number | undefined {
  return type.kind in fixedSizes ? fixedSizes[type.kind as FixedKind] : undefined;
}

/** The fewest bytes that a value takes: bounds how many elements the bytes at hand can hold. */
export function smallestSize(type: FieldType, version: number, flexible: boolean): number {
  switch (type.kind) {
    case 'string':
      return flexible ? 1 : 2;
    case 'bytes':
    case 'records':
    case 'array':
      return flexible ? 1 : 4;
    case 'struct': {
      const layout = layoutStruct(type.fields, version, flexible);
      return inlineFields(layout).reduce(
        (sum, field) =>
          sum +
          (field.nullable && field.type.kind === 'struct'
            ? 1
            : smallestSize(field.type, version, field.flexible)),
        flexible ? 1 : 0,
      );
    }
    default:
      return fixedSizes[type.kind];
  }
}

function layoutField(name: string, field: Field, version: number, flexible: boolean): FieldLayout {
  const { options, type } = field;
  // The compilers write names into source text.
  if (!/^[a-z][A-Za-z0-9]*$/.test(name)) throw new Error(`not a field name: ${name}`);
  const present = options.versions === undefined || isInRange(version, parseVersionRange(options.versions));
  const tagged =
    options.tag !== undefined &&
    (options.taggedVersions === undefined || isInRange(version, parseVersionRange(options.taggedVersions)));
  return {
    name,
    type,
    place: !present ? 'absent' : tagged ? 'tagged' : 'inline',
    tag: options.tag ?? -1,
    nullable: options.nullable !== undefined && isInRange(version, parseVersionRange(options.nullable)),
    ignorable: options.ignorable === true,
    optional: options.versions !== undefined || options.default !== undefined || options.tag !== undefined,
    flexible: flexible && options.flexible !== 'none',
    defaultValue: defaultOf(type, options.default),
  };
}

function defaultOf(type: FieldType, given: number | string | boolean | null | undefined): DefaultValue {
  if (given !== undefined) return { kind: 'scalar', value: given };
  switch (type.kind) {
    case 'string':
      return { kind: 'scalar', value: '' };
    case 'bool':
      return { kind: 'scalar', value: false };
    case 'uuid':
      return { kind: 'scalar', value: '0'.repeat(32) };
    case 'records':
      return { kind: 'scalar', value: null };
    case 'bytes':
      return { kind: 'empty-bytes' };
    case 'array':
      return { kind: 'empty-array' };
    case 'struct':
      return { kind: 'struct' };
    default:
      return { kind: 'scalar', value: 0 };
  }
}
