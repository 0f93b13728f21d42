/**
 * A model of a protocol, small enough to visit every state. Everything that a client, a broker or the store can do is a
 * separate atomic step. A process that pauses or crashes takes no step; a request that lands late stays in the state's
 * network until then.
 */
export interface Model<S> {
  initial(): S;
  /** Every step possible in `state`, each with a new state: `state` and what it refers to stay as they are. */
  steps(state: S): Iterable<Step<S>>;
  /** What the step from `before` to `after` broke, in words, or undefined. */
  violation(before: S, after: S): string | undefined;
  /** Kinds of actions that a random walk takes ten times less often than others. */
  readonly rare?: ReadonlySet<string>;
  /** The same text for two states exactly when they are the same. May sort what has no order in `state`. */
  key(state: S): string;
}

/** The action's first word is its kind: random walks choose a kind first, then one of its instances. */
export type Step<S> = readonly [action: string, next: S];

/**
 * `model` beginning after a schedule: for each entry the first possible step whose action begins with it. Throws where
 * there is none, naming those possible. The schedule itself must not break a rule.
 */
export function startingAfter<S>(model: Model<S>, schedule: readonly string[]): Model<S> {
  let state = model.initial();
  for (const wanted of schedule) {
    const possible = [...model.steps(state)];
    const step = possible.find(([action]) => action.startsWith(wanted));
    if (step === undefined) {
      throw new RangeError(
        `no step '${wanted}'; there are: ${possible.map(([action]) => action).join('; ')}`,
      );
    }
    const violated = model.violation(state, step[1]);
    if (violated !== undefined) throw new RangeError(`step '${wanted}' of the schedule: ${violated}`);
    state = step[1];
  }
  const first = state;
  return { ...model, initial: () => first };
}

/** Bounds of a search: `Names` of numbers that the model declares with their defaults. */
export type Bounds<Names extends string> = Readonly<Record<Names, number>>;

/** `defaults` with the values of `given`, which may name nothing else. */
export function boundsFrom<Names extends string>(
  defaults: Bounds<Names>,
  given: Readonly<Record<string, number>>,
): Bounds<Names> {
  for (const name of Object.keys(given)) {
    if (!(name in defaults)) {
      throw new RangeError(`no bound is called ${name}; there are: ${Object.keys(defaults).join(' ')}`);
    }
  }
  return { ...defaults, ...given };
}

/** The set of `given` names, each of which must be one of the model's mutants: a misspelt one would break no rule. */
export function mutantsFrom<Mutant extends string>(
  known: readonly Mutant[],
  given: readonly string[],
): ReadonlySet<Mutant> {
  const unknown = given.find((name) => !(known as readonly string[]).includes(name));
  if (unknown !== undefined)
    throw new RangeError(`no mutant is called ${unknown}; there are: ${known.join(' ')}`);
  return new Set(given as readonly Mutant[]);
}

/** `list[index]`, which must exist. */
export function at<T>(list: readonly T[], index: number): T {
  const element = list[index];
  if (element === undefined) throw new RangeError(`no element ${index} in a list of ${list.length}`);
  return element;
}

/** `list` without its element at `index`. */
export function without<T>(list: readonly T[], index: number): T[] {
  const rest = list.slice();
  rest.splice(index, 1);
  return rest;
}

/** `list` with `element` in place of the one at `index`. */
export function replaced<T>(list: readonly T[], index: number, element: T): T[] {
  const next = list.slice();
  next[index] = element;
  return next;
}
