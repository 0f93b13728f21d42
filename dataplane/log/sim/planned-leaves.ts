import type { BrokerNode } from './broker-node.ts';
import type { Simulation } from './simulation.ts';

/** Brokers that leave on purpose, by `drain()`, and come back some time after it has ended. */
export class PlannedLeaves {
  readonly #world: Simulation;
  readonly #leaving = new Set<BrokerNode>();

  constructor(world: Simulation) {
    this.#world = world;
  }

  /** Whether some broker that was told to leave still is about it, and neither dead nor paused. */
  get isAnyUnderWay(): boolean {
    return [...this.#leaving].some(({ isAlive }) => isAlive);
  }

  leave(node: BrokerNode): void {
    if (this.#leaving.has(node)) return;
    this.#leaving.add(node);
    this.#world.note(`broker-${node.id} leaves`);
    node.process.receive(() => {
      node.log.drain().then(
        () => {
          this.#left(node);
        },
        (error: unknown) => {
          const why = error instanceof Error ? error.message : String(error);
          this.#world.checker.violation('planned leave', `broker ${node.id} could not leave: ${why}`);
        },
      );
    });
  }

  #left(node: BrokerNode): void {
    const { random, nodes } = this.#world;
    this.#world.note(`broker-${node.id} has left`);
    this.#leaving.delete(node);
    if (!node.isAlive) return;
    node.exit();
    this.#world.retire(node);
    this.#world.after(random.between(1, 600), () => {
      if (!nodes.some(({ id, isAlive }) => id === node.id && isAlive)) this.#world.startNode(node.id);
    });
  }
}
