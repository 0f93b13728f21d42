import { at, replaced, without } from './model.ts';
import type { Step } from './model.ts';
import { changed, durableEndOf, isBlock, kill, withPut } from './multi-state.ts';
import type { Rules, State } from './multi-state.ts';

/** Appends of session `i`: produce, retry, a look at slots answered 412, acknowledgement, trim. */
export function* appendSteps(rules: Rules, state: State, i: number): Iterable<Step<State>> {
  for (const q of state.manifests.keys()) yield* produceSteps(rules, state, i, q);
  yield* trimSteps(state, i);
  yield* resolveSteps(rules, state, i);
}

function* produceSteps({ bounds }: Rules, state: State, i: number, q: number): Iterable<Step<State>> {
  const { inflight, nextSlot: slot, roles } = at(state.sessions, i);
  const { phase, nextOffset: offset } = at(roles, q);
  if (phase !== 'own' || state.nextValue > bounds.values) return;
  if (inflight.length >= bounds.window || slot >= bounds.slots) return;
  const block = { value: state.nextValue, offset, partition: q };
  const next = changed(state, i, (session, next) => {
    next.nextValue++;
    session.nextSlot++;
    at(session.roles, q).nextOffset++;
    session.inflight.push({ slot, block, outcome: 'pending', attempts: 1 });
    next.puts = withPut(state.puts, { session: i, slot, block });
  });
  yield [`produce s${i} slot${slot} p${q} v${block.value}@${offset}`, next];
}

/**
 * The owner's trim point: the first slot that any of its partitions still needs unflushed, at most the first one not
 * acknowledged. From its own knowledge: it may not know yet that it lost a partition.
 */
function* trimSteps(state: State, i: number): Iterable<Step<State>> {
  const { inflight, nextSlot, roles } = at(state.sessions, i);
  let trim = inflight[0]?.slot ?? nextSlot;
  for (const [q, { phase, flushedTo }] of roles.entries()) {
    if (phase !== 'own') continue;
    const slots = at(state.wal, i);
    const needed = slots.findIndex(
      (cell, slot) => slot >= flushedTo && slot < nextSlot && isBlock(cell) && cell.partition === q,
    );
    if (needed >= 0) trim = Math.min(trim, needed);
  }
  if (trim <= at(state.trims, i)) return;
  const next = changed(state, i, (_, next) => {
    next.trims = replaced(state.trims, i, trim);
  });
  yield [`trim s${i} -> ${trim}`, next];
}

function* resolveSteps({ broken, bounds }: Rules, state: State, i: number): Iterable<Step<State>> {
  const { inflight } = at(state.sessions, i);
  for (const [k, entry] of inflight.entries()) {
    const { slot, block, outcome, attempts } = entry;
    if (outcome === 'pending' && attempts < bounds.attempts) {
      const next = changed(state, i, (session, next) => {
        session.inflight[k] = { ...entry, attempts: attempts + 1 };
        next.puts = withPut(state.puts, { session: i, slot, block });
      });
      yield [`retry s${i} slot${slot}`, next];
    }
    if (outcome === 'refused') {
      const cell = at(at(state.wal, i), slot);
      const own = isBlock(cell) && cell.value === block.value;
      const next = changed(state, i, (session, next) => {
        if (!own) {
          kill(next, i);
          return;
        }
        session.inflight[k] = { ...entry, outcome: 'durable' };
        const { read } = next;
        const unresolvedBelow = durableEndOf(session) <= slot;
        if (broken.has('confirmByOlderPut') && read.session === i && !unresolvedBelow) {
          next.read = { ...read, confirmed: true };
        }
      });
      yield [`resolve412 s${i} slot${slot}`, next];
    }
    const earlier = inflight.slice(0, k);
    const acknowledgeable = broken.has('ackPerPartition')
      ? !earlier.some((other) => other.block.partition === block.partition)
      : k === 0;
    if (outcome === 'durable' && acknowledgeable) {
      const next = changed(state, i, (session, next) => {
        session.inflight = without(inflight, k);
        const acked = [...at(state.acked, block.partition), block];
        next.acked = replaced(state.acked, block.partition, acked);
      });
      yield [`ack s${i} slot${slot} p${block.partition} v${block.value}`, next];
    }
  }
}
