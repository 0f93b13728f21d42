import { placeHomeless } from './assign.ts';
import { ChangeRefused } from './change-refused.ts';
import type {
  Assignment,
  BrokerEntry,
  BrokerState,
  ClusterState,
  FormatRange,
  Suspicion,
} from './cluster-state.ts';
import { addressPattern, maxBrokerId, namePattern } from './cluster-json.ts';
import { brokerOfSid, isDeadSid } from './ownership.ts';

export interface Registration {
  readonly id: number;
  readonly sid: string;
  readonly address: string;
  readonly listeners: BrokerEntry['listeners'];
  readonly zone: string;
  readonly supportedFormat: FormatRange;
}

/**
 * A process has started: its new session takes over the id. Whatever session the id had before is dead from here on, and
 * the groups of the id go to the new session by takeover, each under a new generation: so a process of the old session
 * that has not noticed yet finds its generation outdated in every manifest the new one has touched.
 *
 * A process whose id was given to another process must exit, not register again: that is its own duty. Registering a
 * session that lives already changes nothing, so a process that does not know the outcome of its registration repeats it.
 */
export function registerBroker(
  state: ClusterState,
  registration: Registration,
): ClusterState | ChangeRefused {
  const { id, sid, ...rest } = registration;
  const invalid = registrationProblem(registration);
  if (invalid !== undefined) return invalid;
  const named = brokerOfSid(state, sid);
  if (named?.id === id && named.entry.state !== 'dead') return state;
  if (named !== undefined) {
    return new ChangeRefused(
      'SID_REUSED',
      `broker ${id} cannot register session ${sid}: broker ${named.id} has it already (${named.entry.state}); mint a new session id`,
    );
  }
  const unsupported = formatProblem(`broker ${id}`, registration.supportedFormat, state.formatVersion);
  if (unsupported !== undefined) return unsupported;

  const zones = state.zones.includes(rest.zone) ? state.zones : [...state.zones, rest.zone];
  const { extra, cordoned } = state.brokers.get(id) ?? {};
  const entry: BrokerEntry = {
    ...rest,
    sid,
    state: 'alive',
    ...(cordoned === true ? { cordoned } : {}),
    ...(extra === undefined ? {} : { extra }),
  };
  const assignments = new Map(state.assignments);
  for (const [group, assignment] of state.assignments) {
    if (assignment.broker === id) {
      assignments.set(group, { ...assignment, generation: assignment.generation + 1 });
    }
  }
  const registered = { ...state, zones, assignments, brokers: new Map(state.brokers).set(id, entry) };
  return placeHomeless(withoutSession(registered, id, state.brokers.get(id)?.sid));
}

/**
 * A process whose session died goes on under a new one. Only while its own entry still names the dead session: if it
 * names another one, another process has the id and this one must exit. May be repeated with the same new session.
 */
export function mintSid(
  state: ClusterState,
  session: { readonly id: number; readonly deadSid: string; readonly newSid: string },
): ClusterState | ChangeRefused {
  const { id, deadSid, newSid } = session;
  if (state.brokers.get(id)?.sid === newSid && !isDeadSid(state, newSid)) return state;
  const entry = ownEntry(state, id, deadSid);
  if (entry instanceof ChangeRefused) return entry;
  if (entry.state !== 'dead') {
    return new ChangeRefused(
      'SESSION_ALIVE',
      `broker ${id} cannot replace session ${deadSid}: it is ${entry.state}; mark it dead first`,
    );
  }
  const { address, listeners, zone, supportedFormat } = entry;
  return registerBroker(state, { id, sid: newSid, address, listeners, zone, supportedFormat });
}

/**
 * What a broker says of itself. `draining`: it gets no new groups (those it has are moved by `moveAway` or by the
 * operator). `dead`: it has stopped; its groups go to the survivors. A dead session stays dead.
 */
export function setBrokerState(
  state: ClusterState,
  change: { readonly id: number; readonly sid: string; readonly to: BrokerState },
): ClusterState | ChangeRefused {
  const { id, sid, to } = change;
  const entry = ownEntry(state, id, sid);
  if (entry instanceof ChangeRefused) return entry;
  if (entry.state === to) return state;
  if (entry.state === 'dead') {
    return new ChangeRefused(
      'SESSION_DEAD',
      `broker ${id} cannot become ${to}: its session ${sid} is dead; mint a new one`,
    );
  }
  if (to === 'dead') return buried(state, id, entry);
  return placeHomeless({ ...state, brokers: new Map(state.brokers).set(id, { ...entry, state: to }) });
}

/**
 * The takeover: declares another broker's session dead and gives its groups to the survivors.
 *
 * `evidence.nonce`: an accusation that has stood unrefuted for its time (see `decideSuspicion`); it must still stand in
 * `state`, so a refutation that landed first wins. `'gone'`: the accused's own address refused twice, so there is no
 * process that could refute.
 */
export function markDead(
  state: ClusterState,
  verdict: {
    readonly id: number;
    readonly sid: string;
    readonly by: { readonly id: number; readonly sid: string };
    readonly evidence: 'gone' | { readonly nonce: string };
  },
): ClusterState | ChangeRefused {
  const { id, sid, by, evidence } = verdict;
  const judge = liveSession(state, by.id, by.sid);
  if (judge instanceof ChangeRefused) return judge;
  const entry = ownEntry(state, id, sid);
  if (entry instanceof ChangeRefused) return entry;
  if (entry.state === 'dead') return state;
  if (evidence !== 'gone') {
    const accusations = state.suspicions.get(id)?.accusations ?? [];
    if (!accusations.some(({ nonce }) => nonce === evidence.nonce)) {
      return new ChangeRefused(
        'REFUTED',
        `broker ${id} is not declared dead: accusation ${evidence.nonce} of its session ${sid} stands no more`,
      );
    }
  }
  return buried(state, id, entry);
}

/** Removes a broker that is gone for good. */
export function unregisterBroker(state: ClusterState, id: number): ClusterState | ChangeRefused {
  const entry = state.brokers.get(id);
  if (entry === undefined) return unknownBroker(id);
  if (entry.state !== 'dead') {
    return new ChangeRefused(
      'BROKER_IN_USE',
      `broker ${id} cannot be removed: it is ${entry.state}; stop it first`,
    );
  }
  const groups = [...state.assignments.values()].filter(({ broker }) => broker === id).length;
  if (groups > 0) {
    return new ChangeRefused(
      'BROKER_IN_USE',
      `broker ${id} cannot be removed: ${groups} partition groups have nowhere else to go; start another broker first`,
    );
  }
  const brokers = new Map(state.brokers);
  brokers.delete(id);
  return { ...state, brokers };
}

/**
 * Finalizes an upgrade: from now on everything is written in version `to`. One step at a time, because readers accept
 * their own version and the next; and only when every broker that is not dead writes it.
 */
export function raiseFormatVersion(state: ClusterState, to: number): ClusterState | ChangeRefused {
  if (to === state.formatVersion) return state;
  if (to !== state.formatVersion + 1) {
    return new ChangeRefused(
      'FORMAT_NOT_SUPPORTED',
      `the format version is ${state.formatVersion} and can only be raised to ${state.formatVersion + 1}, not set to ${to}`,
    );
  }
  for (const [id, { state: brokerState, supportedFormat }] of state.brokers) {
    if (brokerState === 'dead') continue;
    const problem = formatProblem(`broker ${id}`, supportedFormat, to);
    if (problem !== undefined) return problem;
  }
  return { ...state, formatVersion: to };
}

/** The entry of a session that may act; refused when the id has another session or this one is dead. */
export function liveSession(state: ClusterState, id: number, sid: string): BrokerEntry | ChangeRefused {
  const entry = ownEntry(state, id, sid);
  if (entry instanceof ChangeRefused || entry.state !== 'dead') return entry;
  return new ChangeRefused(
    'SESSION_DEAD',
    `session ${sid} of broker ${id} is dead and may change nothing; mint a new one`,
  );
}

export function unknownBroker(id: number): ChangeRefused {
  return new ChangeRefused('UNKNOWN_BROKER', `there is no broker ${id}`);
}

function ownEntry(state: ClusterState, id: number, sid: string): BrokerEntry | ChangeRefused {
  const entry = state.brokers.get(id);
  if (entry === undefined) return unknownBroker(id);
  if (entry.sid === sid) return entry;
  return new ChangeRefused(
    'SESSION_REPLACED',
    `broker ${id} has session ${entry.sid}, no more ${sid}: a process that was started later has taken its id`,
  );
}

function registrationProblem({ id, address, zone }: Registration): ChangeRefused | undefined {
  const refuse = (what: string): ChangeRefused =>
    new ChangeRefused('INVALID_BROKER', `broker ${id} cannot register: ${what}`);
  if (!Number.isInteger(id) || id < 0 || id > maxBrokerId)
    return refuse(`its id must be 0 to ${maxBrokerId}`);
  if (!addressPattern.test(address))
    return refuse(`${JSON.stringify(address)} is no address: host:port is expected`);
  if (namePattern.test(zone)) return undefined;
  return refuse(
    `${JSON.stringify(zone)} is no zone: set the zone this process runs in, at most 255 characters`,
  );
}

function formatProblem(who: string, { min, max }: FormatRange, version: number): ChangeRefused | undefined {
  if (min <= version && version <= max) return undefined;
  return new ChangeRefused(
    'FORMAT_NOT_SUPPORTED',
    `${who} writes format versions ${min} to ${max}, not ${version}: run a program that does`,
  );
}

function buried(state: ClusterState, id: number, entry: BrokerEntry): ClusterState {
  const brokers = new Map(state.brokers).set(id, { ...entry, state: 'dead' as const });
  return placeHomeless(withoutSession({ ...state, brokers }, id, entry.sid));
}

/**
 * Removes what hangs on a session that is dead: hand-overs from it become takeovers, it accuses nobody and nobody
 * accuses it.
 */
function withoutSession(state: ClusterState, id: number, sid: string | undefined): ClusterState {
  if (sid === undefined) return state;
  const assignments = new Map<string, Assignment>(state.assignments);
  for (const [group, { from, ...assignment }] of state.assignments) {
    if (from?.sid === sid) assignments.set(group, assignment);
  }
  const suspicions = new Map<number, Suspicion>();
  for (const [accused, suspicion] of state.suspicions) {
    if (accused === id) continue;
    const accusations = suspicion.accusations.filter(({ bySid }) => bySid !== sid);
    if (accusations.length > 0 || suspicion.refutations > 0)
      suspicions.set(accused, { ...suspicion, accusations });
  }
  return { ...state, assignments, suspicions };
}
