import type { IncomingHttpHeaders } from 'node:http';
import type { Fault, FaultRule } from './fault-rule.ts';
import { sampleDelayMs, seededFractions } from './seeded-random.ts';
import type { Fractions } from './seeded-random.ts';

/** What happens to one request: to the server, to the client, and how fast. */
export interface ExchangePlan {
  readonly forward:
    | { readonly kind: 'never' }
    | { readonly kind: 'now' }
    | { readonly kind: 'late'; readonly delayMs: number }
    | { readonly kind: 'twice'; readonly delayMs: number; readonly answer: 'first' | 'second' };
  readonly client:
    | { readonly kind: 'answer' }
    | {
        readonly kind: 'error';
        readonly status: number;
        readonly code: string;
        readonly retryAfterSeconds?: number | undefined;
      }
    | { readonly kind: 'reset' }
    | { readonly kind: 'silence' }
    | { readonly kind: 'truncated'; readonly afterBytes: number; readonly ending: 'close' | 'reset' };
  readonly requestDelayMs: number;
  readonly answerDelayMs: number;
  readonly requestBody: BodyDamage;
  readonly answerBody: BodyDamage;
}

export interface BodyDamage {
  readonly bytesPerSecond?: number | undefined;
  readonly corruptByteAt?: number | undefined;
}

/** What rules look at. */
export interface RequestFacts {
  readonly method: string;
  /** Path and query as the client sent them. */
  readonly target: string;
  readonly headers: IncomingHttpHeaders;
}

export interface RuleCounts {
  /** Requests that met the rule's conditions, whether they were hit or not. */
  readonly matched: number;
  readonly hit: number;
}

interface RuleState {
  readonly rule: FaultRule;
  readonly fraction: Fractions;
  matched: number;
  hit: number;
}

/**
 * A list of rules with its counts. Which of a rule's matching requests are hit depends on the seed, the rule's name and
 * the request's number among those that match, on nothing else: other rules do not shift it. (A rule behind one that ends
 * exchanges does not see those, and counts only what reaches it.)
 */
export class FaultPlanner {
  readonly #states: readonly RuleState[];

  constructor(rules: readonly FaultRule[], seed: number) {
    const names = new Set(rules.map(({ name }) => name));
    if (names.size < rules.length)
      throw new Error(`two fault rules have the same name among ${rules.map(({ name }) => name).join(', ')}`);
    this.#states = rules.map((rule) => ({
      rule,
      fraction: seededFractions(seed, rule.name),
      matched: 0,
      hit: 0,
    }));
  }

  plan(request: RequestFacts): ExchangePlan {
    let plan: ExchangePlan = passThrough;
    for (const state of this.#states) {
      if (!matches(state.rule, request) || !hits(state)) continue;
      plan = apply(plan, state.rule.fault, state.fraction);
      if (plan.forward.kind !== 'now' || plan.client.kind !== 'answer') break;
    }
    return plan;
  }

  counts(): Readonly<Record<string, RuleCounts>> {
    return Object.fromEntries(
      this.#states.map(({ rule, matched, hit }) => [rule.name, { matched, hit }] as const),
    );
  }
}

const passThrough: ExchangePlan = {
  forward: { kind: 'now' },
  client: { kind: 'answer' },
  requestDelayMs: 0,
  answerDelayMs: 0,
  requestBody: {},
  answerBody: {},
};

function matches(rule: FaultRule, { method, target, headers }: RequestFacts): boolean {
  if (rule.methods !== undefined && !rule.methods.includes(method)) return false;
  const queryAt = target.indexOf('?');
  const path = queryAt === -1 ? target : target.slice(0, queryAt);
  // search(), because test() of a global pattern begins where its last match ended.
  if (rule.path !== undefined && decodedPath(path).search(rule.path) === -1) return false;
  if (rule.query !== undefined && (queryAt === -1 ? '' : target.slice(queryAt + 1)).search(rule.query) === -1)
    return false;
  switch (rule.condition) {
    case undefined:
      return true;
    case 'none':
      return headers['if-none-match'] === undefined && headers['if-match'] === undefined;
    case 'if-none-match':
    case 'if-match':
      return headers[rule.condition] !== undefined;
  }
}

function hits(state: RuleState): boolean {
  const { probability = 1, skip = 0, count = Infinity } = state.rule;
  state.matched++;
  // Drawn for every matching request, also where skip or count decide: so changing these does not shift the others.
  const drawn = state.fraction() < probability;
  if (state.matched <= skip || state.hit >= count || !drawn) return false;
  state.hit++;
  return true;
}

function apply(plan: ExchangePlan, fault: Fault, fraction: Fractions): ExchangePlan {
  switch (fault.kind) {
    case 'error': {
      const { status, code, retryAfterSeconds } = fault;
      return { ...plan, forward: forward(fault), client: { kind: 'error', status, code, retryAfterSeconds } };
    }
    case 'reset':
      return { ...plan, forward: forward(fault), client: { kind: 'reset' } };
    case 'black-hole':
      return { ...plan, forward: forward(fault), client: { kind: 'silence' } };
    case 'late':
      return {
        ...plan,
        forward: { kind: 'late', delayMs: sampleDelayMs(fault.delay, fraction) },
        client: { kind: fault.client === 'reset' ? 'reset' : 'silence' },
      };
    case 'duplicate': {
      const delayMs = sampleDelayMs(fault.delay, fraction);
      return { ...plan, forward: { kind: 'twice', delayMs, answer: fault.answer } };
    }
    case 'truncate':
      return {
        ...plan,
        client: { kind: 'truncated', afterBytes: fault.afterBytes, ending: fault.ending },
      };
    case 'latency': {
      const delayMs = sampleDelayMs(fault.delay, fraction);
      return fault.before === 'request'
        ? { ...plan, requestDelayMs: plan.requestDelayMs + delayMs }
        : { ...plan, answerDelayMs: plan.answerDelayMs + delayMs };
    }
    case 'slow-body':
      return damageBody(plan, fault.of, { bytesPerSecond: fault.bytesPerSecond });
    case 'corrupt-body':
      return damageBody(plan, fault.of, { corruptByteAt: fault.atByte });
  }
}

function forward(fault: { readonly effect: 'none' | 'applied' }): ExchangePlan['forward'] {
  return { kind: fault.effect === 'none' ? 'never' : 'now' };
}

function damageBody(plan: ExchangePlan, of: 'request' | 'answer', damage: BodyDamage): ExchangePlan {
  return of === 'request'
    ? { ...plan, requestBody: { ...plan.requestBody, ...damage } }
    : { ...plan, answerBody: { ...plan.answerBody, ...damage } };
}

/** A path that is not valid percent-encoding is matched as it is. */
function decodedPath(path: string): string {
  try {
    return decodeURIComponent(path);
  } catch {
    return path;
  }
}
