import type { ChangeRefused } from '../../cluster/change-refused.ts';
import { clusterKey } from '../../cluster/cluster-state.ts';
import type { ClusterState } from '../../cluster/cluster-state.ts';
import { groupsOf } from '../../cluster/partition-groups.ts';
import type { PartitionGroup } from '../../cluster/partition-groups.ts';
import { reassign } from '../../cluster/reassign.ts';
import { buildBatch } from '../../protocol/record-batch-builder.ts';
import { readBatchHeader } from '../../protocol/record-batch.ts';
import { sleep } from '../../runtime/runtime.ts';
import type { Interception, RequestMatch, ScriptedFault } from '../../store/simulated/interception.ts';
import type { BrokerNode } from './broker-node.ts';
import type { Simulation } from './simulation.ts';

/** What an ambush needs of the chaos that springs it. */
export interface ChaosTools {
  readonly markDead: (node: BrokerNode) => void;
  readonly inside: (node: BrokerNode, work: () => Promise<unknown> | undefined) => void;
  readonly isOver: () => boolean;
}

/** One group of one topic, named as changes of the cluster state name it. */
export interface NamedGroup {
  readonly topic: string;
  readonly topicId: string;
  readonly group: PartitionGroup;
}

/** The steps that ambushes are made of. All waiting ends at once when the chaos is over. */
export class AmbushTools {
  readonly #world: Simulation;
  readonly #chaos: ChaosTools;

  constructor(world: Simulation, chaos: ChaosTools) {
    this.#world = world;
    this.#chaos = chaos;
  }

  get isOver(): boolean {
    return this.#chaos.isOver();
  }

  markDead(node: BrokerNode): void {
    this.#chaos.markDead(node);
  }

  /** Work of the process itself; what it rejects with is the process's business. */
  inside(node: BrokerNode, work: () => Promise<unknown> | undefined): void {
    if (!this.isOver) this.#chaos.inside(node, work);
  }

  /** Whether the condition came to hold within the time. Looks every few milliseconds. */
  async until(limitMs: number, condition: () => boolean): Promise<boolean> {
    const { environment } = this.#world.time;
    for (const endMs = environment.monotonicMs() + limitMs; !condition();) {
      if (this.isOver || environment.monotonicMs() >= endMs) return false;
      await sleep(environment, 4);
    }
    return !this.isOver;
  }

  /** Gives requests this fate until it is stopped. */
  intercept(match: RequestMatch, fault: ScriptedFault): Interception {
    return this.#world.store.intercept({ times: Infinity, ...match }, fault);
  }

  /** Ends an interception; what it holds goes on its way. */
  letGo(interception: Interception): void {
    interception.stop();
    for (let [held] = interception.held; held !== undefined; [held] = interception.held) held.release();
  }

  /** Keeps `node` from learning what the cluster has decided about it. */
  blind(node: BrokerNode): Interception {
    const { name } = node.process;
    return this.intercept({ process: name, operation: 'get', key: clusterKey }, { kind: 'request-lost' });
  }

  /** Live brokers with a session that the cluster takes for alive. */
  candidates(): readonly BrokerNode[] {
    const { nodes, checker } = this.#world;
    return nodes.filter((node) => {
      const entry = checker.cluster?.brokers.get(node.id);
      return (
        node.process.state === 'running' &&
        node.isAlive &&
        node.log.log?.session.live === true &&
        entry?.state === 'alive' &&
        entry.sid === node.log.sid
      );
    });
  }

  groups(): readonly NamedGroup[] {
    const topics = [...(this.#world.checker.cluster?.topics ?? [])];
    return topics.flatMap(([topic, entry]) =>
      groupsOf(entry).map((group) => ({ topic, topicId: entry.topicId, group })),
    );
  }

  /** Gives groups to a broker; `by` knows of it at once. */
  reassign(by: BrokerNode, groups: readonly NamedGroup[], to: BrokerNode): void {
    this.change(by, (state) =>
      reassign(
        state,
        groups.flatMap(({ topic, group }) =>
          Array.from({ length: group.count }, (_, index) => ({
            topic,
            partition: group.firstPartition + index,
            to: to.id,
          })),
        ),
      ),
    );
  }

  change(by: BrokerNode, change: (state: ClusterState) => ClusterState | ChangeRefused): void {
    this.inside(by, () => by.log.cluster.change(change));
  }

  /** Somebody else than `node` flushes what it has taken over, and sweeps. */
  sweepElsewhere(node: BrokerNode): void {
    const others = this.#world.nodes.filter((other) => other !== node && other.isAlive);
    if (others.length === 0) return;
    const sweeper = this.#world.random.pick(others);
    this.inside(sweeper, async () => {
      await sweeper.log.log?.housekeeping();
      await sweeper.log.sweep();
    });
  }

  /** A producer that sends one batch to this very broker, whoever leads. `acked` is called when it is acknowledged. */
  appendTo(node: BrokerNode, topicId: string, partition: number, acked: () => void = () => undefined): void {
    const { random, checker, time } = this.#world;
    if (this.isOver) return;
    const timestampMs = time.environment.wallMs();
    const value = Buffer.from(`ambush ${random.uint32()}`);
    const bytes = buildBatch({ records: [{ value, timestampMs }] });
    const { crc } = readBatchHeader(bytes, 0);
    node.call(
      { thereMs: random.between(0.05, 2), backMs: random.between(0.05, 2) },
      (log) => log.append(topicId, partition, Buffer.from(bytes)),
      (result) => {
        if (!result.ok) {
          if (!this.#world.isOver && isBug(result.error)) time.fail(result.error);
          return;
        }
        const topics = [...(checker.cluster?.topics.values() ?? [])];
        // Records of a topic that is being deleted may be acknowledged and are gone all the same.
        if (!topics.some((topic) => topic.topicId === topicId)) return;
        checker.acknowledged(topicId, partition, result.value.baseOffset, result.value.lastOffset, crc);
        acked();
      },
    );
  }
}

function isBug(error: unknown): boolean {
  return error instanceof TypeError || error instanceof RangeError;
}
