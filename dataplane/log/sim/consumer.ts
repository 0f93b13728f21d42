import { StoreError } from '../../store/errors.ts';
import { LogError } from '../errors.ts';
import { batchesOf } from '../flush.ts';
import type { BrokerNode } from './broker-node.ts';
import type { Simulation } from './simulation.ts';

/**
 * Reads one partition from whoever claims to serve it, now and then asks for its end, and compares with what was ever
 * visible and acknowledged (invariants 2, 10 and 11 at the client).
 */
export class SimulatedConsumer {
  readonly #world: Simulation;
  readonly #topicId: string;
  readonly #partition: number;
  #position = 0;

  constructor(world: Simulation, topicId: string, partition: number) {
    this.#world = world;
    this.#topicId = topicId;
    this.#partition = partition;
  }

  start(): void {
    this.#next();
  }

  #next(): void {
    const world = this.#world;
    world.after(world.random.exponential(world.profile.trafficMs / 25), () => {
      if (world.isOver) return;
      const node = world.findLeader(this.#topicId, this.#partition);
      if (node === undefined) this.#next();
      else if (world.random.chance(0.3)) this.#askEnd(node);
      else this.#read(node);
    });
  }

  #read(node: BrokerNode): void {
    const world = this.#world;
    const position = this.#position;
    let settled = false;
    const goOn = (): void => {
      if (settled) return;
      settled = true;
      this.#next();
    };
    world.after(world.clientTimeoutMs, goOn);
    node.call(
      { thereMs: world.random.between(0.05, 2), backMs: world.random.between(0.05, 2) },
      async (log) => {
        const result = await log.read(
          this.#topicId,
          this.#partition,
          position,
          world.random.pick([1, 200, 100_000]),
        );
        const pieces = result.pieces.map((piece) => Buffer.from(piece));
        result.release();
        return { ...result, pieces };
      },
      (result) => {
        if (settled) return;
        if (result.ok) this.#received(position, result.value.pieces);
        else this.#failed(position, result.error);
        goOn();
      },
    );
  }

  #received(position: number, pieces: readonly Uint8Array[]): void {
    const { checker } = this.#world;
    const history = checker.history(this.#topicId, this.#partition);
    let expected = position;
    for (const header of batchesOf(pieces)) {
      const last = header.baseOffset + header.lastOffsetDelta;
      const seen = history.at(header.baseOffset);
      if (seen?.crc !== header.crc || seen.leaderEpoch !== header.leaderEpoch) {
        checker.violation(
          'immutability',
          `${history.name}: a reader at ${position} got a batch at offset ${header.baseOffset} that was never in the log`,
        );
        return;
      }
      if (header.baseOffset > expected || last < expected) {
        checker.violation(
          'dense',
          `${history.name}: a reader at ${expected} got offsets ${header.baseOffset} to ${last}`,
        );
        return;
      }
      expected = last + 1;
    }
    this.#position = expected;
    history.observedEnd = Math.max(history.observedEnd, expected);
  }

  #failed(position: number, error: unknown): void {
    const { checker } = this.#world;
    if (error instanceof StoreError && error.retriable) return;
    if (!(error instanceof LogError)) {
      this.#world.time.fail(error);
      return;
    }
    if (error.code === 'OFFSET_OUT_OF_RANGE') {
      const start = checker.logStart(this.#topicId, this.#partition);
      if (position >= start)
        checker.violation(
          'offsets',
          `${this.#topicId}/${this.#partition}: a reader at ${position} was told ${error.message}; the log starts at ${start}`,
        );
      else this.#position = start;
    } else if (error.code === 'CORRUPT_LOG') {
      checker.violation('readable log', `${this.#topicId}/${this.#partition}: ${error.message}`);
    }
  }

  #askEnd(node: BrokerNode): void {
    const world = this.#world;
    let settled = false;
    const goOn = (): void => {
      if (settled) return;
      settled = true;
      this.#next();
    };
    world.after(world.clientTimeoutMs, goOn);
    askEnd(world, node, this.#topicId, this.#partition, goOn);
  }
}

/** ListOffsets(latest): at least what had been acknowledged, or seen by a reader, when it was asked (P6). */
export function askEnd(
  world: Simulation,
  node: BrokerNode,
  topicId: string,
  partition: number,
  answered: () => void = () => undefined,
): void {
  const history = world.checker.history(topicId, partition);
  const known = Math.max(history.ackedEnd, history.observedEnd);
  node.call(
    { thereMs: world.random.between(0.05, 2), backMs: world.random.between(0.05, 2) },
    (log) => log.endOffset(topicId, partition),
    (result) => {
      if (result.ok) {
        if (result.value < known)
          world.checker.violation(
            'offsets',
            `${history.name}: the end was said to be ${result.value} after ${known} had been acknowledged or read`,
          );
        history.observedEnd = Math.max(history.observedEnd, result.value);
      } else if (!(result.error instanceof LogError)) world.time.fail(result.error);
      answered();
    },
  );
}
