/** A topic as groups see it. */
export interface TopicView {
  readonly name: string;
  /** 32 lower-case hexadecimal characters. */
  readonly topicId: string;
  readonly partitions: number;
  /** By partition: the racks (zones) from which it is read without crossing zones. Missing or empty: unknown. */
  readonly racks?: readonly (readonly string[])[] | undefined;
  /** Only brokers write it. */
  readonly isInternal?: boolean | undefined;
}

/** The topics of the cluster at one moment. Never changed in place: a new one comes with every change. */
export interface TopicsView {
  topicByName(name: string): TopicView | undefined;
  topicById(topicId: string): TopicView | undefined;
  topics(): Iterable<TopicView>;
}

export class StaticTopicsView implements TopicsView {
  readonly #byName = new Map<string, TopicView>();
  readonly #byId = new Map<string, TopicView>();

  constructor(topics: Iterable<TopicView>) {
    for (const topic of topics) {
      this.#byName.set(topic.name, topic);
      this.#byId.set(topic.topicId, topic);
    }
  }

  topicByName(name: string): TopicView | undefined {
    return this.#byName.get(name);
  }

  topicById(topicId: string): TopicView | undefined {
    return this.#byId.get(topicId);
  }

  topics(): Iterable<TopicView> {
    return this.#byName.values();
  }
}
