/** Where a client finds a coordinator. */
export interface CoordinatorAddress {
  readonly nodeId: number;
  readonly host: string;
  readonly port: number;
}

/** What FindCoordinator needs of the cluster. */
export interface CoordinatorDirectory {
  /** How many partitions `__consumer_offsets` has. Creates it when there is none yet; rejects when that fails. */
  offsetsPartitions(signal: AbortSignal): Promise<number>;

  /** Who owns the partition, as clients of the listener reach it; undefined while nobody does. */
  coordinatorOf(partition: number, listener: string): CoordinatorAddress | undefined;
}
