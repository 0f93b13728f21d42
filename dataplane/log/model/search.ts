import { at } from './model.ts';
import type { Model, Step } from './model.ts';

/** What a search found. `steps` of a violation lead from the initial state to it: the shortest way if the search was complete. */
export type SearchResult =
  | { readonly outcome: 'complete' | 'limit'; readonly states: number; readonly depth: number }
  | {
      readonly outcome: 'violated';
      readonly states: number;
      readonly violated: string;
      readonly steps: readonly string[];
    };

export type WalkResult =
  | { readonly outcome: 'complete'; readonly walks: number; readonly stepCount: number }
  | {
      readonly outcome: 'violated';
      readonly walk: number;
      readonly violated: string;
      readonly steps: readonly string[];
    };

interface Node {
  readonly action: string;
  readonly before: Node | undefined;
}

/**
 * Visits every reachable state, breadth first, and stops at the first step that breaks a rule or after `limit` states.
 * States are compared by a 53-bit hash of their key: the chance that two of n states collide is about n²/2⁵⁴.
 * `trace: false` saves the memory of the counterexample's steps but for the last.
 */
export function searchAll<S>(
  model: Model<S>,
  { limit = 60_000_000, trace = true }: { readonly limit?: number; readonly trace?: boolean } = {},
): SearchResult {
  const visited = new HashSet();
  const first = model.initial();
  visited.add(hash(model.key(first)));
  let frontier: [state: S, reachedBy: Node | undefined][] = [[first, undefined]];
  let states = 1;
  let depth = 0;
  for (; frontier.length > 0; depth++) {
    const following: typeof frontier = [];
    for (const [state, reachedBy] of frontier) {
      for (const [action, next] of model.steps(state)) {
        const violated = model.violation(state, next);
        if (violated !== undefined) {
          return { outcome: 'violated', states, violated, steps: [...actionsOf(reachedBy), action] };
        }
        if (!visited.add(hash(model.key(next)))) continue;
        states++;
        if (states > limit) return { outcome: 'limit', states, depth };
        following.push([next, trace ? { action, before: reachedBy } : undefined]);
      }
    }
    frontier = following;
  }
  return { outcome: 'complete', states, depth };
}

/**
 * Random walks from the initial state: deep, but not exhaustive. Rare kinds of actions are favoured: each step chooses a
 * kind first, then one of its instances. The same `seed` gives the same walks.
 */
export function walkRandomly<S>(
  model: Model<S>,
  { walks, length, seed }: { readonly walks: number; readonly length: number; readonly seed: number },
): WalkResult {
  const below = randomBelow(seed);
  let stepCount = 0;
  for (let walk = 0; walk < walks; walk++) {
    let state = model.initial();
    const taken: string[] = [];
    for (let i = 0; i < length; i++) {
      const byKind = new Map<string, Step<S>[]>();
      for (const step of model.steps(state)) {
        const kind = step[0].slice(0, `${step[0]} `.indexOf(' '));
        const others = byKind.get(kind);
        if (others === undefined) byKind.set(kind, [step]);
        else others.push(step);
      }
      if (byKind.size === 0) break;
      let [kind, choices] = at([...byKind], below(byKind.size));
      if (model.rare?.has(kind) === true && below(10) > 0) {
        [kind, choices] = at([...byKind], below(byKind.size));
      }
      const [action, next] = at(choices, below(choices.length));
      taken.push(action);
      stepCount++;
      const violated = model.violation(state, next);
      if (violated !== undefined) return { outcome: 'violated', walk, violated, steps: taken };
      state = next;
    }
  }
  return { outcome: 'complete', walks, stepCount };
}

function actionsOf(last: Node | undefined): string[] {
  const actions: string[] = [];
  for (let node = last; node !== undefined; node = node.before) actions.push(node.action);
  return actions.reverse();
}

/** A JavaScript Set holds at most 2²⁴ entries; this one spreads them over many. */
class HashSet {
  readonly #parts: Set<number>[] = Array.from({ length: 64 }, () => new Set<number>());

  /** False if `value` was there already. */
  add(value: number): boolean {
    const part = at(this.#parts, value % this.#parts.length);
    const before = part.size;
    return part.add(value).size > before;
  }
}

function hash(text: string): number {
  let a = 0x811c9dc5;
  let b = 0x1b873593;
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    a = Math.imul(a ^ unit, 0x01000193);
    b = Math.imul(b ^ unit, 0x85ebca6b);
    b ^= b >>> 15;
  }
  a ^= a >>> 16;
  a = Math.imul(a, 0x7feb352d);
  a ^= a >>> 15;
  b = Math.imul(b ^ (b >>> 13), 0xc2b2ae35);
  b ^= b >>> 16;
  return (a >>> 0) * 2 ** 21 + (b & 0x1fffff);
}

/** Uniform integers in [0, bound): mulberry32. */
function randomBelow(seed: number): (bound: number) => number {
  let state = seed | 0;
  return (bound) => {
    state = (state + 0x6d2b79f5) | 0;
    let x = Math.imul(state ^ (state >>> 15), 1 | state);
    x = (x + Math.imul(x ^ (x >>> 7), 61 | x)) ^ x;
    return ((x ^ (x >>> 14)) >>> 0) % bound;
  };
}
