import type { Fault, FaultKind, FaultRule } from './fault-rule.ts';
import type { DelayMs } from './seeded-random.ts';

/** A rules file or control request is wrong; the message says where (`rules[2].fault.delay`) and what would be right. */
export class FaultRuleError extends Error {
  override readonly name = 'FaultRuleError';
}

/**
 * Rules from JSON: an array of {@link FaultRule} objects with `path` and `query` as pattern source. Unknown fields are
 * refused, so that a misspelt one does not make a fault test silently harmless.
 */
export function decodeFaultRules(json: unknown): FaultRule[] {
  if (!Array.isArray(json)) throw new FaultRuleError('rules must be an array of rule objects');
  return json.map((item: unknown, index) => decodeRule(new Fields(item, `rules[${index}]`)));
}

function decodeRule(fields: Fields): FaultRule {
  const rule: FaultRule = {
    name: fields.string('name'),
    methods: fields.optional('methods', (name) => fields.strings(name)),
    path: fields.optional('path', (name) => fields.pattern(name)),
    query: fields.optional('query', (name) => fields.pattern(name)),
    condition: fields.optional('condition', (name) =>
      fields.oneOf(name, ['if-none-match', 'if-match', 'none']),
    ),
    probability: fields.optional('probability', (name) => fields.number(name, 0, 1)),
    skip: fields.optional('skip', (name) => fields.integer(name, 0)),
    count: fields.optional('count', (name) => fields.integer(name, 0)),
    fault: decodeFault(fields.object('fault')),
  };
  fields.end();
  return rule;
}

function decodeFault(fields: Fields): Fault {
  const kind = fields.oneOf('kind', Object.keys(faultDecoders) as FaultKind[]);
  const fault = faultDecoders[kind](fields);
  fields.end();
  return fault;
}

const effects = ['none', 'applied'] as const;
const sides = ['request', 'answer'] as const;

const faultDecoders: { readonly [Kind in FaultKind]: (fields: Fields) => Fault & { readonly kind: Kind } } = {
  error: (fields) => ({
    kind: 'error',
    status: fields.integer('status', 200),
    code: fields.string('code'),
    effect: fields.oneOf('effect', effects),
    retryAfterSeconds: fields.optional('retryAfterSeconds', (name) => fields.integer(name, 0)),
  }),
  reset: (fields) => ({ kind: 'reset', effect: fields.oneOf('effect', effects) }),
  'black-hole': (fields) => ({ kind: 'black-hole', effect: fields.oneOf('effect', effects) }),
  late: (fields) => ({
    kind: 'late',
    delay: fields.delay('delay'),
    client: fields.oneOf('client', ['reset', 'black-hole']),
  }),
  duplicate: (fields) => ({
    kind: 'duplicate',
    delay: fields.delay('delay'),
    answer: fields.oneOf('answer', ['first', 'second']),
  }),
  truncate: (fields) => ({
    kind: 'truncate',
    afterBytes: fields.integer('afterBytes', 0),
    ending: fields.oneOf('ending', ['close', 'reset']),
  }),
  latency: (fields) => ({
    kind: 'latency',
    before: fields.oneOf('before', sides),
    delay: fields.delay('delay'),
  }),
  'slow-body': (fields) => ({
    kind: 'slow-body',
    of: fields.oneOf('of', sides),
    bytesPerSecond: fields.integer('bytesPerSecond', 1),
  }),
  'corrupt-body': (fields) => ({
    kind: 'corrupt-body',
    of: fields.oneOf('of', sides),
    atByte: fields.integer('atByte', 0),
  }),
};

/** Reads the fields of one JSON object, each with its type, and remembers which were asked for. */
class Fields {
  readonly #values: ReadonlyMap<string, unknown>;
  readonly #where: string;
  readonly #asked = new Set<string>();

  constructor(json: unknown, where: string) {
    if (typeof json !== 'object' || json === null || Array.isArray(json))
      throw new FaultRuleError(`${where} must be an object`);
    this.#values = new Map(Object.entries(json));
    this.#where = where;
  }

  optional<T>(name: string, read: (name: string) => T): T | undefined {
    this.#asked.add(name);
    return this.#values.has(name) ? read(name) : undefined;
  }

  string(name: string): string {
    const value = this.#take(name);
    return typeof value === 'string' && value !== '' ? value : this.#refuse(name, 'a non-empty string');
  }

  strings(name: string): readonly string[] {
    const value = this.#take(name);
    return Array.isArray(value) && value.every((item) => typeof item === 'string')
      ? value
      : this.#refuse(name, 'an array of strings');
  }

  oneOf<T extends string>(name: string, allowed: readonly T[]): T {
    const value = this.#take(name);
    return allowed.find((one) => one === value) ?? this.#refuse(name, `one of ${allowed.join(', ')}`);
  }

  number(name: string, min: number, max: number): number {
    const value = this.#take(name);
    return typeof value === 'number' && value >= min && value <= max
      ? value
      : this.#refuse(name, `a number from ${min} to ${max}`);
  }

  integer(name: string, min: number): number {
    const value = this.#take(name);
    return typeof value === 'number' && Number.isSafeInteger(value) && value >= min
      ? value
      : this.#refuse(name, `an integer of at least ${min}`);
  }

  pattern(name: string): RegExp {
    const source = this.string(name);
    try {
      return new RegExp(source);
    } catch (error) {
      throw new FaultRuleError(`${this.#where}.${name} is not a regular expression: ${source}`, {
        cause: error,
      });
    }
  }

  /** A number of milliseconds, `{minMs, maxMs}` or `{p50Ms, p99Ms}`. */
  delay(name: string): DelayMs {
    const value = this.#take(name);
    if (typeof value === 'number')
      return value >= 0 && Number.isFinite(value) ? value : this.#refuse(name, 'at least 0 ms');
    const fields = this.object(name);
    const [low, high] = fields.#values.has('minMs')
      ? [fields.number('minMs', 0, 1e9), fields.number('maxMs', 0, 1e9)]
      : [fields.number('p50Ms', 0.001, 1e9), fields.number('p99Ms', 0.001, 1e9)];
    fields.end();
    if (low > high) this.#refuse(name, 'a range whose first value is not above its second');
    return fields.#values.has('minMs') ? { minMs: low, maxMs: high } : { p50Ms: low, p99Ms: high };
  }

  object(name: string): Fields {
    return new Fields(this.#take(name), `${this.#where}.${name}`);
  }

  /** Refuses the fields that nobody asked for. */
  end(): void {
    const unknown = [...this.#values.keys()].filter((name) => !this.#asked.has(name));
    if (unknown.length > 0)
      throw new FaultRuleError(
        `${this.#where} has unknown fields: ${unknown.join(', ')}; known here: ${[...this.#asked].join(', ')}`,
      );
  }

  #take(name: string): unknown {
    this.#asked.add(name);
    return this.#values.get(name);
  }

  #refuse(name: string, right: string): never {
    const value = JSON.stringify(this.#values.get(name)) ?? 'missing';
    throw new FaultRuleError(`${this.#where}.${name} is ${value}; it must be ${right}`);
  }
}
