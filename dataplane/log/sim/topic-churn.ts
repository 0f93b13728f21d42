import { createTopic, deleteTopic } from '../../cluster/topic-changes.ts';
import type { AmbushTools } from './ambush-tools.ts';
import type { Simulation } from './simulation.ts';

const name = 'fleeting';

/**
 * A topic that is created, written to, deleted and created anew under the same name, again and again, while its groups
 * move like all others. What is acknowledged lasts as long as the topic does; a deleted group never comes back.
 */
export class TopicChurn {
  readonly #world: Simulation;
  readonly #tools: AmbushTools;

  constructor(world: Simulation, tools: AmbushTools) {
    this.#world = world;
    this.#tools = tools;
  }

  /** Creates the topic when there is none, else deletes it. */
  turn(): void {
    const { random, checker } = this.#world;
    const candidates = this.#tools.candidates();
    if (candidates.length === 0) return;
    const by = random.pick(candidates);
    const topicId = Buffer.from(random.bytes(16)).toString('hex');
    if (checker.cluster?.topics.has(name) === true)
      this.#tools.change(by, (state) => deleteTopic(state, name));
    else
      this.#tools.change(by, (state) =>
        createTopic(state, { name, topicId, partitions: 2, internal: false, configs: {} }),
      );
  }

  /** A batch for one of its partitions, sent to whoever serves it. */
  write(): void {
    const { nodes, random, checker } = this.#world;
    const topic = checker.cluster?.topics.get(name);
    if (topic === undefined) return;
    const { topicId } = topic;
    const partition = random.below(topic.partitions);
    const leader = nodes.find(
      (node) => node.isAlive && node.log.log?.served(topicId, partition) !== undefined,
    );
    if (leader !== undefined) this.#tools.appendTo(leader, topicId, partition);
  }

  /** Whether all groups of deleted topics have been carried off. */
  get isSettled(): boolean {
    return (this.#world.checker.cluster?.deletedTopics.size ?? 0) === 0;
  }
}
