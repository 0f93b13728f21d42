import { FormatError } from '../errors.ts';
import type { FormatErrorCode } from '../errors.ts';

const minLong = -(2n ** 63n);
const maxLong = 2n ** 63n - 1n;
const maxInt = 2 ** 31 - 1;

/** Reads the fields of a JSON object one by one; throws a {@link FormatError} where one is not as it should be. */
export class JsonObject {
  readonly source: string;
  /** Path of this object; empty for the outermost. */
  readonly path: string;
  readonly #fields: Readonly<Record<string, unknown>>;
  readonly #taken: Set<string> = new Set();

  constructor(value: unknown, source: string, path = '') {
    this.source = source;
    this.path = path;
    if (!isJsonObject(value)) {
      throw new FormatError('INVALID', { source, field: path }, `${shown(value)} is no object`);
    }
    this.#fields = value;
  }

  /** Whether the field is there and not null. Asking is not reading it: `rest` still has it. */
  has(name: string): boolean {
    return Object.hasOwn(this.#fields, name) && this.#fields[name] !== null;
  }

  /** `undefined` when it is missing or null; read either way, so no part of {@link rest}. */
  value(name: string): unknown {
    this.#taken.add(name);
    return this.has(name) ? this.#fields[name] : undefined;
  }

  text(name: string): string {
    const value = this.value(name);
    return typeof value === 'string' ? value : this.fail(name, `${shown(value)} is no text`);
  }

  optionalText(name: string): string | undefined {
    return this.value(name) === undefined ? undefined : this.text(name);
  }

  flag(name: string): boolean {
    const value = this.value(name);
    return typeof value === 'boolean' ? value : this.fail(name, `${shown(value)} is neither true nor false`);
  }

  /** A whole number that a `number` holds exactly: up to 2^53. */
  integer(name: string, min = 0, max = Number.MAX_SAFE_INTEGER): number {
    const value = this.value(name);
    if (typeof value === 'number' && Number.isSafeInteger(value) && value >= min && value <= max)
      return value;
    return this.fail(name, `${shown(value)} is no whole number from ${min} to ${max}`);
  }

  optionalInteger(name: string, min = 0, max = Number.MAX_SAFE_INTEGER): number | undefined {
    return this.value(name) === undefined ? undefined : this.integer(name, min, max);
  }

  /** An id of 32 bits: of a schema, field, spec or order. */
  id(name: string, min = 0): number {
    return this.integer(name, min, maxInt);
  }

  /** A whole number of 64 bits. */
  long(name: string): bigint {
    return longOf(this.value(name)) ?? this.fail(name, `${shown(this.value(name))} is no 64-bit number`);
  }

  optionalLong(name: string): bigint | undefined {
    return this.value(name) === undefined ? undefined : this.long(name);
  }

  longs(name: string): readonly bigint[] {
    return this.#array(name).map(
      (value, at) => longOf(value) ?? this.fail(`${name}[${at}]`, `${shown(value)} is no 64-bit number`),
    );
  }

  ids(name: string, min = 0): readonly number[] {
    return this.#array(name).map((value, at) =>
      typeof value === 'number' && Number.isSafeInteger(value) && value >= min && value <= maxInt
        ? value
        : this.fail(`${name}[${at}]`, `${shown(value)} is no id`),
    );
  }

  strings(name: string): readonly string[] {
    return this.#array(name).map((value, at) =>
      typeof value === 'string' ? value : this.fail(`${name}[${at}]`, `${shown(value)} is no text`),
    );
  }

  object(name: string): JsonObject {
    return new JsonObject(this.value(name), this.source, this.#pathOf(name));
  }

  list<T>(name: string, decode: (element: JsonObject) => T): T[] {
    return this.#array(name).map((value, at) =>
      decode(new JsonObject(value, this.source, `${this.#pathOf(name)}[${at}]`)),
    );
  }

  /** Missing means empty. */
  listOrEmpty<T>(name: string, decode: (element: JsonObject) => T): T[] {
    return this.value(name) === undefined ? [] : this.list(name, decode);
  }

  /** A map of texts; missing means empty. */
  texts(name: string): Readonly<Record<string, string>> {
    if (this.value(name) === undefined) return {};
    const object = this.object(name);
    return Object.fromEntries(object.names().map((key) => [key, object.text(key)]));
  }

  /** Decoded with the path of the value, for values that may be of several kinds. */
  decoded<T>(name: string, decode: (value: unknown, source: string, path: string) => T): T {
    return decode(this.value(name), this.source, this.#pathOf(name));
  }

  names(): readonly string[] {
    return Object.keys(this.#fields);
  }

  /** The fields that nobody read, or `undefined` when there are none. */
  rest(): Readonly<Record<string, unknown>> | undefined {
    const names = this.names().filter((name) => !this.#taken.has(name));
    if (names.length === 0) return undefined;
    return Object.fromEntries(names.map((name) => [name, this.#fields[name]]));
  }

  fail(name: string, what: string, code: FormatErrorCode = 'INVALID'): never {
    throw new FormatError(code, { source: this.source, field: this.#pathOf(name) }, what);
  }

  #array(name: string): readonly unknown[] {
    const value = this.value(name);
    if (!Array.isArray(value)) return this.fail(name, `${shown(value)} is no list`);
    return value as readonly unknown[];
  }

  #pathOf(name: string): string {
    if (name === '') return this.path;
    return this.path === '' ? name : `${this.path}.${name}`;
  }
}

export function isJsonObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function longOf(value: unknown): bigint | undefined {
  if (typeof value === 'number' && Number.isSafeInteger(value)) return BigInt(value);
  return typeof value === 'bigint' && value >= minLong && value <= maxLong ? value : undefined;
}

/** A value for a message, cut when it is long. */
export function shown(value: unknown): string {
  if (value === undefined) return 'nothing';
  if (typeof value === 'bigint') return value.toString();
  if (Array.isArray(value)) return 'a list';
  if (isJsonObject(value)) return 'an object';
  const text = JSON.stringify(value);
  return text.length > 60 ? `${text.slice(0, 60)}…` : text;
}
