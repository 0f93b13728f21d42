import type { Reason } from './reasons.ts';

export type ConditionStatus = 'True' | 'False' | 'Unknown';

/** As `metav1.Condition`. */
export interface Condition {
  readonly type: string;
  readonly status: ConditionStatus;
  readonly reason: Reason;
  readonly message: string;
  /** The `metadata.generation` that this was found for. */
  readonly observedGeneration: number;
  /** When `status` last changed: RFC 3339, in seconds. */
  readonly lastTransitionTime: string;
}

export interface ConditionUpdate {
  readonly type: string;
  readonly status: ConditionStatus;
  readonly reason: Reason;
  /** For people: what is so, with values, and what to do. */
  readonly message: string;
}

/** How an object as a whole is doing. */
export type Summary = {
  readonly kind:
    | 'ready'
    /** On its way, or tried again: it will become ready without anybody doing anything. */
    | 'progressing'
    /** Nobody can say: what exists could not be seen. Tried again. */
    | 'unknown'
    /** Nothing will change until a person changes something. Flux and Argo CD fail a release on it. */
    | 'stalled';
  readonly reason: Reason;
  readonly message: string;
};

/** kstatus reads `Reconciling` and `Stalled` as abnormal when true, and `Ready` for whether to wait. */
const standardStatuses: Readonly<
  Record<Summary['kind'], Readonly<Record<'Ready' | 'Reconciling' | 'Stalled', ConditionStatus>>>
> = {
  ready: { Ready: 'True', Reconciling: 'False', Stalled: 'False' },
  progressing: { Ready: 'False', Reconciling: 'True', Stalled: 'False' },
  unknown: { Ready: 'Unknown', Reconciling: 'True', Stalled: 'False' },
  stalled: { Ready: 'False', Reconciling: 'False', Stalled: 'True' },
};

/** The three conditions from which kstatus, Flux, Argo CD and `kubectl wait` tell how an object is doing. */
export function standardConditions({ kind, reason, message }: Summary): readonly ConditionUpdate[] {
  const { Ready, Reconciling, Stalled } = standardStatuses[kind];
  return [
    { type: 'Ready', status: Ready, reason, message },
    { type: 'Reconciling', status: Reconciling, reason, message },
    { type: 'Stalled', status: Stalled, reason, message },
  ];
}

/** The API server refuses more (`maxLength` of `metav1.Condition`). */
const maxMessageLength = 32_768;

/**
 * The conditions after `updates`, in their order. A condition that says what it said before stays the very same value,
 * time included, so that nothing is written when nothing has changed. Conditions that are not updated are dropped: they
 * are another manager's, or no longer ours.
 */
export function updatedConditions(
  before: readonly Condition[],
  updates: readonly ConditionUpdate[],
  at: { readonly generation: number; readonly wallMs: number },
): readonly Condition[] {
  return updates.map(({ type, status, reason, message }) => {
    const old = before.find((condition) => condition.type === type);
    const after: Condition = {
      type,
      status,
      reason,
      message: message.slice(0, maxMessageLength),
      observedGeneration: at.generation,
      lastTransitionTime: old?.status === status ? old.lastTransitionTime : inSeconds(at.wallMs),
    };
    return old !== undefined && saysTheSame(old, after) ? old : after;
  });
}

/**
 * Conditions that changed their status or reason: what is worth an event. One change of the standard three gives one: of
 * `Stalled` when it became true, of `Ready` otherwise. Of conditions that are new, those that are true.
 */
export function transitions(before: readonly Condition[], after: readonly Condition[]): readonly Condition[] {
  const changed = after.filter(({ type, status, reason }) => {
    const old = before.find((condition) => condition.type === type);
    return old === undefined ? status === 'True' : old.status !== status || old.reason !== reason;
  });
  const becameStalled = changed.some(({ type, status }) => type === 'Stalled' && status === 'True');
  return changed.filter(
    ({ type }) => type !== 'Reconciling' && type !== (becameStalled ? 'Ready' : 'Stalled'),
  );
}

function saysTheSame(a: Condition, b: Condition): boolean {
  return (
    a.status === b.status &&
    a.reason === b.reason &&
    a.message === b.message &&
    a.observedGeneration === b.observedGeneration
  );
}

/** `2026-01-31T10:00:00Z`: the API server cuts fractions off, which would look like a change. */
function inSeconds(wallMs: number): string {
  return new Date(wallMs).toISOString().replace(/\.\d+Z$/, 'Z');
}
