import { at, replaced } from './model.ts';
import type { Step } from './model.ts';
import { initialCluster, isDead } from './multi-cluster.ts';
import { mayBeLate, withLate } from './multi-commit.ts';
import {
  changed,
  idleRole,
  isBlock,
  logOf,
  nobody,
  open,
  manifestOf,
  openRunOf,
  setCell,
  startOf,
} from './multi-state.ts';
import type { LateCas, Manifest, Role, Rules, State } from './multi-state.ts';

/**
 * Session `i` acquires partition `q`: read the manifest; seal the session of its OPEN run, if that session is dead, at
 * the first hole; check that the hole was not made by a trim; compare-and-swap.
 */
export function* acquireSteps(rules: Rules, state: State, i: number, q: number): Iterable<Step<State>> {
  const { phase, basis } = at(at(state.sessions, i).roles, q);
  const manifest = at(state.manifests, q);
  if (phase === (state.cluster === null ? 'idle' : 'told')) yield* readSteps(rules, state, i, q);
  if (phase === 'idle' && state.cluster !== null && manifest.owner === i) {
    // Asked by a new owner to release a group it does not know to own: its acquisition landed late.
    yield [`askedToRelease s${i} p${q}`, owning(state, i, q, manifest)];
  }
  if (phase === 'acquireUnknown') {
    // A late copy that lands after this either fails on the etag or makes this session an owner that does not know it.
    const next =
      manifest.owner === i
        ? owning(state, i, q, manifest)
        : changed(state, i, (session) => Object.assign(at(session.roles, q), idleRole));
    yield [`resolveAcquire s${i} p${q}`, next];
  }
  if (basis === null) return;
  const run = openRunOf(basis);
  if (run !== undefined) yield* sealSteps(rules, state, i, q, run.session);
  if (phase === 'sealed') yield* takeSteps(rules, state, i, q, basis);
}

function* readSteps(rules: Rules, state: State, i: number, q: number): Iterable<Step<State>> {
  const manifest = at(state.manifests, q);
  const { order } = at(at(state.sessions, i).roles, q);
  if (manifest.version >= rules.bounds.maxver) return;
  if (manifest.owner === i) {
    // Only after an unanswered acquisition that landed late.
    if (state.cluster !== null) yield [`readM s${i} p${q} own`, owning(state, i, q, manifest)];
    return;
  }
  const run = openRunOf(manifest);
  const next = changed(state, i, (session) => {
    const role = at(session.roles, q);
    if (manifest.assignGen > order) {
      Object.assign(role, idleRole);
      return;
    }
    role.basis = manifest;
    role.version = manifest.version;
    role.sealSlot = -1;
    role.phase = run === undefined ? 'sealed' : state.cluster === null ? 'readTrim' : 'judge';
  });
  yield [`readM s${i} p${q} v${manifest.version}`, next];
}

/** From the OPEN run of session `old` in the manifest read to the seal of that session. */
function* sealSteps(rules: Rules, state: State, i: number, q: number, old: number): Iterable<Step<State>> {
  const { broken, bounds } = rules;
  const { roles, seals } = at(state.sessions, i);
  const { phase, sealSlot, basis } = at(roles, q);
  const trim = at(state.trims, old);
  const step = (action: string, change: (role: Role, next: State) => void): Step<State> => [
    action,
    changed(state, i, (session, next) => change(at(session.roles, q), next)),
  ];
  if (phase === 'judge') {
    const sealable = maySeal(rules, state, i, q, old);
    yield step(`judge s${i} p${q}: s${old} ${sealable ? 'dead' : 'alive'}`, (role) => {
      if (sealable) role.phase = 'readTrim';
      else Object.assign(role, idleRole);
    });
  }
  if (phase === 'readTrim' && basis !== null) {
    const run = openRunOf(basis);
    const start = Math.max(run === undefined ? 0 : startOf(run), trim);
    // A seal found for another partition serves this run too if the slots confirmed then begin no later and end no
    // earlier than this run.
    const known = seals?.[old];
    const usable =
      known !== undefined &&
      known !== null &&
      (known.from <= start || broken.has('sealAboveFence')) &&
      (start <= known.seal || broken.has('sealBelowStart'));
    yield step(`readTrim s${i} p${q} of s${old} = ${trim}`, (role) => {
      role.trim = trim;
      role.sealSlot = usable ? known.seal : start;
      role.phase = usable ? 'sealed' : 'scan';
    });
  }
  if (phase === 'scan') {
    const cell = sealSlot <= bounds.slots ? at(at(state.wal, old), sealSlot) : 'fence';
    yield step(`seal s${i} p${q}: s${old} slot${sealSlot}`, (role, next) => {
      if (isBlock(cell)) {
        role.sealSlot++;
        return;
      }
      if (cell === null) setCell(next, old, sealSlot, 'fence');
      role.phase = broken.has('noTrimValidate') ? 'sealed' : 'validate';
    });
  }
  if (phase === 'validate') {
    yield [
      `validateFence s${i} p${q} at ${sealSlot}: trim ${trim}`,
      changed(state, i, (session) => {
        const role = at(session.roles, q);
        if (trim > sealSlot) {
          role.trim = trim;
          role.sealSlot = trim;
          role.phase = 'scan';
          return;
        }
        role.phase = 'sealed';
        const run = basis === null ? undefined : openRunOf(basis);
        if (session.seals === null || run === undefined) return;
        const from = Math.max(startOf(run), role.trim);
        session.seals = replaced(session.seals, old, { from, seal: sealSlot });
      }),
    ];
  }
}

/** Whether the rules, or what the mutants make of them, let `i` seal session `old`. Reads `meta/cluster` now. */
function maySeal({ broken, bounds }: Rules, state: State, i: number, q: number, old: number): boolean {
  const { cluster } = state;
  if (cluster === null) return true;
  const { oldView, roles } = at(state.sessions, i);
  const takeover = at(roles, q).orderFrom === nobody;
  if (broken.has('sealOnHandover') && !takeover) return true;
  if (broken.has('sealByMode') && takeover) return true;
  if (broken.has('judgeByOldView')) return isDead(oldView ?? initialCluster({ broken, bounds }), old);
  return isDead(cluster, old);
}

function* takeSteps(
  rules: Rules,
  state: State,
  i: number,
  q: number,
  basis: Manifest,
): Iterable<Step<State>> {
  const manifest = at(state.manifests, q);
  const { nextSlot, roles } = at(state.sessions, i);
  const { sealSlot, trim, order } = at(roles, q);
  const closed = basis.runs
    .map((run) =>
      run.to === open ? { ...run, to: sealSlot, flushedTo: Math.max(run.flushedTo, trim) } : run,
    )
    .filter((run, k) => at(basis.runs, k).to !== open || run.to > startOf(run));
  const nextOffset = logOf(q, { ...basis, runs: closed }, state).values.length;
  // Nothing unflushed: the runs are dropped at once.
  const runs = nextOffset === basis.segment.length ? [] : closed;
  const written = manifestOf({
    version: basis.version + 1,
    assignGen: order,
    owner: i,
    runs: [...runs, { session: i, from: nextSlot, to: open, flushedTo: nextSlot }],
    segment: basis.segment,
  });
  const applied = manifest.version === basis.version;
  const next = changed(state, i, (session, next) => {
    const role = at(session.roles, q);
    Object.assign(role, idleRole);
    if (!applied) return;
    next.manifests = replaced(state.manifests, q, written);
    role.phase = 'own';
    role.version = written.version;
    role.nextOffset = nextOffset;
    role.flushedTo = nextSlot;
  });
  yield [`casTakeover s${i} p${q} ${applied ? 'applied' : 'rejected'}`, next];
  const cas: LateCas = { kind: 'acquire', session: i, partition: q, base: basis.version, written };
  if (mayBeLate(rules, state, cas)) {
    const sender = changed(state, i, (session) => Object.assign(at(session.roles, q), idleRole));
    yield [`casTakeoverUnanswered s${i} p${q}`, withLate(sender, cas, 'acquireUnknown')];
  }
}

/** `state` after session `i` learnt from a read that it owns `q` by `manifest`. */
function owning(state: State, i: number, q: number, manifest: Manifest): State {
  return changed(state, i, (session) => {
    const role = at(session.roles, q);
    const run = openRunOf(manifest);
    Object.assign(role, idleRole);
    role.phase = 'own';
    role.version = manifest.version;
    role.nextOffset = logOf(q, manifest, state).values.length;
    role.flushedTo = run === undefined ? 0 : startOf(run);
  });
}
