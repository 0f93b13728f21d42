import { ChangeRefused } from '../../cluster/change-refused.ts';
import { createTopic } from '../../cluster/topic-changes.ts';
import type { ClusterState } from '../../cluster/cluster-state.ts';
import { pointerKey } from '../../iceberg/catalogs/embedded/catalog-keys.ts';
import { LogError } from '../../log/errors.ts';
import { sleep } from '../../runtime/runtime.ts';
import type { SimulatedProcess } from '../../runtime/simulated-process.ts';
import { VirtualRandom } from '../../runtime/virtual-random.ts';
import { VirtualTime } from '../../runtime/virtual-time.ts';
import { keyOfLocation } from '../../store/locations.ts';
import { SimulatedStore } from '../../store/simulated/simulated-store.ts';
import { crashPoints } from '../crash-points.ts';
import type { CrashPoint } from '../crash-points.ts';
import type { TableSettings } from '../table-settings.ts';
import { defaultTableSettings } from '../table-settings.ts';
import type { TableWorkers } from '../table-workers.ts';
import { ForeignEngine } from './foreign-engine.ts';
import { LossyWorkers } from './lossy-workers.ts';
import { lateSchema, lateSchemaId, orderSchemas } from './order.ts';
import { RecordHistory } from './record-history.ts';
import { CatalogServer } from './remote-catalog.ts';
import { SimulatedRegistry } from './simulated-registry.ts';
import { TableChaos } from './table-chaos.ts';
import { TableChecker } from './table-checker.ts';
import { TableNode } from './table-node.ts';
import type { NodeWorld } from './table-node.ts';
import { TableProducer } from './table-producer.ts';
import { drawProfile } from './table-profile.ts';
import type { TableProfile } from './table-profile.ts';
import type { SimulatedTopic, TableSimulation } from './table-simulation.ts';
import type { Invariant } from './violation.ts';
import { TableViolation, brokenInvariant } from './violation.ts';

const situations = [
  'acknowledged',
  'rows',
  'files',
  'claims',
  'commits',
  'coordinatorChanges',
  'conflicts',
  'unknownOutcomes',
  'lateLandings',
  'kills',
  'pauses',
  'moves',
  'unawares',
  'compactions',
  'expiries',
  'columns',
  'harms',
  'stoppedRecords',
] as const;

/** How often what matters has happened; the crash points are processes that died there. */
export const countNames = [...situations, ...crashPoints] as const;
export type CountName = (typeof countNames)[number];

export interface TableSeedResult {
  readonly seed: number;
  readonly steps: number;
  readonly violation: string | undefined;
  /** `undefined` with a violation: the run failed otherwise, which is a fault of the simulator. */
  readonly invariant: Invariant | undefined;
  readonly counts: Readonly<Record<CountName, number>>;
}

const engineName = 'engine';
/** Of one phase: who goes round in circles is found before the time is up. */
const mostSteps = 200_000;

/**
 * One simulated cluster whose topics are tables: brokers that run the production log, table workers, coordinators and
 * catalog over a simulated store, producers, an engine of somebody else, and the checker. All of it follows from the seed.
 */
export class TableWorld implements TableSimulation, NodeWorld {
  readonly seed: number;
  readonly time: VirtualTime;
  readonly random: VirtualRandom;
  readonly profile: TableProfile;
  readonly store: SimulatedStore;
  readonly checker: TableChecker;
  readonly registry = new SimulatedRegistry();
  readonly catalogServer: CatalogServer | undefined;
  readonly topics: SimulatedTopic[] = [];
  readonly nodes: TableNode[] = [];
  readonly trace: string[] = [];
  isEnding = false;
  readonly #isTracing: boolean;
  readonly #retired: TableNode[] = [];
  readonly #counts = Object.fromEntries(countNames.map((name) => [name, 0])) as Record<CountName, number>;
  readonly #engine: ForeignEngine;
  /** How often each crash point was reached. */
  readonly #reached = new Map<CrashPoint, number>();

  constructor(seed: number, isTracing = false) {
    this.seed = seed;
    this.#isTracing = isTracing;
    this.time = new VirtualTime({ seed });
    this.random = new VirtualRandom(seed, 'table-world');
    this.profile = drawProfile(this.random);
    this.store = new SimulatedStore({
      environment: this.time.environment,
      seed,
      latencies: this.profile.latencies,
      faults: this.profile.faults,
      onViolation: (violation) => {
        this.time.fail(violation);
      },
    });
    const bystander = this.store.connect(this.time.process('bystander'));
    this.checker = new TableChecker(this.time, this.store, {
      keyOf: (location) => keyOfLocation(bystander, location) ?? location,
      foreigner: engineName,
      leadingEpoch: (topic) => this.#leadingEpoch(topic),
    });
    const { catalogLoss } = this.profile;
    if (catalogLoss !== undefined) {
      this.catalogServer = new CatalogServer(this.time, this.store, new VirtualRandom(seed, 'catalog'));
      this.catalogServer.share = catalogLoss;
    }
    this.#engine = new ForeignEngine(this, engineName);
    if (isTracing) {
      this.store.onApply(({ operation, key, process, condition, result, isLate, isDuplicate }) => {
        if (operation === 'get' || operation === 'head' || operation === 'list') return;
        if (key.startsWith('wal/') || key.startsWith('seg/') || key.startsWith('pg/')) return;
        this.note(
          `store ${operation} ${key} by ${process} ${condition === 'none' ? '' : condition} → ${result}` +
            `${isLate ? ' LATE' : ''}${isDuplicate ? ' DUPLICATE' : ''}`,
        );
      });
    }
  }

  get lossShare(): number {
    return this.isEnding ? 0 : this.profile.peerLoss;
  }

  note(what: string): void {
    if (this.#isTracing) this.trace.push(`${this.time.nowMs.toFixed(2)} ${what}`);
  }

  count(what: 'pauses' | 'moves' | 'unawares' | 'compactions' | 'expiries' | 'columns' | 'harms'): void {
    this.#counts[what] += 1;
  }

  sleep(ms: number): Promise<void> {
    return sleep(this.time.environment, ms);
  }

  run(work: Promise<void>): void {
    work.catch((error: unknown) => {
      this.time.fail(error);
    });
  }

  startNode(id: number): TableNode {
    const node = new TableNode(this, id);
    this.nodes.push(node);
    return node;
  }

  kill(node: TableNode): void {
    if (!node.isAlive) return;
    this.note(`kill broker-${node.id}`);
    this.#counts.kills += 1;
    node.process.kill();
    this.#retire(node, this.random.between(5, 900));
  }

  settingsOf(topic: string): TableSettings {
    const { commitIntervalMs, targetFileBytes } = this.profile;
    return { ...defaultTableSettings(topic, true), commitIntervalMs, targetFileBytes };
  }

  peer(from: SimulatedProcess, broker: number): TableWorkers {
    return new LossyWorkers(this, from, () => {
      const node = this.nodes.find(({ id, isAlive }) => id === broker && isAlive);
      return node === undefined ? undefined : { process: node.process, workers: node.tables.workers };
    });
  }

  reached(node: TableNode, point: CrashPoint): void {
    const before = this.#reached.get(point) ?? 0;
    this.#reached.set(point, before + 1);
    if (this.isEnding || !node.isAlive) return;
    const { crashChance, deadlyPoints } = this.profile;
    // Fewer and fewer times, so that work gets done in between.
    const chance = (deadlyPoints.includes(point) ? 0.5 : crashChance) / (1 + before / 4);
    if (!this.random.chance(chance)) return;
    this.note(`broker-${node.id} dies at ${point}`);
    this.#counts[point] += 1;
    this.kill(node);
  }

  problem(node: TableNode, what: string, error: unknown): void {
    this.note(`broker-${node.id}: ${what}: ${error instanceof Error ? error.message : String(error)}`);
    if (error === undefined) return;
    if (!(error instanceof Error) || brokenInvariant(error) !== undefined) this.time.fail(error);
    else if (error instanceof TypeError || error instanceof RangeError || error.name === 'AssertionError')
      this.time.fail(error);
    else if (error instanceof LogError && error.code === 'CORRUPT_LOG') this.time.fail(error);
  }

  exited(node: TableNode): void {
    this.#retire(node, 200);
  }

  /** Of the coordinators that have begun to commit. */
  #leadingEpoch(topic: string): number {
    let highest = 0;
    for (const { isAlive, tables } of this.nodes)
      for (const table of isAlive ? tables.status : [])
        if (table.topic === topic && table.coordinator?.phase === 'committing')
          highest = Math.max(highest, table.coordinator.epoch);
    return highest;
  }

  #retire(node: TableNode, restartMs: number): void {
    const at = this.nodes.indexOf(node);
    if (at >= 0) this.nodes.splice(at, 1);
    this.#retired.push(node);
    this.time.environment.after(restartMs, () => {
      if (!this.nodes.some(({ id, isAlive }) => id === node.id && isAlive)) this.startNode(node.id);
    });
  }

  findLeader(topicId: string, partition: number): TableNode | undefined {
    const claims = this.nodes.filter(
      ({ isAlive, broker }) => isAlive && broker.log.log?.served(topicId, partition) !== undefined,
    );
    return claims.length === 0 ? undefined : this.random.pick(claims);
  }

  async play(): Promise<TableSeedResult> {
    let violation: string | undefined;
    let invariant: Invariant | undefined;
    try {
      await this.#play();
    } catch (error) {
      violation = error instanceof Error ? error.message : String(error);
      invariant = brokenInvariant(error);
      if (this.#isTracing && error instanceof Error)
        this.trace.push((error.cause instanceof Error ? error.cause.stack : error.stack) ?? '');
    }
    return { seed: this.seed, steps: this.time.steps, violation, invariant, counts: this.#allCounts() };
  }

  async #play(): Promise<void> {
    const { profile } = this;
    for (let id = 0; id < profile.brokers; id++) this.startNode(id);
    await this.#until('all brokers are registered', 60_000, () => this.#everybodyRegistered());
    await this.#createTopics();
    await this.#until('all partitions are served', 60_000, () => this.#everythingServed());
    for (const [id, text] of Object.entries(orderSchemas)) this.registry.register(Number(id), text, false);
    if (Number.isFinite(profile.schemaAtMs)) {
      this.time.environment.after(profile.schemaAtMs, () => {
        this.registry.register(1, orderSchemas[1] ?? '', true);
      });
    }
    const producers: TableProducer[] = [];
    for (const topic of this.topics)
      for (let partition = 0; partition < topic.partitions; partition++)
        producers.push(new TableProducer(this, topic, partition, 0));
    for (const producer of producers) producer.start();
    const chaos = new TableChaos(this, this.#engine);
    chaos.start();
    await this.time.run({ untilMs: this.time.nowMs + profile.trafficMs });
    await this.#end(chaos, producers);
  }

  /** Liveness: once the faults have stopped, and what people did was set right, every acknowledged record becomes a row. */
  async #end(chaos: TableChaos, producers: readonly TableProducer[]): Promise<void> {
    this.isEnding = true;
    chaos.stop();
    this.store.calm();
    if (this.catalogServer !== undefined) this.catalogServer.share = 0;
    this.registry.register(lateSchemaId, lateSchema, false);
    for (let id = 0; id < this.profile.brokers; id++)
      if (!this.nodes.some((node) => node.id === id && node.isAlive)) this.startNode(id);
    await this.#until('all producers are done', 100_000, () => producers.every(({ isDone }) => isDone));
    for (const topic of this.topics) this.run(this.#engine.repair(topic));
    this.run(this.#deleteBadRecords());
    await this.#until('every acknowledged record is a row', 300_000, () =>
      this.topics.every(
        (topic) =>
          this.checker.harmOf(topic.pointerKey) === undefined &&
          Array.from({ length: topic.partitions }, (_, partition) => partition).every(
            (partition) =>
              (this.checker.ingest(topic.pointerKey)?.offsets.get(partition) ?? 0) >=
              topic.history.acknowledgedEnd(partition),
          ),
      ),
    );
  }

  /** The way out while there are no dead letters: a record that cannot become a row is deleted, by a person. */
  async #deleteBadRecords(): Promise<void> {
    for (;;) {
      await this.sleep(100);
      for (const node of this.nodes.filter(({ isAlive }) => isAlive)) {
        for (const { topicId, partitions } of node.tables.status) {
          const topic = this.topics.find((candidate) => candidate.topicId === topicId);
          for (const { partition, problem } of partitions) {
            if (topic === undefined || problem === undefined) continue;
            if (!['NULL_VALUE', 'NOT_FRAMED', 'TRUNCATED'].includes(problem.code)) continue;
            // What comes before it is in the table, or was deleted before there was one.
            const ingest = this.checker.ingest(topic.pointerKey);
            if (ingest !== undefined && (ingest.offsets.get(partition) ?? 0) !== problem.offset) continue;
            this.#counts.stoppedRecords += 1;
            topic.history.deletes(partition, problem.offset, problem.offset + 1);
            node.process.receive(() => {
              node.broker.log.deleteRecords(topicId, partition, problem.offset + 1).catch(() => undefined);
            });
          }
        }
      }
    }
  }

  async #createTopics(): Promise<void> {
    for (const [name, partitions] of [
      ['orders', 3],
      ['events', 1],
    ] as const) {
      const topicId = Buffer.from(this.random.bytes(16)).toString('hex');
      const settings = this.settingsOf(name);
      const identifier = { namespace: settings.namespace, name: settings.tableName };
      const topic: SimulatedTopic = {
        name,
        topicId,
        partitions,
        identifier,
        pointerKey: pointerKey(identifier),
        history: new RecordHistory(name),
      };
      this.checker.expect(topic.pointerKey, name, topic.history);
      this.topics.push(topic);
      let isCreated = false;
      this.run(
        this.#create(topic).then(() => {
          isCreated = true;
        }),
      );
      await this.#until(`topic ${name} is created`, 60_000, () => isCreated);
    }
  }

  async #create({ name, topicId, partitions }: SimulatedTopic): Promise<void> {
    const change = (state: ClusterState): ClusterState | ChangeRefused =>
      state.topics.has(name)
        ? state
        : createTopic(state, { name, topicId, partitions, internal: false, configs: {} });
    for (;;) {
      const live = this.nodes.filter(
        ({ isAlive, broker }) => isAlive && broker.log.log?.session.live === true,
      );
      if (live.length > 0) {
        try {
          // The process may die meanwhile, and then never answers.
          const unanswered = this.sleep(2_000).then(() => undefined);
          const changing = this.random.pick(live).broker.log.cluster.change(change);
          const changed = await Promise.race([changing, unanswered]);
          if (changed !== undefined && !(changed instanceof ChangeRefused)) return;
        } catch (error) {
          this.note(`topic ${name} is not created yet: ${String(error)}`);
        }
      }
      await this.sleep(50);
    }
  }

  #everybodyRegistered(): boolean {
    return (
      this.nodes.length === this.profile.brokers &&
      this.nodes.every(({ isAlive, broker }) => isAlive && broker.log.log?.session.live === true)
    );
  }

  #everythingServed(): boolean {
    return this.topics.every(({ topicId, partitions }) =>
      Array.from({ length: partitions }, (_, partition) => partition).every(
        (partition) => this.findLeader(topicId, partition) !== undefined,
      ),
    );
  }

  async #until(what: string, withinMs: number, holds: () => boolean): Promise<void> {
    const { reason } = await this.time.run({
      untilMs: this.time.nowMs + withinMs,
      until: holds,
      maxSteps: mostSteps,
    });
    if (reason === 'until') return;
    const problems = this.nodes.flatMap(({ id, tables }) =>
      tables.status.flatMap(({ topic, coordinator, partitions }) => [
        `broker-${id} ${topic}: ${coordinator?.phase ?? 'no coordinator'} ${coordinator?.lastError?.message ?? ''}`,
        ...partitions.flatMap(({ partition, problem }) =>
          problem === undefined ? [] : [`${partition}@${problem.offset} ${problem.code}`],
        ),
      ]),
    );
    throw new TableViolation(
      'liveness',
      `not within ${withinMs} ms, or ${mostSteps} steps (${reason}): ${what}; ${problems.join('; ')}`,
    );
  }

  #allCounts(): Record<CountName, number> {
    const counts = { ...this.#counts };
    for (const { tables } of [...this.nodes, ...this.#retired]) {
      const { rows, files, conflicts, unknownOutcomes } = tables.counters;
      counts.rows += rows;
      counts.files += files;
      counts.conflicts += conflicts;
      counts.unknownOutcomes += unknownOutcomes;
    }
    counts.claims = this.checker.claims;
    counts.commits = this.checker.commits;
    counts.coordinatorChanges = this.checker.coordinatorChanges;
    counts.lateLandings = this.store.counters.lateLandings;
    for (const { history, partitions } of this.topics)
      for (let partition = 0; partition < partitions; partition++)
        counts.acknowledged += history.acknowledgedEnd(partition);
    return counts;
  }
}
