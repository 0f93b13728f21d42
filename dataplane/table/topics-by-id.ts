import type { ClusterState, TopicEntry } from '../cluster/cluster-state.ts';

export interface NamedTopic {
  readonly name: string;
  readonly entry: TopicEntry;
}

/** The topics of the newest cluster state by their ids: put together once for each state. */
export class TopicsById {
  #topics: ClusterState['topics'] | undefined;
  #byId = new Map<string, NamedTopic>();

  find(state: ClusterState | undefined, topicId: string): NamedTopic | undefined {
    if (state === undefined) return undefined;
    if (state.topics !== this.#topics) {
      this.#topics = state.topics;
      this.#byId = new Map();
      for (const [name, entry] of state.topics) this.#byId.set(entry.topicId, { name, entry });
    }
    return this.#byId.get(topicId);
  }
}
