/** `meta/cluster`: changed by compare-and-swap, so each change is one step. */
export interface Cluster {
  /** By broker. */
  readonly entries: readonly Entry[];
  /** By partition. */
  readonly assignments: readonly Assignment[];
}

interface Entry {
  /** nobody: the broker never registered. */
  readonly sid: number;
  readonly dead: boolean;
}

interface Assignment {
  readonly broker: number;
  readonly generation: number;
  /** The session to wait for (hand-over); nobody: takeover. */
  readonly from: number;
}
