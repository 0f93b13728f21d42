import type { VirtualRandom } from '../../runtime/virtual-random.ts';
import { allFaults, noFaults } from '../../store/simulated/faults.ts';
import type { SimulatedStoreFaults } from '../../store/simulated/faults.ts';
import { localLatencies } from '../../store/simulated/latency.ts';
import type { StoreLatencies } from '../../store/simulated/latency.ts';
import type { LogOptions } from '../options.ts';

/** What one seed is about. All of it follows from the seed, so that each seed looks for trouble in another corner. */
export interface SimulationProfile {
  readonly name: 'calm' | 'store' | 'process' | 'control' | 'everything' | 'zombies';
  readonly brokers: number;
  readonly latencies: StoreLatencies;
  readonly faults: SimulatedStoreFaults;
  readonly options: Partial<LogOptions>;
  /** Bound of the records in memory that are not in segments yet, per broker. */
  readonly maxUnflushedBytes: number;
  /** Configs that topics may have. */
  readonly retention: readonly Readonly<Record<string, string>>[];
  readonly pollMs: number;
  readonly attemptTimeoutMs: number;
  /** Mean time between two events of each kind; Infinity: never. */
  readonly everyMs: Readonly<Record<ChaosKind, number>>;
  readonly trafficMs: number;
  readonly batchesPerProducer: number;
  readonly producers: number;
  /** Half of the seeds expire producers quickly; then a late retry may append twice, and sequences are not checked. */
  readonly expiresProducers: boolean;
  readonly mixedFormats: boolean;
  /** How often a broker is caught in an {@link Ambush}: per acquisition, and nine times as often per trim read. */
  readonly ambushShare: number;
  /** After so long without an answer a client gives up waiting for it. */
  readonly clientTimeoutMs: number;
  /** How often a producer with nothing under way looks for its leader again. */
  readonly staleMetadata: number;
}

export type ChaosKind =
  | 'kill'
  | 'killAtCrossing'
  | 'pause'
  | 'markDead'
  | 'reassign'
  | 'flap'
  | 'moveAway'
  | 'impostor'
  | 'clock'
  | 'sweep'
  | 'trim'
  | 'deleteRecords'
  | 'orphans'
  | 'zoneLoss'
  | 'cutOff'
  | 'unaware'
  | 'schedule'
  | 'leave'
  | 'stall'
  | 'retain'
  | 'topicTurn'
  | 'topicWrite';

const never: Record<ChaosKind, number> = {
  kill: Infinity,
  killAtCrossing: Infinity,
  pause: Infinity,
  markDead: Infinity,
  reassign: Infinity,
  flap: Infinity,
  moveAway: Infinity,
  impostor: Infinity,
  clock: Infinity,
  sweep: Infinity,
  trim: Infinity,
  deleteRecords: Infinity,
  orphans: Infinity,
  zoneLoss: Infinity,
  cutOff: Infinity,
  unaware: Infinity,
  schedule: Infinity,
  leave: Infinity,
  stall: Infinity,
  retain: Infinity,
  topicTurn: Infinity,
  topicWrite: Infinity,
};

export function drawProfile(random: VirtualRandom): SimulationProfile {
  const name = random.pick([
    'calm',
    'store',
    'process',
    'process',
    'control',
    'control',
    'everything',
    'everything',
    'everything',
    'zombies',
    'zombies',
    'zombies',
  ] as const);
  const rough = name === 'store' || name === 'everything' || (name === 'zombies' && random.chance(0.3));
  const scale = random.logBetween(0.3, 3);
  const harm = name === 'process' || name === 'everything' ? 1 : Infinity;
  const moves = name === 'control' || name === 'everything' ? 1 : Infinity;
  const upkeep = { sweep: 700, trim: 150, deleteRecords: 700, orphans: 900, retain: 400 };
  const churn = random.chance(0.3) ? 1 : Infinity;
  const everyMs: Record<ChaosKind, number> = {
    ...never,
    ...upkeep,
    kill: 1500 * harm * scale,
    killAtCrossing: 1500 * harm * scale,
    pause: 900 * harm * scale,
    markDead: 900 * Math.min(harm, moves) * scale,
    impostor: 6000 * harm * scale,
    clock: 800 * harm,
    zoneLoss: 8000 * harm * scale,
    cutOff: 2500 * harm * scale,
    reassign: 350 * moves * scale,
    flap: 1200 * moves * scale,
    moveAway: 2500 * moves * scale,
    leave: 2500 * moves * scale,
    stall: rough ? 1500 * scale : Infinity,
    topicTurn: 900 * churn,
    topicWrite: 80 * churn,
    ...(name === 'zombies' ? { unaware: 900, schedule: 400, reassign: 200, trim: 60, sweep: 300 } : {}),
  };
  const maxUnflushedBytes = random.pick([700, 4_000, 20_000, 10_000_000]);
  return {
    name,
    brokers: random.pick([3, 3, 4]),
    latencies: latencies(random),
    faults: rough ? faults(random) : noFaults,
    options: { ...options(random), maxUnflushedBytes },
    maxUnflushedBytes,
    retention: random.chance(0.7) ? [{}] : retentions,
    pollMs: random.pick([40, 150, 400]),
    attemptTimeoutMs: random.pick([60, 200, 800]),
    everyMs,
    trafficMs: random.pick([2500, 4000]),
    batchesPerProducer: 18,
    producers: 14,
    expiresProducers: random.chance(0.15),
    mixedFormats: random.chance(0.3),
    clientTimeoutMs: name === 'zombies' ? random.pick([150, 400, 1_500]) : 1_500,
    staleMetadata: name === 'zombies' ? 0.3 : 0.02,
    ambushShare: name === 'zombies' ? 0.05 : 0,
  };
}

const retentions = [
  { 'retention.bytes': '300' },
  { 'retention.bytes': '2000' },
  { 'retention.ms': '400' },
  { 'retention.ms': '1500', 'retention.bytes': '1000' },
] as const;

function latencies(random: VirtualRandom): StoreLatencies {
  const slow = random.pick([1, 2, 5]);
  const scaled = ({ p50Ms, p99Ms }: { p50Ms: number; p99Ms: number }): { p50Ms: number; p99Ms: number } => ({
    p50Ms: p50Ms * slow,
    p99Ms: p99Ms * slow * random.pick([1, 5]),
  });
  const { put, get, head, list, delete: remove } = localLatencies;
  return {
    put: scaled(put),
    get: scaled(get),
    head: scaled(head),
    list: scaled(list),
    delete: scaled(remove),
  };
}

function faults(random: VirtualRandom): SimulatedStoreFaults {
  const share = random.logBetween(0.2, 3);
  const rate = (probability: number): number => Math.min(0.05, probability * share);
  return {
    ...allFaults,
    requestLost: rate(allFaults.requestLost),
    answerLost: rate(allFaults.answerLost),
    lateLanding: rate(allFaults.lateLanding * 2),
    duplicate: rate(allFaults.duplicate),
    conflict: rate(allFaults.conflict),
    throttled: rate(allFaults.throttled),
    landsLateMs: { min: 5, max: random.pick([500, 5_000, 600_000]) },
    throttlingSpells: random.chance(0.3) ? { everyMs: 2_000, lastsMs: 200, share: 0.8 } : undefined,
    slowKeys: random.chance(0.3) ? { chance: 0.01, lastsMs: 300, factor: 20 } : undefined,
    endpointOutages: random.chance(0.4) ? { everyMs: 3_000, lastsMs: 400 } : undefined,
    readOnlySpells: undefined,
    writesPerSecondPerKey: random.chance(0.2) ? 30 : undefined,
    weakList: random.chance(0.3) ? { lagMs: 300, isUnordered: true } : undefined,
  };
}

function options(random: VirtualRandom): Partial<LogOptions> {
  return {
    maxLingerMs: random.pick([0, 3, 10, 25]),
    maxSlotBytes: random.pick([600, 2_000, 100_000]),
    maxSlotsInFlight: random.pick([2, 4, 8]),
    flushGroupBytes: random.pick([300, 2_000, 10_000_000]),
    flushIntervalMs: random.pick([80, 400, 3_000]),
    checkpointSlots: random.pick([3, 8, 1_000]),
    ownSegmentBytes: random.pick([1, 400, 1_000_000]),
    hotCacheBytes: random.pick([0, 500, 100_000]),
    producerIdExpirationMs: 30 * 86_400_000,
    housekeepingIntervalMs: random.pick([60, 300]),
    sweepIntervalMs: random.pick([200, 1_500]),
    acquireConcurrency: random.pick([2, 64]),
    replayConcurrency: random.pick([1, 4, 32]),
    manifestSegments: random.pick([2, 6, 1_024]),
    hedgeShare: random.pick([0, 0.05, 0.5]),
    readConfirmationMs: random.pick([50, 2_000]),
    retryBackoffMs: random.pick([5, 30]),
    sweepPatienceRounds: random.pick([0, 0, 3]),
  };
}
