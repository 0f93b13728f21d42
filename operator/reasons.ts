/**
 * Why something is as it is, or was done: one word each, the same in conditions, events, log lines and metric labels, so
 * that one can be found from the other. The sentence is for the docs; `isWarning` decides the type of events.
 */
export const reasons = {
  Reconciled: { isWarning: false, meaning: 'Everything is as the spec asks.' },
  Progressing: {
    isWarning: false,
    meaning: 'Changes were made; what they lead to is not complete yet.',
  },
  ObservationFailed: {
    isWarning: true,
    meaning:
      'What exists could not be seen, or not all of it: nothing is changed until it can be. Tried again by itself.',
  },
  ActionFailed: {
    isWarning: true,
    meaning: 'A change could not be made; the message says which, and why. Tried again by itself.',
  },
  InternalError: {
    isWarning: true,
    meaning: 'A bug in the operator; the message and the log have it. Tried again by itself.',
  },
} as const satisfies Readonly<Record<string, { readonly isWarning: boolean; readonly meaning: string }>>;

export type Reason = keyof typeof reasons;
