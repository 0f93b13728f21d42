import type { Extra } from './cluster-state.ts';

/** A value that does not have the shape it should; `path` leads to it from the outermost value. */
export class ShapeProblem extends Error {
  path: string;

  constructor(path: string, message: string) {
    super(message);
    this.name = 'ShapeProblem';
    this.path = path;
  }
}

/** Reads the fields of a JSON object one by one; throws a {@link ShapeProblem} where one is not as it should be. */
export class Fields {
  readonly #object: Readonly<Record<string, unknown>>;
  /** Those that were asked for and are there. */
  readonly #taken: string[] = [];

  constructor(value: unknown) {
    if (!isObject(value)) throw new ShapeProblem('', `${shown(value)} is no object`);
    this.#object = value;
  }

  value(name: string): unknown {
    if (!Object.hasOwn(this.#object, name)) return undefined;
    this.#taken.push(name);
    return this.#object[name];
  }

  text(name: string, pattern: RegExp): string {
    return textOf(this.value(name), name, pattern);
  }

  optionalText(name: string, pattern: RegExp): string | undefined {
    const value = this.value(name);
    return value === undefined ? undefined : textOf(value, name, pattern);
  }

  oneOf<T extends string>(name: string, allowed: readonly T[]): T {
    const value = this.value(name);
    const found = allowed.find((one) => one === value);
    if (found === undefined) throw new ShapeProblem(name, `${shown(value)} is none of ${allowed.join(', ')}`);
    return found;
  }

  integer(name: string, min: number, max = Number.MAX_SAFE_INTEGER): number {
    return integerOf(this.value(name), name, min, max);
  }

  optionalInteger(name: string, min: number, max?: number): number | undefined {
    const value = this.value(name);
    return value === undefined ? undefined : integerOf(value, name, min, max);
  }

  flag(name: string): boolean {
    const value = this.value(name);
    if (typeof value !== 'boolean') throw new ShapeProblem(name, `${shown(value)} is neither true nor false`);
    return value;
  }

  optionalFlag(name: string): boolean | undefined {
    const value = this.value(name);
    if (value === undefined || typeof value === 'boolean') return value;
    throw new ShapeProblem(name, `${shown(value)} is neither true nor false`);
  }

  /** Each element decoded; the path of what `decode` throws is completed. */
  list<T>(name: string, decode: (element: unknown) => T): T[] {
    return listOf(this.value(name), name, decode);
  }

  /** The object itself, not a copy. */
  texts(name: string): Readonly<Record<string, string>> {
    const value = this.value(name);
    if (!isObject(value)) throw new ShapeProblem(name, `${shown(value)} is no object`);
    for (const key of Object.keys(value)) {
      if (typeof value[key] !== 'string')
        throw new ShapeProblem(`${name}.${key}`, `${shown(value[key])} is no text`);
    }
    return value as Readonly<Record<string, string>>;
  }

  nested<T>(name: string, decode: (value: unknown) => T): T {
    const value = this.value(name);
    return inside(name, () => decode(value));
  }

  optionalNested<T>(name: string, decode: (value: unknown) => T): T | undefined {
    const value = this.value(name);
    return value === undefined ? undefined : inside(name, () => decode(value));
  }

  /** The fields that were not asked for; `{}` when there are none, so that it can be spread. */
  rest(): { readonly extra?: Extra } {
    const names = Object.keys(this.#object);
    if (names.length === this.#taken.length) return noExtra;
    const taken = new Set(this.#taken);
    const extra = names.filter((name) => !taken.has(name)).map((name) => [name, this.#object[name]] as const);
    return { extra: Object.fromEntries(extra) };
  }
}

const noExtra = {};

export function listOf<T>(value: unknown, path: string, decode: (element: unknown) => T): T[] {
  if (!Array.isArray(value)) throw new ShapeProblem(path, `${shown(value)} is no list`);
  const list: readonly unknown[] = value;
  let index = 0;
  return inside(
    () => `${path}[${index}]`,
    () => {
      const decoded: T[] = [];
      for (; index < list.length; index += 1) decoded.push(decode(list[index]));
      return decoded;
    },
  );
}

export function integerOf(value: unknown, path: string, min: number, max = Number.MAX_SAFE_INTEGER): number {
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= min && value <= max) return value;
  const range = max === Number.MAX_SAFE_INTEGER ? `of at least ${min}` : `from ${min} to ${max}`;
  throw new ShapeProblem(path, `${shown(value)} is no whole number ${range}`);
}

export function textOf(value: unknown, path: string, pattern: RegExp): string {
  if (typeof value === 'string' && pattern.test(value)) return value;
  throw new ShapeProblem(path, `${shown(value)} is no text that matches ${pattern.source}`);
}

function inside<T>(path: string | (() => string), decode: () => T): T {
  try {
    return decode();
  } catch (error) {
    if (error instanceof ShapeProblem) {
      const outer = typeof path === 'string' ? path : path();
      const separator = error.path === '' || error.path.startsWith('[') ? '' : '.';
      error.path = `${outer}${separator}${error.path}`;
    }
    throw error;
  }
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function shown(value: unknown): string {
  const text = JSON.stringify(value) ?? 'nothing';
  return text.length > 60 ? `${text.slice(0, 60)}…` : text;
}
