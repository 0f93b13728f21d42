import { ChangeRefused } from './change-refused.ts';
import type { ClusterState } from './cluster-state.ts';
import { brokerOfSid, isDeadSid } from './ownership.ts';

/**
 * Computes the state after a change from the state before it, or refuses. Pure: it may be called any number of times, each
 * time with the newest state. Returning the very state it got means that nothing has to change.
 */
export type Change = (state: ClusterState) => ClusterState | ChangeRefused;

export type ChangeOutcome =
  /** `state` is the outcome; the change is in it, and in every later state until somebody undoes it. */
  | { readonly kind: 'applied'; readonly state: ClusterState }
  /** Nothing had to change in `state`, which was current after the call. */
  | { readonly kind: 'unchanged'; readonly state: ClusterState }
  /** The change was not made and never will be. `state` was current after the call. */
  | { readonly kind: 'refused'; readonly refused: ChangeRefused; readonly state: ClusterState };

/** A change that somebody waits for. */
export interface WaitingChange {
  readonly change: Change;
  readonly newSession: string | undefined;
  /** Nobody waits any more: if it has not been sent yet it need not be made. */
  readonly isAbandoned: () => boolean;
  readonly resolve: (outcome: ChangeOutcome) => void;
  readonly reject: (error: unknown) => void;
}

/** What one change comes to, if the whole batch does. */
type Verdict =
  | { readonly kind: 'applied' | 'unchanged' }
  | ChangeRefused
  | { readonly kind: 'threw'; readonly error: unknown };

export interface Evaluation {
  readonly after: ClusterState;
  readonly verdicts: ReadonlyMap<WaitingChange, Verdict>;
}

/**
 * Computes several changes of one session, one upon the other, so that one write can make them all. A change that is
 * refused, or throws, leaves the others alone.
 */
export function evaluate(before: ClusterState, batch: readonly WaitingChange[], sid: string): Evaluation {
  let state = before;
  const verdicts = new Map<WaitingChange, Verdict>();
  for (const waiting of batch) {
    if (waiting.isAbandoned()) continue;
    try {
      const after = waiting.change(state);
      const refused = after instanceof ChangeRefused ? after : sessionProblem(state, after, sid);
      verdicts.set(waiting, refused ?? { kind: after === state ? 'unchanged' : 'applied' });
      if (refused === undefined && !(after instanceof ChangeRefused)) state = after;
    } catch (error) {
      verdicts.set(waiting, { kind: 'threw', error });
    }
  }
  return { after: state, verdicts };
}

/** Tells every caller what came of its change, once the batch stands in `state` (or nothing of it had to). */
export function settle({ verdicts }: Evaluation, state: ClusterState): void {
  for (const [{ resolve, reject }, verdict] of verdicts) {
    if (verdict instanceof ChangeRefused) resolve({ kind: 'refused', refused: verdict, state });
    else if (verdict.kind === 'threw') reject(verdict.error);
    else resolve({ kind: verdict.kind, state });
  }
}

/**
 * A session may make a change while it lives, and the one that gives it life. Any other one is refused: nobody would keep
 * its entry in `applied`.
 */
function sessionProblem(before: ClusterState, after: ClusterState, sid: string): ChangeRefused | undefined {
  if (!isDeadSid(before, sid) || !isDeadSid(after, sid)) return undefined;
  const named = brokerOfSid(before, sid);
  return named === undefined
    ? new ChangeRefused(
        'SESSION_REPLACED',
        `session ${sid} may not change the cluster state: no broker has it; another process has taken the id, or it was ` +
          'never registered',
      )
    : new ChangeRefused(
        'SESSION_DEAD',
        `session ${sid} of broker ${named.id} is dead and may not change the cluster state; mint a new one`,
      );
}
