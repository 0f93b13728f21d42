import { at, replaced } from './model.ts';
import type { Step } from './model.ts';
import {
  changed,
  idleRole,
  isBlock,
  kill,
  logOf,
  manifestOf,
  nobody,
  open,
  openRunOf,
  startOf,
} from './multi-state.ts';
import type { LateCas, Manifest, Role, Rules, Run, State } from './multi-state.ts';

/** What an owner writes to its manifest: flush and release, and what it makes of a refused or unanswered CAS. */
export function* commitSteps(rules: Rules, state: State, i: number, q: number): Iterable<Step<State>> {
  const role = at(at(state.sessions, i).roles, q);
  const manifest = at(state.manifests, q);
  if (role.phase === 'releaseUnknown') yield* releaseUnknownSteps(rules, state, i, q);
  if (role.phase !== 'own' || manifest.version >= rules.bounds.maxver) return;
  const run = openRunOf(manifest);
  if (role.version !== manifest.version) {
    yield [
      `casRefused s${i} p${q}`,
      changed(state, i, (session, next) => {
        if (run?.session === i) adopt(at(session.roles, q), manifest, run);
        else if (rules.broken.has('surviveLostPartition')) at(session.roles, q).phase = 'lost';
        else kill(next, i);
      }),
    ];
    return;
  }
  if (run?.session !== i) return;
  yield* flushSteps(rules, state, i, q, run);
  yield* releaseSteps(rules, state, i, q, run);
}

/** What the session knows of its group after a read showed `manifest`, which is its own. */
function adopt(role: Role, manifest: Manifest, run: Run): void {
  role.version = manifest.version;
  role.flushedTo = startOf(run);
}

/** Everything acknowledged goes into a segment. Nothing changes for an owner that does not hear the CAS's answer. */
function* flushSteps(rules: Rules, state: State, i: number, q: number, run: Run): Iterable<Step<State>> {
  const manifest = at(state.manifests, q);
  const { inflight, nextSlot } = at(state.sessions, i);
  const upTo = inflight[0]?.slot ?? nextSlot;
  const segment = manifest.segment.slice();
  for (const part of manifest.runs) {
    const end = part.to === open ? upTo : part.to;
    for (let slot = Math.max(startOf(part), at(state.trims, part.session)); slot < end; slot++) {
      const cell = at(at(state.wal, part.session), slot);
      if (!isBlock(cell)) return;
      if (cell.partition === q) segment.push(cell.value);
    }
  }
  if (segment.length === manifest.segment.length) return;
  const written = manifestOf({
    ...manifest,
    version: manifest.version + 1,
    runs: [{ session: i, from: Math.max(run.from, upTo), to: open, flushedTo: upTo }],
    segment,
  });
  const next = changed(state, i, (session, next) => {
    next.manifests = replaced(state.manifests, q, written);
    at(session.roles, q).version = written.version;
    at(session.roles, q).flushedTo = upTo;
  });
  yield [`flush s${i} p${q} upto${upTo}`, next];
  const cas: LateCas = { kind: 'flush', session: i, partition: q, base: manifest.version, written };
  if (mayBeLate(rules, state, cas))
    yield [`flushUnanswered s${i} p${q} upto${upTo}`, withLate(state, cas, 'own')];
}

/** Drained and flushed, so no slot of this session is needed any more: the run is dropped. */
function* releaseSteps(rules: Rules, state: State, i: number, q: number, run: Run): Iterable<Step<State>> {
  const { broken } = rules;
  const manifest = at(state.manifests, q);
  const { inflight, nextSlot } = at(state.sessions, i);
  const unflushed = logOf(q, manifest, state).values.length > manifest.segment.length;
  if (inflight.some(({ block }) => block.partition === q)) return;
  if (unflushed && !broken.has('releaseUnflushed') && !broken.has('releaseAtNextSlot')) return;
  const to = broken.has('releaseAtNextSlot') ? nextSlot : (inflight[0]?.slot ?? nextSlot);
  const keepRun = to > startOf(run) && (unflushed || broken.has('releaseAtNextSlot'));
  const earlier = manifest.runs.slice(0, -1);
  const written = manifestOf({
    ...manifest,
    version: manifest.version + 1,
    owner: nobody,
    runs: keepRun ? [...earlier, { ...run, to }] : earlier,
  });
  const next = changed(state, i, (session, next) => {
    next.manifests = replaced(state.manifests, q, written);
    session.roles[q] = { ...idleRole };
  });
  yield [`release s${i} p${q} to${to}`, next];
  const cas: LateCas = { kind: 'release', session: i, partition: q, base: manifest.version, written };
  if (mayBeLate(rules, state, cas)) {
    yield [`releaseUnanswered s${i} p${q}`, withLate(state, cas, 'releaseUnknown')];
  }
}

/**
 * GET. No run of ours: the group is gone and the session lives. Unchanged: the CAS may still land, so the owner serves
 * no more and sends the same bytes again. Changed by a late flush of our own: still the owner, the release cannot land.
 */
function* releaseUnknownSteps({ broken }: Rules, state: State, i: number, q: number): Iterable<Step<State>> {
  const role = at(at(state.sessions, i).roles, q);
  const manifest = at(state.manifests, q);
  if (manifest.version === role.version) {
    const cas = state.lateCasses.find(
      ({ kind, session, partition, base }) =>
        kind === 'release' && session === i && partition === q && base === role.version,
    );
    if (cas !== undefined) {
      const next = changed(state, i, (session, next) => {
        next.manifests = replaced(state.manifests, q, cas.written);
        session.roles[q] = { ...idleRole };
      });
      yield [`repeatRelease s${i} p${q}`, next];
    }
    if (broken.has('releaseUnknownAsOwned')) {
      yield [
        `resolveRelease s${i} p${q} serves again`,
        changed(state, i, (session) => {
          at(session.roles, q).phase = 'own';
        }),
      ];
    }
    return;
  }
  const ours = manifest.runs.find(({ session }) => session === i);
  yield [
    `resolveRelease s${i} p${q}`,
    changed(state, i, (session, next) => {
      if (ours === undefined && !broken.has('releaseUnknownAsLost')) {
        session.roles[q] = { ...idleRole };
      } else if (ours?.to === open) {
        at(session.roles, q).phase = 'own';
        adopt(at(session.roles, q), manifest, ours);
      } else {
        kill(next, i);
      }
    }),
  ];
}

const boundOfKind = { flush: 'lateFlushes', release: 'lateReleases', acquire: 'lateAcquires' } as const;

/** Whether `cas` may be sent without hearing its answer. Sending the same one twice adds nothing: only one can apply. */
export function mayBeLate({ bounds }: Rules, { lateCasses }: State, cas: LateCas): boolean {
  const sameKind = lateCasses.filter(({ kind }) => kind === cas.kind);
  const same = sameKind.some(
    (other) =>
      other.partition === cas.partition &&
      other.session === cas.session &&
      other.written.key === cas.written.key,
  );
  return !same && sameKind.length < bounds[boundOfKind[cas.kind]];
}

/** `cas` is in the network, and its sender is in `phase`. */
export function withLate(state: State, cas: LateCas, phase: Role['phase']): State {
  return changed(state, cas.session, (session, next) => {
    at(session.roles, cas.partition).phase = phase;
    next.lateCasses = [...state.lateCasses, cas];
  });
}
