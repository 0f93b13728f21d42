import type { SimulatedProcess } from '../../runtime/simulated-process.ts';
import { StoreError } from '../../store/errors.ts';
import type { ObjectStore } from '../../store/object-store.ts';
import { LogError } from '../errors.ts';
import { batchesOf } from '../flush.ts';
import { ColdStore } from '../read/cold-store.ts';
import { GroupReader } from '../read/group-reader.ts';
import { defaultLogOptions } from '../options.ts';
import type { Simulation } from './simulation.ts';

/**
 * A process that owns nothing and reads groups from the store alone, as a zone reader does, while their owners flush,
 * trim, move and die. It keeps its manifests as long as nothing contradicts them: it may lag behind, and must never
 * deliver what was not in the log (invariants 2 and 3 with a stale manifest).
 */
export class SimulatedZoneReader {
  readonly #world: Simulation;
  readonly #process: SimulatedProcess;
  readonly #readers: GroupTail[];

  constructor(world: Simulation, name: string, groups: readonly ReadGroup[]) {
    this.#world = world;
    this.#process = world.time.process(name);
    const { random, profile } = world;
    const store = world.store.connect(this.#process, { attemptTimeoutMs: profile.attemptTimeoutMs });
    const options = { ...defaultLogOptions, ...profile.options };
    const cold = new ColdStore(store, options);
    // Mostly it trusts what it knows for longer than the simulation lasts.
    const revalidateMs = random.pick([20, 1_000, 1_000_000]);
    this.#readers = groups.map((group) => this.#tail(group, store, cold, revalidateMs));
  }

  #tail(group: ReadGroup, store: ObjectStore, cold: ColdStore, revalidateMs: number): GroupTail {
    const slots = this.#world.random.pick(['index', 'whole'] as const);
    const { runtime } = this.#process;
    const reader = new GroupReader({ store, runtime, group: group.id, cold, slots, revalidateMs });
    return { group, reader, positions: group.partitions.map((partition) => ({ partition, next: 0 })) };
  }

  start(): void {
    for (const tail of this.#readers) this.#next(tail);
  }

  #next(tail: GroupTail): void {
    const { random, profile } = this.#world;
    this.#world.after(random.exponential(profile.trafficMs / 16), () => {
      if (this.#world.isOver) return;
      this.#process.receive(() => {
        this.#read(tail).then(
          () => {
            this.#next(tail);
          },
          (error: unknown) => {
            this.#world.time.fail(error);
          },
        );
      });
    });
  }

  async #read({ group, reader, positions }: GroupTail): Promise<void> {
    const { checker, random } = this.#world;
    const position = random.pick(positions);
    const { partition, next } = position;
    const history = checker.history(group.topicId, partition);
    try {
      const { pieces, release } = await reader.read(partition, next, random.pick([1, 400, 100_000]));
      for (const { baseOffset, lastOffsetDelta, crc, leaderEpoch } of batchesOf(pieces)) {
        const seen = history.at(baseOffset);
        if (seen?.crc !== crc || seen.leaderEpoch !== leaderEpoch) {
          checker.violation(
            'immutability',
            `${history.name}: a reader of the store at ${next} got a batch at offset ${baseOffset} that was never in the log`,
          );
        } else if (baseOffset > position.next || baseOffset + lastOffsetDelta < position.next) {
          checker.violation(
            'dense',
            `${history.name}: a reader of the store at ${position.next} got offsets ${baseOffset} to ${baseOffset + lastOffsetDelta}`,
          );
        }
        position.next = baseOffset + lastOffsetDelta + 1;
      }
      release();
    } catch (error) {
      if (error instanceof StoreError && error.retriable) return;
      if (!(error instanceof LogError)) throw error;
      const start = checker.logStart(group.topicId, partition);
      if (error.code === 'OFFSET_OUT_OF_RANGE' && next < start) position.next = start;
      else
        checker.violation(
          'readable log',
          `${history.name}: a reader of the store at ${next}: ${error.message}`,
        );
    }
  }
}

export interface ReadGroup {
  /** `<topicId>-<groupIndex>` */
  readonly id: string;
  readonly topicId: string;
  readonly partitions: readonly number[];
}

interface GroupTail {
  readonly group: ReadGroup;
  readonly reader: GroupReader;
  readonly positions: { readonly partition: number; next: number }[];
}
