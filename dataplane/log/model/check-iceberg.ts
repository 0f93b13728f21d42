import { at, boundsFrom, mutantsFrom, replaced, without } from './model.ts';
import type { Bounds, Model, Step } from './model.ts';

/**
 * How a topic's records get into its Iceberg table exactly once: one source partition, two coordinators that may both
 * believe to lead, commits that land late or whose outcome is unknown, an external engine that compacts and expires
 * everything but refs, and the deletion of orphan files.
 */
export function icebergModel(
  mutants: readonly string[] = [],
  bounds: Readonly<Record<string, number>> = {},
): Model<State> {
  const rules: Rules = {
    broken: mutantsFrom([...icebergMutants, ...icebergRedundancies], mutants),
    bounds: boundsFrom(icebergBounds, bounds),
  };
  return {
    initial: initialState,
    steps: (state) => allSteps(rules, state),
    violation: (_, after) => brokenInvariant(rules, after),
    key: (state) => JSON.stringify(state),
  };
}

export const icebergMutants = ['rebaseBlind', 'deleteOnUnknown', 'summaryFromMainOnly', 'noClaim'] as const;

/**
 * Rules that may be broken without a violation: the assertion on `main` alone already gives exactly-once. The tag adds
 * protection from expiry and says who committed last.
 */
export const icebergRedundancies = ['noTagRequirement', 'noEpochCheck'] as const;

export const icebergBounds = {
  /** Records of the source partition. */
  offsets: 2,
  /** Commit requests under way at one time. */
  requests: 3,
  /** External compactions. */
  compactions: 1,
  /** Snapshot and file ids stay below these. */
  ids: 8,
  files: 5,
};

interface Rules {
  readonly broken: ReadonlySet<(typeof icebergMutants)[number] | (typeof icebergRedundancies)[number]>;
  readonly bounds: Bounds<keyof typeof icebergBounds>;
}

interface DataFile {
  readonly id: number;
  readonly offsets: readonly number[];
}

/** What the summary of one of our snapshots says. */
interface Summary {
  readonly epoch: number;
  /** The offset after the last record in the table. */
  readonly end: number;
}

interface Table {
  /** Snapshot of branch `main`. */
  readonly main: number;
  /** Snapshot of the tag that stands at our last ingest snapshot and never expires. */
  readonly tag: number;
  /** By snapshot id, for snapshots of ours. */
  readonly summaries: Readonly<Record<number, Summary>>;
  readonly files: readonly DataFile[];
  /** Ids of files that a compaction replaced. */
  readonly merged: readonly number[];
}

interface Request {
  readonly by: number;
  /** The snapshots that the request requires at `main` and tag. */
  readonly main: number;
  readonly tag: number;
  /** The snapshot that it adds. */
  readonly id: number;
  readonly epoch: number;
  readonly end: number;
  /** null: an empty snapshot, which only claims the table for its epoch. */
  readonly file: DataFile | null;
}

interface Coordinator {
  readonly phase: 'start' | 'reload' | 'claim' | 'idle' | 'ready' | 'wait' | 'unknown' | 'dead';
  readonly epoch: number;
  /** The table as last loaded or committed. */
  readonly base: { readonly main: number; readonly tag: number; readonly end: number } | null;
  readonly file: DataFile | null;
  readonly request: Request | null;
}

interface State {
  readonly table: Table;
  readonly nextId: number;
  readonly nextFile: number;
  /** Ids of files that a coordinator deleted. */
  readonly deleted: readonly number[];
  readonly compactions: number;
  readonly network: readonly Request[];
  readonly coordinators: readonly Coordinator[];
}

function initialState(): State {
  return {
    table: { main: 1, tag: 1, summaries: { 1: { epoch: 0, end: 0 } }, files: [], merged: [] },
    nextId: 2,
    nextFile: 1,
    deleted: [],
    compactions: 0,
    network: [],
    coordinators: [1, 2].map((epoch) => ({ phase: 'start', epoch, base: null, file: null, request: null })),
  };
}

function summaryOf(table: Table, snapshot: number): Summary {
  return table.summaries[snapshot] ?? { epoch: 0, end: 0 };
}

function brokenInvariant({ broken }: Rules, { table, deleted }: State): string | undefined {
  const offsets = table.files.flatMap((file) => file.offsets).sort((x, y) => x - y);
  const twice = offsets.find((offset, i) => offset === offsets[i - 1]);
  if (twice !== undefined) return `offset ${twice} is in the table twice`;
  if (offsets.some((offset, i) => offset !== i)) return `offset gap in the table: ${offsets}`;
  const { end } = summaryOf(table, table.tag);
  if (!broken.has('summaryFromMainOnly') && end !== offsets.length) {
    return `the summary's end is ${end}, but the table has ${offsets.length} records`;
  }
  const missing = table.files.find(({ id }) => deleted.includes(id));
  return missing === undefined ? undefined : `the table references the deleted file ${missing.id}`;
}

function* allSteps(rules: Rules, state: State): Iterable<Step<State>> {
  for (const i of state.coordinators.keys()) yield* coordinatorSteps(rules, state, i);
  yield* catalogSteps(rules, state);
  for (const [i, { phase, file }] of state.coordinators.entries()) {
    if (phase !== 'wait') continue;
    // A time-out or a 5xx, while the request may still land.
    const next = file === null ? 'start' : 'unknown';
    yield [`c${i} commit outcome unknown`, withCoordinator(state, i, { phase: next, request: null })];
  }
  const { table, nextId, compactions } = state;
  if (compactions < rules.bounds.compactions && nextId < rules.bounds.ids && table.files.length > 0) {
    const file = { id: 100 + nextId + 1, offsets: table.files.flatMap(({ offsets }) => offsets) };
    const merged = [...table.merged, ...table.files.map(({ id }) => id)];
    yield [
      'external compaction',
      {
        ...state,
        compactions: compactions + 1,
        nextId: nextId + 1,
        table: { ...table, main: nextId, merged, files: [file] },
      },
    ];
  }
}

function withCoordinator(state: State, i: number, change: Partial<Coordinator>): State {
  const coordinators = replaced(state.coordinators, i, { ...at(state.coordinators, i), ...change });
  return { ...state, coordinators };
}

function* coordinatorSteps({ broken, bounds }: Rules, state: State, i: number): Iterable<Step<State>> {
  const coordinator = at(state.coordinators, i);
  const { phase, epoch, base, file } = coordinator;
  const { table, nextId, nextFile, deleted } = state;
  if (phase === 'start' || phase === 'reload') {
    const { end } = summaryOf(table, broken.has('summaryFromMainOnly') ? table.main : table.tag);
    const loaded = { main: table.main, tag: table.tag, end };
    const next = withCoordinator(state, i, { base: loaded, ...afterLoad(broken, coordinator, table, end) });
    yield [`c${i} loads the table, end ${end}`, next];
  }
  if (base === null) return;
  const send = (request: Request): State => {
    const next = { ...state, nextId: nextId + 1, network: [...state.network, request] };
    return withCoordinator(next, i, { phase: 'wait', request });
  };
  const { main, tag } = base;
  if (phase === 'claim' && nextId < bounds.ids) {
    // An empty snapshot moves main and tag, so no commit of an older epoch can be applied after it.
    yield [`c${i} sends claim`, send({ by: i, main, tag, id: nextId, epoch, end: base.end, file: null })];
  }
  if (phase === 'idle' && base.end < bounds.offsets && nextFile < bounds.files) {
    const written = { id: nextFile, offsets: [base.end] };
    const next = withCoordinator({ ...state, nextFile: nextFile + 1 }, i, { phase: 'ready', file: written });
    yield [`c${i} workers wrote file ${nextFile} for offset ${base.end}`, next];
  }
  if (phase === 'ready' && file !== null && nextId < bounds.ids && state.network.length < bounds.requests) {
    const end = at(file.offsets, 0) + 1;
    yield [`c${i} sends commit of file ${file.id}`, send({ by: i, main, tag, id: nextId, epoch, end, file })];
  }
  if (phase === 'idle') {
    // Files of older coordinators that the table does not reference: only after our claim has been applied.
    const other = at(state.coordinators, 1 - i);
    const orphan = other.epoch < epoch ? other.file : null;
    if (orphan !== null && !deleted.includes(orphan.id) && !isReferenced(table, orphan.id)) {
      const next = { ...state, deleted: [...deleted, orphan.id] };
      yield [`c${i} deletes orphan file ${orphan.id} of c${1 - i}`, next];
    }
  }
  if (phase === 'unknown') {
    if (broken.has('deleteOnUnknown') && file !== null) {
      const next = { ...state, deleted: [...deleted, file.id] };
      yield [
        `c${i} deletes file ${file.id} after an unknown outcome`,
        withCoordinator(next, i, { phase: 'reload', file: null }),
      ];
    }
    yield [`c${i} resolves an unknown outcome by reload`, withCoordinator(state, i, { phase: 'reload' })];
  }
}

function isReferenced({ files, merged }: Table, id: number): boolean {
  return files.some((file) => file.id === id) || merged.includes(id);
}

function afterLoad(
  broken: Rules['broken'],
  { phase, epoch, file }: Coordinator,
  table: Table,
  end: number,
): Partial<Coordinator> {
  if (!broken.has('noEpochCheck') && summaryOf(table, table.tag).epoch > epoch) return { phase: 'dead' };
  if (file !== null) {
    // The file stays in the batch only while it begins where the table ends; else it is in, or somebody passed us.
    if (file.offsets[0] === end || broken.has('rebaseBlind')) return { phase: 'ready' };
    return { phase: 'idle', file: null };
  }
  return { phase: phase === 'start' && !broken.has('noClaim') ? 'claim' : 'idle' };
}

/** The catalog decides a request now, possibly very late; its answer arrives or is lost. */
function* catalogSteps({ broken }: Rules, state: State): Iterable<Step<State>> {
  const { table } = state;
  for (const [k, request] of state.network.entries()) {
    const { by, id, epoch, end, file } = request;
    const tagHolds = request.tag === table.tag || broken.has('noTagRequirement');
    const applied = request.main === table.main && tagHolds;
    const after: Table = applied
      ? {
          main: id,
          tag: id,
          summaries: { ...table.summaries, [id]: { epoch, end } },
          files: file === null ? table.files : [...table.files, file],
          merged: table.merged,
        }
      : table;
    const decided = { ...state, table: after, network: without(state.network, k) };
    const coordinator = at(state.coordinators, by);
    const waiting = coordinator.request?.id === id && coordinator.phase === 'wait';
    const verdict = applied ? 'applies' : 'rejects 409';
    if (waiting) {
      const told: Partial<Coordinator> = applied
        ? { phase: 'idle', base: { main: id, tag: id, end }, file: null, request: null }
        : afterConflict(broken, coordinator, after);
      yield [`catalog ${verdict} snapshot ${id} of c${by}`, withCoordinator(decided, by, told)];
    }
    yield [`catalog ${verdict} snapshot ${id} of c${by} (nobody hears)`, decided];
  }
}

function afterConflict(broken: Rules['broken'], { file }: Coordinator, table: Table): Partial<Coordinator> {
  if (!broken.has('rebaseBlind')) return { phase: file === null ? 'start' : 'reload' };
  const base = { main: table.main, tag: table.tag };
  if (file === null) return { phase: 'claim', base: { ...base, end: summaryOf(table, table.tag).end } };
  return { phase: 'ready', base: { ...base, end: at(file.offsets, 0) } };
}
