import type { VirtualRandom } from '../../runtime/virtual-random.ts';
import type { LogOptions } from '../../log/options.ts';
import { allFaults, noFaults } from '../../store/simulated/faults.ts';
import type { SimulatedStoreFaults } from '../../store/simulated/faults.ts';
import { localLatencies } from '../../store/simulated/latency.ts';
import type { StoreLatencies } from '../../store/simulated/latency.ts';
import { crashPoints } from '../crash-points.ts';
import type { CrashPoint } from '../crash-points.ts';
import type { TableServiceOptions } from '../table-service.ts';

export type ChaosKind =
  | 'kill'
  | 'pause'
  | 'markDead'
  | 'move'
  /** Cut off from the log, declared dead, and unaware of it, while tables can be reached. */
  | 'unaware'
  | 'compact'
  | 'expire'
  | 'addColumn'
  | 'rollBack'
  | 'removeTag'
  | 'drop'
  | 'recreate'
  | 'deleteRecords'
  | 'registryOutage';

/** What one seed is about. All of it follows from the seed, so that each seed looks for trouble in another corner. */
export interface TableProfile {
  readonly name: 'calm' | 'store' | 'crashes' | 'owners' | 'engines' | 'harm' | 'everything';
  readonly brokers: number;
  readonly latencies: StoreLatencies;
  readonly faults: SimulatedStoreFaults;
  readonly options: Partial<LogOptions>;
  readonly tables: Partial<TableServiceOptions>;
  readonly pollMs: number;
  readonly attemptTimeoutMs: number;
  readonly commitIntervalMs: number;
  readonly targetFileBytes: number;
  readonly trafficMs: number;
  /** How likely a process dies at a crash point; the more often it is reached, the less. */
  readonly crashChance: number;
  /** Points at which one dies every other time. */
  readonly deadlyPoints: readonly CrashPoint[];
  /** The catalog is a server of its own, and so many of its messages are lost, and late; `undefined`: it is embedded. */
  readonly catalogLoss: number | undefined;
  /** Of messages between brokers. */
  readonly peerLoss: number;
  /** Mean time between two events of each kind; Infinity: never. */
  readonly everyMs: Readonly<Record<ChaosKind, number>>;
  /** Records that cannot become rows, for each thousand. */
  readonly badPerMille: number;
  /** When the subject gets its schema; Infinity: never, so that tables begin with the schema of a record. */
  readonly schemaAtMs: number;
}

/** Reached only when something goes wrong. */
const rarePoints: readonly CrashPoint[] = [
  'coordinator.conflict',
  'coordinator.unknown',
  'coordinator.resolved',
  'coordinator.told',
  'coordinator.cleanup.before',
  'coordinator.cleanup.after',
];

const never: Record<ChaosKind, number> = {
  kill: Infinity,
  pause: Infinity,
  markDead: Infinity,
  move: Infinity,
  unaware: Infinity,
  compact: Infinity,
  expire: Infinity,
  addColumn: Infinity,
  rollBack: Infinity,
  removeTag: Infinity,
  drop: Infinity,
  recreate: Infinity,
  deleteRecords: Infinity,
  registryOutage: Infinity,
};

export function drawProfile(random: VirtualRandom): TableProfile {
  const name = random.pick([
    'calm',
    'store',
    'store',
    'crashes',
    'crashes',
    'owners',
    'owners',
    'engines',
    'engines',
    'harm',
    'everything',
    'everything',
    'everything',
  ] as const);
  const all = name === 'everything' ? 1 : Infinity;
  const scale = random.logBetween(0.4, 2.5);
  const crashes = Math.min(all, name === 'crashes' ? 1 : Infinity);
  const owners = Math.min(all, name === 'owners' ? 1 : Infinity);
  const engines = Math.min(all, name === 'engines' ? 1 : Infinity);
  const harm = Math.min(all * 3, name === 'harm' ? 1 : Infinity);
  const isRough = name === 'store' || name === 'everything' || random.chance(0.2);
  return {
    name,
    brokers: random.pick([2, 3, 3]),
    latencies: localLatencies,
    faults: isRough && name !== 'calm' ? faults(random) : noFaults,
    options: logOptions(random),
    tables: {
      readBytes: random.pick([1, 500, 100_000]),
      maxWaitingFiles: random.pick([1, 3, 64]),
      openFileBytes: random.pick([1_500, 1_000_000]),
      stoppedCheckMs: 100,
    },
    pollMs: random.pick([40, 150]),
    attemptTimeoutMs: random.pick([60, 200, 600]),
    commitIntervalMs: random.pick([120, 300, 700]),
    targetFileBytes: random.pick([300, 2_000, 1_000_000]),
    trafficMs: random.pick([2_500, 4_000]),
    crashChance: name === 'calm' ? 0 : random.pick([0, 0.02, 0.1]) * (crashes === 1 ? 2 : 1),
    deadlyPoints: Array.from({ length: name === 'calm' ? 0 : random.pick([0, 2, 4]) }, () =>
      random.pick(random.chance(0.5) ? rarePoints : crashPoints),
    ),
    catalogLoss: random.chance(0.5) ? undefined : name === 'calm' ? 0 : random.pick([0.01, 0.05, 0.15]),
    peerLoss: name === 'calm' ? 0 : random.pick([0, 0.02, 0.1]),
    everyMs: {
      ...never,
      kill: 1_500 * crashes * scale,
      pause: 900 * Math.min(crashes, owners) * scale,
      markDead: 1_500 * owners * scale,
      move: 500 * owners * scale,
      unaware: 900 * owners * scale,
      compact: 250 * engines * scale,
      expire: 700 * engines * scale,
      addColumn: 1_500 * engines * scale,
      rollBack: 2_500 * harm * scale,
      removeTag: 2_500 * harm * scale,
      drop: 2_500 * harm * scale,
      recreate: 2_500 * harm * scale,
      deleteRecords: random.chance(0.2) ? 900 : Infinity,
      registryOutage: random.chance(0.2) ? 1_200 : Infinity,
    },
    badPerMille: random.chance(0.3) ? 12 : 0,
    schemaAtMs: random.pick([0, 0, 0, 600, Infinity]),
  };
}

function faults(random: VirtualRandom): SimulatedStoreFaults {
  const share = random.logBetween(0.5, 4);
  const rate = (probability: number): number => Math.min(0.06, probability * share);
  return {
    ...allFaults,
    requestLost: rate(allFaults.requestLost),
    answerLost: rate(allFaults.answerLost * 2),
    lateLanding: rate(allFaults.lateLanding * 2),
    duplicate: rate(allFaults.duplicate),
    conflict: rate(allFaults.conflict),
    throttled: rate(allFaults.throttled),
    landsLateMs: { min: 5, max: random.pick([500, 5_000, 600_000]) },
    throttlingSpells: random.chance(0.3) ? { everyMs: 2_000, lastsMs: 200, share: 0.8 } : undefined,
    slowKeys: random.chance(0.3) ? { chance: 0.01, lastsMs: 300, factor: 20 } : undefined,
    endpointOutages: random.chance(0.4) ? { everyMs: 3_000, lastsMs: 400 } : undefined,
    readOnlySpells: undefined,
    writesPerSecondPerKey: undefined,
    weakList: random.chance(0.3) ? { lagMs: 300, isUnordered: true } : undefined,
  };
}

function logOptions(random: VirtualRandom): Partial<LogOptions> {
  return {
    maxLingerMs: random.pick([0, 5, 20]),
    flushGroupBytes: random.pick([300, 4_000, 10_000_000]),
    flushIntervalMs: random.pick([200, 1_500]),
    checkpointSlots: 16,
    hotCacheBytes: random.pick([0, 4_096]),
    coldCacheBytes: 65_536,
    readChunkBytes: 4_096,
    readAheadBytes: 8_192,
    housekeepingIntervalMs: 300,
    sweepIntervalMs: 1_500,
    retentionCheckIntervalMs: 2_000,
    readConfirmationMs: random.pick([50, 2_000]),
    retryBackoffMs: 10,
  };
}
