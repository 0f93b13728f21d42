import { liveSession } from './broker-changes.ts';
import { ChangeRefused } from './change-refused.ts';
import type { ClusterState, Suspicion } from './cluster-state.ts';

export interface Charge {
  readonly accused: { readonly id: number; readonly sid: string };
  readonly by: { readonly id: number; readonly sid: string };
  readonly nonce: string;
  /** The accuser's wall clock, for people. */
  readonly atMs: number;
  /** `refutations` of the accused as the accuser knew it when it decided. */
  readonly refutations: number;
}

/**
 * A broker that cannot reach another one says so; a second accuser confirms. Refused when the accused has refuted in the
 * meantime: the accuser then has to wait (see `decideSuspicion`). An accuser that accuses already changes nothing.
 */
export function accuse(state: ClusterState, charge: Charge): ClusterState | ChangeRefused {
  const { accused, by, nonce, atMs } = charge;
  const accuser = liveSession(state, by.id, by.sid);
  if (accuser instanceof ChangeRefused) return accuser;
  const entry = liveSession(state, accused.id, accused.sid);
  if (entry instanceof ChangeRefused) return entry;
  const before = state.suspicions.get(accused.id) ?? { sid: accused.sid, accusations: [], refutations: 0 };
  if (before.refutations !== charge.refutations) {
    return new ChangeRefused(
      'REFUTED',
      `broker ${accused.id} has refuted ${before.refutations} times, not ${charge.refutations} as its accuser ${by.id} believed`,
    );
  }
  if (before.accusations.some(({ bySid }) => bySid === by.sid)) return state;
  const accusation = { by: by.id, bySid: by.sid, nonce, atMs };
  return withSuspicion(state, accused.id, { ...before, accusations: [...before.accusations, accusation] });
}

/** The accused reaches the store: all accusations against it fall. */
export function refute(
  state: ClusterState,
  accused: { readonly id: number; readonly sid: string },
): ClusterState | ChangeRefused {
  const entry = liveSession(state, accused.id, accused.sid);
  if (entry instanceof ChangeRefused) return entry;
  const before = state.suspicions.get(accused.id);
  if (before === undefined || before.accusations.length === 0) return state;
  return withSuspicion(state, accused.id, {
    ...before,
    accusations: [],
    refutations: before.refutations + 1,
  });
}

/** The accuser reaches the accused again and takes its own accusation back. */
export function withdraw(
  state: ClusterState,
  withdrawal: { readonly accused: number; readonly by: { readonly id: number; readonly sid: string } },
): ClusterState | ChangeRefused {
  const { accused, by } = withdrawal;
  const accuser = liveSession(state, by.id, by.sid);
  if (accuser instanceof ChangeRefused) return accuser;
  const before = state.suspicions.get(accused);
  const accusations = before?.accusations.filter(({ bySid }) => bySid !== by.sid) ?? [];
  if (before === undefined || accusations.length === before.accusations.length) return state;
  return withSuspicion(state, accused, { ...before, accusations });
}

function withSuspicion(state: ClusterState, accused: number, suspicion: Suspicion): ClusterState {
  const suspicions = new Map(state.suspicions);
  if (suspicion.accusations.length === 0 && suspicion.refutations === 0) suspicions.delete(accused);
  else suspicions.set(accused, suspicion);
  return { ...state, suspicions };
}
