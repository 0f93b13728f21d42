/** What a topic says of its table: values of its configs, checked when they were set. */
export interface TableSettings {
  readonly enabled: boolean;
  /** Levels from the outside in, at least one. */
  readonly namespace: readonly string[];
  readonly tableName: string;
  /** How long records may wait for a commit, when no file is full before. */
  readonly commitIntervalMs: number;
  /** A data file is finished when about so many bytes are in it. */
  readonly targetFileBytes: number;
}

export const minCommitIntervalMs = 1_000;

/** The settings of a topic that says nothing but, perhaps, that it has a table. */
export function defaultTableSettings(topicName: string, enabled = false): TableSettings {
  return {
    enabled,
    namespace: ['default'],
    tableName: topicName,
    commitIntervalMs: 60_000,
    targetFileBytes: 128 * 1024 * 1024,
  };
}

export function isSameSettings(a: TableSettings, b: TableSettings): boolean {
  return (
    a.enabled === b.enabled &&
    a.namespace.length === b.namespace.length &&
    a.namespace.every((level, at) => level === b.namespace[at]) &&
    a.tableName === b.tableName &&
    a.commitIntervalMs === b.commitIntervalMs &&
    a.targetFileBytes === b.targetFileBytes
  );
}
