/**
 * What clients saw of one key. Every put writes a value of its own, so that the key's state is named by the value it holds
 * (`undefined`: absent). `returnedAt` is infinite while a call's outcome is unknown: it may have had its effect, may have
 * it later, or never.
 */
export interface KeyCall {
  readonly client: number;
  readonly startedAt: number;
  returnedAt: number;
  readonly action: KeyAction;
}

export type KeyAction =
  /** `expected`: the value whose ETag was given; `'absent'` for ifAbsent; `'any'` without a condition. */
  | {
      readonly kind: 'put';
      readonly value: string;
      readonly expected: { readonly value: string } | 'absent' | 'any';
      result?: 'written' | 'condition-failed';
    }
  | { readonly kind: 'get'; result?: string | undefined }
  | { readonly kind: 'delete' };

/**
 * Whether the calls can be put in one order that keeps to real time, in which each call takes effect once, at one
 * instant between its start and its return (Wing and Gong's search, with a memory of what was tried).
 */
export function isLinearizable(calls: readonly KeyCall[], initial: string | undefined): boolean {
  const tried = new Set<string>();
  const done = calls.map(() => false);

  const search = (state: string | undefined): boolean => {
    // Only calls that started before every call still to come has returned can be next.
    const firstReturn = Math.min(...calls.map((call, at) => (done[at] ? Infinity : call.returnedAt)));
    if (firstReturn === Infinity) return true; // What is left need not have had an effect.
    const position = `${state ?? ''} ${done.map(Number).join('')}`;
    if (tried.has(position)) return false;
    tried.add(position);
    for (const [at, call] of calls.entries()) {
      if (done[at] || call.startedAt > firstReturn) continue;
      const next = after(call, state);
      if (next === 'impossible') continue;
      done[at] = true;
      if (search(next.state)) return true;
      done[at] = false;
    }
    return false;
  };
  return search(initial);
}

function after(
  { action, returnedAt }: KeyCall,
  state: string | undefined,
): { readonly state: string | undefined } | 'impossible' {
  switch (action.kind) {
    case 'get':
      return returnedAt === Infinity || action.result === state ? { state } : 'impossible';
    case 'delete':
      return { state: undefined };
    case 'put': {
      const { expected, value } = action;
      const holds =
        expected === 'any' || (expected === 'absent' ? state === undefined : state === expected.value);
      if (returnedAt !== Infinity && holds !== (action.result === 'written')) return 'impossible';
      return { state: holds ? value : state };
    }
  }
}

/** For messages: one line a call. */
export function describeHistory(history: readonly KeyCall[]): string {
  return history
    .map(
      ({ client, startedAt, returnedAt, action }) =>
        `${startedAt}–${returnedAt} ${client}: ${JSON.stringify(action)}`,
    )
    .join('\n');
}
