/** Why a partition group goes to another broker. */
export const moveReasons = {
  /** Its broker is dead, or it never had one. */
  homeless: 'its broker is dead',
  /** Its broker is leaving, and could not hand it over when it said so. */
  draining: 'its broker is draining',
  /** `firn.placement.cordoned`. */
  cordoned: 'its broker is cordoned',
  /** The policy of its topic is `Pinned`, to a zone that it is not in. */
  pinned: 'its topic is pinned to another zone',
  /** The home zone of its topic has brokers again, or is another one now. */
  home: 'the home zone of its topic has a broker again',
  /** Its topic is abroad, and most of it is in another zone. */
  together: 'the other groups of its topic are in another zone',
  balance: 'its broker has more to do than others',
} as const;

export type MoveReason = keyof typeof moveReasons;

export interface PlacementMove {
  readonly topic: string;
  readonly group: string;
  /** Broker ids. `undefined`: nobody's so far. */
  readonly from: number | undefined;
  readonly to: number;
  readonly reason: MoveReason;
}
