/**
 * Turns what `JSON.parse` returned into typed values, or says which part of it is not what it should be:
 * `parts.3.logStart: expected an integer from 0 to 2^53 - 1, got "x"`.
 *
 * Object fields and tuple elements beyond the known ones are ignored: they come from the next format version (see
 * `version.ts`) and are not written again.
 */
export type Shape<T> = (value: unknown) => T;

/** The value does not have the shape. The path is filled in on the way out. */
export class ShapeError extends Error {
  #path: string[] = [];
  readonly #expected: string;
  readonly #got: string;

  constructor(expected: string, got: unknown) {
    super();
    this.name = 'ShapeError';
    this.#expected = expected;
    this.#got = describe(got);
  }

  override get message(): string {
    const path = this.#path.length === 0 ? '' : `${this.#path.join('.')}: `;
    return `${path}expected ${this.#expected}, got ${this.#got}`;
  }

  /** `name` holds the value that was wrong. */
  within(name: string | number): this {
    this.#path = [String(name), ...this.#path];
    return this;
  }
}

export function integer(min: number, max: number = Number.MAX_SAFE_INTEGER): Shape<number> {
  const expected = `an integer from ${min} to ${max === Number.MAX_SAFE_INTEGER ? '2^53 - 1' : max}`;
  return (value) => {
    if (typeof value === 'number' && Number.isSafeInteger(value) && value >= min && value <= max)
      return value;
    throw new ShapeError(expected, value);
  };
}

/** An offset, a count, a size, a slot. */
export const natural = integer(0);
/** -2^53 to 2^53: what a client may have put into a batch. */
export const timestamp = integer(Number.MIN_SAFE_INTEGER);
export const int32 = integer(0, 2 ** 31 - 1);

/** A string, at most 1 KiB. */
export const text: Shape<string> = (value) => {
  if (typeof value === 'string' && value.length <= 1024) return value;
  throw new ShapeError('a string of at most 1024 characters', value);
};

export function textMatching(test: (value: string) => boolean, expected: string): Shape<string> {
  return (value) => {
    if (typeof value === 'string' && test(value)) return value;
    throw new ShapeError(expected, value);
  };
}

export function oneOf<const T extends string>(...values: readonly T[]): Shape<T> {
  return (value) => {
    for (const candidate of values) if (candidate === value) return candidate;
    throw new ShapeError(`one of ${values.join(', ')}`, value);
  };
}

/** `null` in JSON, `undefined` here: absent, which is never the same as zero or empty. */
export function nullable<T>(shape: Shape<T>): Shape<T | undefined> {
  return (value) => (value === null ? undefined : shape(value));
}

export function list<T>(shape: Shape<T>): Shape<T[]> {
  return (value) => {
    if (!Array.isArray(value)) throw new ShapeError('an array', value);
    const items: readonly unknown[] = value;
    return items.map((item, index) => {
      try {
        return shape(item);
      } catch (error) {
        throw error instanceof ShapeError ? error.within(index) : error;
      }
    });
  };
}

type Fields = Readonly<Record<string, Shape<unknown>>>;
export type ShapeOf<F extends Fields> = { [K in keyof F]: F[K] extends Shape<infer T> ? T : never };

export function object<F extends Fields>(fields: F): Shape<ShapeOf<F>> {
  const entries = Object.entries(fields);
  return (value) => {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      throw new ShapeError('an object', value);
    }
    const source = new Map<string, unknown>(Object.entries(value));
    return collect<F>(entries, (name) => source.get(name));
  };
}

/** An array whose elements are known by place: `fields` names them in order. */
export function tuple<F extends Fields>(fields: F): Shape<ShapeOf<F>> {
  const entries = Object.entries(fields);
  return (value) => {
    if (!Array.isArray(value)) throw new ShapeError('an array', value);
    const items: readonly unknown[] = value;
    return collect<F>(entries, (_name, index) => items[index]);
  };
}

function collect<F extends Fields>(
  entries: readonly (readonly [string, Shape<unknown>])[],
  pick: (name: string, index: number) => unknown,
): ShapeOf<F> {
  const result: Record<string, unknown> = {};
  let index = 0;
  for (const [name, shape] of entries) {
    try {
      result[name] = shape(pick(name, index++));
    } catch (error) {
      throw error instanceof ShapeError ? error.within(name) : error;
    }
  }
  return result as ShapeOf<F>;
}

function describe(value: unknown): string {
  if (value === undefined) return 'nothing';
  if (Array.isArray(value)) return 'an array';
  if (typeof value === 'object' && value !== null) return 'an object';
  const text = JSON.stringify(value);
  return text.length > 80 ? `${text.slice(0, 77)}…` : text;
}
