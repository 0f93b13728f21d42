/**
 * The language in which messages are declared: what Kafka's JSON definitions say, as TypeScript values from which both
 * the types and the codecs come.
 *
 *     export const deleteRecords = defineApi({
 *       key: 21, name: 'DeleteRecords', versions: '0-2', flexible: '2+',
 *       request: { topics: array({ name: string(), partitions: array({ partitionIndex: int32(), offset: int64() }) }),
 *                  timeoutMs: int32() },
 *       …
 *
 * Options of a field: the `versions` that have it (default: all of the message), where it is `nullable`, its `default`
 * (0, false, '', an empty array, null for records, when not given), its `tag` and `taggedVersions` (default: all that
 * have it), `ignorable`: a version without the field loses its value silently when encoding, and `flexible: 'none'` for
 * the one string of the request header that keeps its old form.
 */
import type { VersionRangeText } from './version-range.ts';

export interface FieldOptions {
  readonly versions?: VersionRangeText;
  readonly nullable?: VersionRangeText;
  readonly default?: number | string | boolean | null;
  readonly tag?: number;
  readonly taggedVersions?: VersionRangeText;
  readonly ignorable?: boolean;
  readonly flexible?: 'none';
}

export type FixedKind =
  'int8' | 'int16' | 'int32' | 'int64' | 'uint16' | 'uint32' | 'float64' | 'bool' | 'uuid';
export type VariableKind = 'string' | 'bytes' | 'records';

export type FieldType =
  | { readonly kind: FixedKind | VariableKind }
  | { readonly kind: 'array'; readonly element: FieldType }
  | { readonly kind: 'struct'; readonly fields: Fields };

declare const typesOfField: unique symbol;

/** One field. `Decoded` is what decoding yields, `Input` what encoding takes, `Optional` whether it may be left out there. */
export interface Field<Decoded = unknown, Input = unknown, Optional extends boolean = boolean> {
  readonly type: FieldType;
  readonly options: FieldOptions;
  /** Types only: never there. */
  readonly [typesOfField]?: readonly [Decoded, Input, Optional];
}

/** Fields by name, in the order in which they travel. */
export interface Fields {
  readonly [name: string]: Field;
}

type DecodedField<F> = F extends Field<infer Decoded> ? Decoded : never;
type InputField<F> = F extends Field<unknown, infer Input> ? Input : never;
type OptionalNames<F extends Fields> = {
  [Name in keyof F]: F[Name] extends Field<unknown, unknown, true> ? Name : never;
}[keyof F];

/** A decoded struct: every field is there; those that the version lacks have their defaults. */
export type Decoded<F extends Fields> = { readonly [Name in keyof F]: DecodedField<F[Name]> };

/** A struct to encode: fields that have a default, or that some version lacks, may be left out. */
export type Input<F extends Fields> = {
  readonly [Name in Exclude<keyof F, OptionalNames<F>>]: InputField<F[Name]>;
} & { readonly [Name in OptionalNames<F>]?: InputField<F[Name]> | undefined };

type IsOptional<O> = O extends { versions: string } | { default: unknown } | { tag: number } ? true : false;
type OrNull<T, O> = O extends { nullable: string } ? T | null : T;
type ScalarField<T, O> = Field<OrNull<T, O>, OrNull<T, O>, IsOptional<O>>;

type NumberOptions = Omit<FieldOptions, 'nullable' | 'flexible' | 'default'> & { readonly default?: number };
type BoolOptions = Omit<FieldOptions, 'nullable' | 'flexible' | 'default'> & { readonly default?: boolean };
type StringOptions = Omit<FieldOptions, 'default'> & { readonly default?: string | null };
type NullDefaultOptions = Omit<FieldOptions, 'flexible' | 'default'> & { readonly default?: null };
type UuidOptions = Omit<FieldOptions, 'nullable' | 'flexible' | 'default'>;

type NoOptions = {};

export function int8<const O extends NumberOptions = NoOptions>(options?: O): ScalarField<number, O> {
  return { type: { kind: 'int8' }, options: options ?? {} };
}

export function int16<const O extends NumberOptions = NoOptions>(options?: O): ScalarField<number, O> {
  return { type: { kind: 'int16' }, options: options ?? {} };
}

export function uint16<const O extends NumberOptions = NoOptions>(options?: O): ScalarField<number, O> {
  return { type: { kind: 'uint16' }, options: options ?? {} };
}

export function int32<const O extends NumberOptions = NoOptions>(options?: O): ScalarField<number, O> {
  return { type: { kind: 'int32' }, options: options ?? {} };
}

export function uint32<const O extends NumberOptions = NoOptions>(options?: O): ScalarField<number, O> {
  return { type: { kind: 'uint32' }, options: options ?? {} };
}

/**
 * A number: beyond ±(2^53 - 1) it decodes to ±Infinity, which is beyond any offset, time or id that Firn has, and does
 * not encode.
 */
export function int64<const O extends NumberOptions = NoOptions>(options?: O): ScalarField<number, O> {
  return { type: { kind: 'int64' }, options: options ?? {} };
}

export function float64<const O extends NumberOptions = NoOptions>(options?: O): ScalarField<number, O> {
  return { type: { kind: 'float64' }, options: options ?? {} };
}

export function bool<const O extends BoolOptions = NoOptions>(options?: O): ScalarField<boolean, O> {
  return { type: { kind: 'bool' }, options: options ?? {} };
}

/** 32 lower-case hexadecimal characters; 32 zeros are Kafka's "no id". */
export function uuid<const O extends UuidOptions = NoOptions>(options?: O): ScalarField<string, O> {
  return { type: { kind: 'uuid' }, options: options ?? {} };
}

export function string<const O extends StringOptions = NoOptions>(options?: O): ScalarField<string, O> {
  return { type: { kind: 'string' }, options: options ?? {} };
}

/** Decodes to a view of the frame. */
export function bytes<const O extends NullDefaultOptions = NoOptions>(
  options?: O,
): ScalarField<Uint8Array, O> {
  return { type: { kind: 'bytes' }, options: options ?? {} };
}

/**
 * Record batches, or null. Decodes to a view of the frame; encodes from one piece or several, which are not copied
 * (small ones are) and so must not change until they are written.
 */
export function records<const O extends NullDefaultOptions = NoOptions>(
  options?: O,
): Field<Uint8Array | null, Uint8Array | readonly Uint8Array[] | null, IsOptional<O>> {
  return { type: { kind: 'records' }, options: options ?? {} };
}

/** An array of structs, given by their fields, or of values without a name. */
export function array<E extends Field, const O extends NullDefaultOptions = NoOptions>(
  element: E,
  options?: O,
): Field<OrNull<readonly DecodedField<E>[], O>, OrNull<readonly InputField<E>[], O>, IsOptional<O>>;
export function array<F extends Fields, const O extends NullDefaultOptions = NoOptions>(
  fields: F,
  options?: O,
): Field<OrNull<readonly Decoded<F>[], O>, OrNull<readonly Input<F>[], O>, IsOptional<O>>;
export function array(element: Field | Fields, options?: FieldOptions): Field {
  const type: FieldType = isField(element) ? element.type : { kind: 'struct', fields: element };
  return { type: { kind: 'array', element: type }, options: options ?? {} };
}

/** One nested struct. */
export function struct<F extends Fields, const O extends NullDefaultOptions = NoOptions>(
  fields: F,
  options?: O,
): Field<OrNull<Decoded<F>, O>, OrNull<Input<F>, O>, IsOptional<O>> {
  return { type: { kind: 'struct', fields }, options: options ?? {} };
}

/** A struct with fields named `type` and `options` is still no field: its `type` is one. */
function isField(value: Field | Fields): value is Field {
  return typeof value['type'] === 'object' && 'kind' in value['type'];
}
