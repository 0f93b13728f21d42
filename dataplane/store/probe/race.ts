import { abortReason } from '../../runtime/runtime.ts';
import { StoreError } from '../errors.ts';
import type { ETag, ObjectStore, Precondition } from '../object-store.ts';
import { Inconclusive, Violation } from './errors.ts';
import { bodyOf } from './probe-ground.ts';
import type { ProbeGround } from './probe-ground.ts';
import { heldBack, isSame, raceBody } from './race-body.ts';
import type { RaceBody } from './race-body.ts';
import { StartGate } from './start-gate.ts';
import type { GateTicket } from './start-gate.ts';

/** What one writer of a race was told. */
export type Told =
  | { readonly kind: 'won'; readonly etag: ETag }
  | { readonly kind: 'lost' }
  /** An error: `landed` says whether this write can have taken effect nevertheless. */
  | { readonly kind: 'error'; readonly landed: 'no' | 'maybe'; readonly code: string };

export interface Racer {
  readonly id: string;
  readonly body: RaceBody;
  readonly told: Told;
}

/** What a handle shows after the race: as it was before, or an object with this id, ETag and bytes. */
export type Shown =
  | { readonly kind: 'untouched' }
  | {
      readonly kind: 'object';
      readonly id: string | undefined;
      readonly etag: ETag;
      readonly body: Uint8Array;
    };

export type RaceVerdict =
  | { readonly kind: 'one-winner'; readonly winner: Racer }
  /** Nobody won. `errors`: how many writers got an error, which may explain it. */
  | { readonly kind: 'no-winner'; readonly errors: number; readonly example: string | undefined }
  | { readonly kind: 'violation'; readonly what: string };

/**
 * Judges a race of writers with the same condition, of whom exactly one may take effect.
 *
 * The winner is whom the object names, not who was told so: an answer can be lost on its way, and where a network repeats
 * a request the repetition is told 412. That is how Firn itself reads a 412. What no loss of answers can explain is a
 * violation: two winners, a winner whose object is not there, an object that nobody wrote, torn bytes.
 */
export function judgeRace(racers: readonly Racer[], shown: Shown): RaceVerdict {
  const won = racers.filter(({ told }) => told.kind === 'won');
  if (won.length > 1) {
    return violation(
      `${won.length} of ${racers.length} writers with the same condition were told they had won`,
    );
  }
  if (shown.kind === 'untouched') {
    if (won.length === 1)
      return violation('a writer was told it had won, and a GET after it does not show its object');
    const errors = racers.flatMap(({ told }) => (told.kind === 'error' ? [told.code] : []));
    return { kind: 'no-winner', errors: errors.length, example: errors[0] };
  }
  const winner = racers.find(({ id }) => id === shown.id);
  if (winner === undefined) {
    return violation(`after the race the object has the id ${JSON.stringify(shown.id)}, which no writer had`);
  }
  const [told] = won;
  if (told !== undefined && told !== winner) {
    return violation(
      'one writer was told it had won, and the object is that of another writer: both took effect',
    );
  }
  if (winner.told.kind === 'error' && winner.told.landed === 'no') {
    return violation(
      `the object is that of a writer that got ${winner.told.code}, which says that nothing was written`,
    );
  }
  if (!isSame(winner.body, shown.body)) {
    return violation(`the object has the winner's id but not its bytes (${shown.body.byteLength})`);
  }
  if (winner.told.kind === 'won' && winner.told.etag !== shown.etag) {
    return violation(`the winner was told ETag ${winner.told.etag}, and GET shows ${shown.etag}`);
  }
  return { kind: 'one-winner', winner };
}

function violation(what: string): RaceVerdict {
  return { kind: 'violation', what };
}

/** The ground on which one race is run: a key in the state that the condition asks for. */
export interface Start {
  readonly key: string;
  readonly condition: Precondition & ({ readonly ifAbsent: true } | { readonly ifMatch: ETag });
  /** Set when the key was deleted before: a contradiction may then be a late copy of that delete. */
  readonly afterDelete?: boolean;
}

/** Who races and with what. */
export interface Field {
  readonly writers: number;
  readonly sizeBytes: number;
  /** All writers stop with one byte to go until everybody is there. For bodies that are not empty. */
  readonly heldBack: boolean;
}

const maxErrorAttempts = 8;
const maxSilentAttempts = 3;

/**
 * Runs one round: all writers at once, spread over all handles, then a GET through every handle. A round in which nobody
 * won is run again on another key; eight such rounds with errors are {@link Inconclusive}, three without any error a
 * {@link Violation}.
 */
export async function race(ground: ProbeGround, field: Field, prepare: () => Promise<Start>): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    const start = await prepare();
    // Before the race, not before its preparation: some stores (R2) take one write a second to one key, and after the
    // preparing write they would throttle every writer.
    if (attempt > 1) await ground.backOff(attempt);
    const racers = await runRacers(ground, start, field);
    const verdict = await judgeEverywhere(ground, start, racers);
    if (verdict.kind === 'one-winner') return;
    if (verdict.kind === 'violation') {
      if (start.afterDelete !== true) throw new Violation(verdict.what);
      ground.doubt(verdict.what);
    } else if (verdict.errors === 0 && attempt >= maxSilentAttempts) {
      throw new Violation(
        `all ${racers.length} writers were told that their condition failed, though it held for one of them`,
      );
    } else if (attempt >= maxErrorAttempts) {
      throw new Inconclusive(
        `${attempt} races in a row had no winner, in the last one ${verdict.errors} of ${racers.length} writers ` +
          `got an error (${verdict.example})`,
      );
    }
  }
}

/**
 * Opens the connections that a race needs, so that no writer of it comes late because it has to connect first: as many
 * requests at once as there will be writers.
 */
export async function warmUp(ground: ProbeGround): Promise<void> {
  const key = ground.freshKey('warm-up');
  await Promise.all(Array.from({ length: ground.racers }, (_, i) => ground.head(ground.handle(i), key)));
}

/** Whether bodies can be held back at all: a store that signs all its bytes in advance refuses streams. */
export async function canHoldBack(ground: ProbeGround): Promise<boolean> {
  const text = bodyOf('streamed');
  const key = ground.freshKey('streamed');
  try {
    await ground.persist(async () => {
      const { body, crc32c } = heldBack([text], new StartGate(ground.runtime, 1).ticket());
      await ground.handle(0).put(key, body, { ifAbsent: true, crc32c, signal: ground.signal });
    });
    return true;
  } catch (error) {
    if (error instanceof StoreError && error.code === 'INVALID_REQUEST') return false;
    throw error;
  }
}

async function runRacers(ground: ProbeGround, start: Start, field: Field): Promise<Racer[]> {
  const gate = new StartGate(ground.runtime, field.writers);
  const entrants = Array.from({ length: field.writers }, () => {
    const id = ground.freshId('racer');
    return { id, body: raceBody(id, field.sizeBytes), ticket: field.heldBack ? gate.ticket() : undefined };
  });
  // All writers are started in one turn of the event loop, before any answer can be read.
  return await Promise.all(
    entrants.map(async ({ id, body, ticket }, i) => ({
      id,
      body,
      told: await tell(ground, ground.handle(i), start, id, body, ticket),
    })),
  );
}

async function tell(
  ground: ProbeGround,
  handle: ObjectStore,
  { key, condition }: Start,
  id: string,
  pieces: RaceBody,
  ticket: GateTicket | undefined,
): Promise<Told> {
  try {
    const { body, crc32c } =
      ticket === undefined ? { body: pieces, crc32c: undefined } : heldBack(pieces, ticket);
    const result = await handle.put(key, body, { ...condition, crc32c, id, signal: ground.signal });
    return result.kind === 'written' ? { kind: 'won', etag: result.etag } : { kind: 'lost' };
  } catch (error) {
    if (ground.signal.aborted) throw abortReason(ground.signal);
    if (!(error instanceof StoreError && error.retriable)) throw error;
    return { kind: 'error', landed: error.landed, code: error.code };
  } finally {
    ticket?.leave();
  }
}

/**
 * All handles must show the same outcome. Where no writer was told that it had won, its write may land between two reads:
 * so only a handle read after one that showed the object must show it too.
 */
async function judgeEverywhere(
  ground: ProbeGround,
  start: Start,
  racers: readonly Racer[],
): Promise<RaceVerdict> {
  // Begin with a connection that the winner did not use.
  const winner = racers.findIndex(({ told }) => told.kind === 'won');
  let first: RaceVerdict | undefined;
  for (let i = 1; i <= ground.handles.length; i++) {
    const verdict = judgeRace(racers, await show(ground, ground.handle(winner + i), start));
    if (verdict.kind === 'violation') return verdict;
    if (first?.kind === 'one-winner' && verdict.kind === 'no-winner')
      return {
        kind: 'violation',
        what: 'one connection shows the winner, and a later GET on another does not',
      };
    if (first === undefined || first.kind === 'no-winner') first = verdict;
  }
  return first ?? { kind: 'violation', what: 'there is no handle to read with' };
}

async function show(ground: ProbeGround, handle: ObjectStore, { key, condition }: Start): Promise<Shown> {
  const got = await ground.read(handle, key);
  if (got.kind === 'found' && got.info.etag !== condition.ifMatch)
    return { kind: 'object', id: got.info.id, etag: got.info.etag, body: got.body };
  if (got.kind === 'absent' && condition.ifMatch !== undefined)
    throw new Violation('the object was there before the race and is gone after it');
  return { kind: 'untouched' };
}
