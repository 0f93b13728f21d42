import { at } from './model.ts';
import type { Step } from './model.ts';
import { changed, copyOf, durableEndOf, kill, noRead } from './multi-state.ts';
import type { Read, Rules, Session, State } from './multi-state.ts';

/** A request for the log end of a partition arrives at an owner, is confirmed, and is answered. */
export function* readSteps(rules: Rules, state: State, i: number): Iterable<Step<State>> {
  const { broken, bounds } = rules;
  const { read } = state;
  const session = at(state.sessions, i);
  if (broken.has('confirmByOlderGet') && !session.onceConfirmed && nextSlotIsFree(state, i)) {
    yield [`idleConfirm s${i}`, changed(state, i, (session) => (session.onceConfirmed = true))];
  }
  if (bounds.reads === 1 && read.phase === 'none') {
    for (const q of session.roles.keys()) {
      const { phase } = at(session.roles, q);
      if (phase !== 'own' && !(phase === 'releaseUnknown' && broken.has('answerWhileReleasing'))) continue;
      const floor = at(state.acked, q).reduce((end, { offset }) => Math.max(end, offset + 1), 0);
      yield [
        `readArrives s${i} p${q} floor${floor}`,
        withRead(state, {
          ...noRead,
          phase: 'waiting',
          session: i,
          partition: q,
          floor,
          nextSlot: session.nextSlot,
          confirmed: session.onceConfirmed,
        }),
      ];
    }
  }
  if (read.phase === 'waiting' && read.session === i) yield* waitingSteps(rules, state, session);
}

function* waitingSteps(rules: Rules, state: State, session: Session): Iterable<Step<State>> {
  const { broken } = rules;
  const { read } = state;
  if (!read.confirmed && getConfirms(rules, state)) {
    yield [`confirmByGet s${read.session}`, withRead(state, { ...read, confirmed: true })];
  }
  if (!read.confirmed && getFindsFence(state)) {
    yield [
      `confirmByGet s${read.session} finds a fence`,
      changed(state, read.session, (_, next) => kill(next, read.session)),
    ];
  }
  // A slot first sent after the request arrived is durable, and so is every lower one.
  const durableAfter = broken.has('confirmAboveHole')
    ? hasDurableFrom(session, read.nextSlot)
    : durableEndOf(session) > read.nextSlot;
  const { phase, nextOffset } = at(session.roles, read.partition);
  const mayAnswer = phase === 'own' || (phase === 'releaseUnknown' && broken.has('answerWhileReleasing'));
  if (!mayAnswer || (!read.confirmed && !durableAfter)) return;
  const firstUnacked = session.inflight.find(({ block }) => block.partition === read.partition);
  const answer = firstUnacked?.block.offset ?? nextOffset;
  const answered: Read = { ...noRead, phase: 'answered' };
  const next = answer < read.floor ? { ...answered, answer, floor: read.floor } : answered;
  yield [`answer s${read.session} p${read.partition} ${answer}`, withRead(state, next)];
}

/** With every issued slot resolved, a GET of the next slot that was never issued answers 404. */
function nextSlotIsFree(state: State, i: number): boolean {
  const session = at(state.sessions, i);
  return durableEndOf(session) === session.nextSlot && at(at(state.wal, i), session.nextSlot) === null;
}

/**
 * A GET answers 404 for the slot that was next when the request arrived, and all lower ones are known to be durable. It
 * may have been issued since: a fence that stood when the request arrived stands there, and is never deleted.
 */
function getConfirms({ broken }: Rules, { sessions, wal, read }: State): boolean {
  const durableEnd = durableEndOf(at(sessions, read.session));
  if (broken.has('confirmBySweptSlot')) return at(at(wal, read.session), durableEnd) === null;
  return durableEnd >= read.nextSlot && at(at(wal, read.session), read.nextSlot) === null;
}

function getFindsFence({ sessions, wal, read }: State): boolean {
  const durableEnd = durableEndOf(at(sessions, read.session));
  return durableEnd >= read.nextSlot && at(at(wal, read.session), read.nextSlot) === 'fence';
}

function hasDurableFrom({ inflight, nextSlot }: Session, slot: number): boolean {
  const open = inflight.filter((entry) => entry.slot >= slot && entry.outcome !== 'durable').length;
  return nextSlot - slot > open;
}

function withRead(state: State, read: Read): State {
  const next = copyOf(state);
  next.read = read;
  return next;
}
