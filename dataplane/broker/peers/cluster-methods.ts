import { Fields, integerOf, textOf } from '../../cluster/json-fields.ts';
import { nothing } from './peer-method.ts';
import type { PeerMethod } from './peer-method.ts';

/** `meta/cluster` is at `version` at least: whoever knows an older one reads it. */
export interface Nudge {
  readonly version: number;
}

export const nudgeMethod: PeerMethod<Nudge, undefined> = {
  name: 'nudge',
  request: {
    encode: ({ version }) => ({ version }),
    decode: (json) => ({ version: new Fields(json).integer('version', 0) }),
  },
  response: nothing,
};

/** A group that was released for this generation of its assignment. */
export interface ReleasedGroup {
  readonly group: string;
  readonly generation: number;
}

/** The next owner of these groups need not wait. A hint. */
export interface Released {
  readonly groups: readonly ReleasedGroup[];
}

const groupPattern = /^[0-9a-f]{32}-\d{1,10}$/;

export const releasedMethod: PeerMethod<Released, undefined> = {
  name: 'released',
  request: {
    encode: ({ groups }) => ({ groups }),
    decode: (json) => ({
      groups: new Fields(json).list('groups', (element) => {
        const fields = new Fields(element);
        return { group: fields.text('group', groupPattern), generation: fields.integer('generation', 0) };
      }),
    }),
  },
  response: nothing,
};

/** What the groups of a broker take: bytes appended a second, by group id. Those without are left out. */
export type Loads = ReadonlyMap<string, number>;

/** About 6 MB. What is left out are the smallest. */
const maxLoads = 100_000;

export const loadsMethod: PeerMethod<undefined, Loads> = {
  name: 'loads',
  request: nothing,
  response: {
    encode: (loads) => ({
      loads: [...loads]
        .toSorted(([, a], [, b]) => b - a)
        .slice(0, maxLoads)
        .map(([group, bytesPerSecond]) => [group, Math.round(bytesPerSecond)]),
    }),
    decode: (json) =>
      new Map(
        new Fields(json).list('loads', (element) => {
          const [group, bytesPerSecond] = Array.isArray(element) ? (element as readonly unknown[]) : [];
          return [textOf(group, '', groupPattern), integerOf(bytesPerSecond, '', 0)] as const;
        }),
      ),
  },
};

/** A long poll of zone readers: answered when a slot of the session above `slot` is durable, or the wait is over. */
export interface DurableQuestion {
  readonly sid: string;
  /** The last slot the asking side has seen; -1: none. */
  readonly slot: number;
  readonly waitMs: number;
}

/** `slot`: the last one that is durable, with all before it. `undefined`: the broker asked has another session. */
export interface DurableAnswer {
  readonly slot: number | undefined;
}

export const durableMethod: PeerMethod<DurableQuestion, DurableAnswer> = {
  name: 'durable',
  request: {
    encode: ({ sid, slot, waitMs }) => ({ sid, slot, waitMs }),
    decode: (json) => {
      const fields = new Fields(json);
      return {
        sid: fields.text('sid', /^[0-9a-f]{32}$/),
        slot: fields.integer('slot', -1),
        waitMs: fields.integer('waitMs', 0, 60_000),
      };
    },
  },
  response: {
    encode: ({ slot }) => ({ slot }),
    decode: (json) => ({ slot: new Fields(json).optionalInteger('slot', -1) }),
  },
};
