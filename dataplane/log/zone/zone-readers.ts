import type { ClusterState } from '../../cluster/cluster-state.ts';
import { brokerOfSid } from '../../cluster/ownership.ts';
import type { PartitionGroup } from '../../cluster/partition-groups.ts';
import type { Cancel, Runtime } from '../../runtime/runtime.ts';
import type { ObjectStore } from '../../store/object-store.ts';
import { trimKey } from '../format/keys.ts';
import { decodeTrim } from '../format/trim.ts';
import type { ColdStore } from '../read/cold-store.ts';
import { GroupReader } from '../read/group-reader.ts';
import { verifiedTwice } from '../read/verified-get.ts';
import type { SlotName } from '../read/wal-walk.ts';
import { SessionTail } from './session-tail.ts';
import type { TailMember } from './session-tail.ts';
import { defaultZoneReadOptions } from './zone-read-options.ts';
import type { DurableWait, ZoneReadOptions } from './zone-read-options.ts';
import { ZoneReader } from './zone-reader.ts';
import type { ZonePartition } from './zone-reader.ts';

export interface ZoneReadersEnvironment {
  readonly store: ObjectStore;
  readonly runtime: Runtime;
  /** Shared with all that reads in this process. */
  readonly cold: ColdStore;
  readonly cluster: {
    readonly current: ClusterState | undefined;
    subscribe(listener: (state: ClusterState) => void): Cancel;
  };
  /** Absent: brokers cannot be asked, and the store is looked at instead. */
  readonly durable?: DurableWait | undefined;
  readonly options?: Partial<ZoneReadOptions> | undefined;
  readonly onProblem: (what: string, error: unknown) => void;
}

/** What a look at the end of a log that has nothing new costs at most: a manifest that is older is read again. */
const revalidateMs = 250;

/**
 * Reads partition groups that other brokers own, for consumers of this broker's zone (log.md 2.12, "zone reader"): one
 * reader for a group, one tail for a session. Groups are followed from the first fetch on, until nobody has fetched for
 * a while; then they cost nothing.
 */
export class ZoneReaders {
  readonly #environment: ZoneReadersEnvironment;
  readonly #options: ZoneReadOptions;
  /** By group id, least recently asked for first. */
  readonly #readers = new Map<string, ZoneReader>();
  readonly #tails = new Map<string, SessionTail>();
  #unsubscribe: Cancel | undefined;
  #check: Cancel | undefined;
  #isStopped = false;

  constructor(environment: ZoneReadersEnvironment) {
    this.#environment = environment;
    this.#options = { ...defaultZoneReadOptions, ...environment.options };
  }

  /** Groups that are followed. */
  get size(): number {
    return this.#readers.size;
  }

  /** Sessions that are followed. */
  get sessions(): number {
    return this.#tails.size;
  }

  /** The reader of a group, if it is followed. */
  reader(group: string): ZoneReader | undefined {
    return this.#readers.get(group);
  }

  /** A partition of a group that this broker does not own; it is followed from now on. */
  partition(topicId: string, group: PartitionGroup, partition: number): ZonePartition {
    let reader = this.#readers.get(group.id);
    if (reader === undefined) reader = this.#open(topicId, group.id);
    else this.#readers.delete(group.id);
    this.#readers.set(group.id, reader);
    return reader.partition(partition);
  }

  stop(): void {
    this.#isStopped = true;
    this.#unsubscribe?.();
    this.#check?.();
    for (const group of this.#readers.keys()) this.#close(group);
    for (const tail of this.#tails.values()) tail.stop();
    this.#tails.clear();
  }

  #open(topicId: string, group: string): ZoneReader {
    const { store, runtime, cold, cluster, onProblem } = this.#environment;
    this.#unsubscribe ??= cluster.subscribe(() => {
      for (const reader of this.#readers.values()) reader.clusterChanged();
    });
    this.#check ??= this.#checkIdle();
    for (const oldest of this.#readers.keys()) {
      if (this.#readers.size < this.#options.maxGroups) break;
      this.#close(oldest);
    }
    return new ZoneReader({
      reader: new GroupReader({ store, runtime, group, cold, slots: 'follow', revalidateMs }),
      topicId,
      runtime,
      options: this.#options,
      assignment: () => cluster.current?.assignments.get(group),
      follow: (next, member) => this.#follow(next, member),
      leave: (tail, member) => {
        if (tail.leave(member) && this.#tails.get(tail.sid) === tail) this.#tails.delete(tail.sid);
      },
      onProblem,
    });
  }

  #close(group: string): void {
    const reader = this.#readers.get(group);
    this.#readers.delete(group);
    reader?.close();
  }

  #follow({ sid, slot }: SlotName, member: TailMember): SessionTail {
    let tail = this.#tails.get(sid);
    if (tail === undefined || tail.hasEnded) this.#tails.set(sid, (tail = this.#newTail(sid, slot)));
    tail.join(member);
    return tail;
  }

  #newTail(sid: string, slot: number): SessionTail {
    const { store, runtime, cold, cluster, durable, onProblem } = this.#environment;
    const key = trimKey(sid);
    return new SessionTail(sid, slot, {
      cold,
      runtime,
      options: this.#options,
      durable: async (last, waitMs, signal) => {
        const state = cluster.current;
        const broker = state === undefined ? undefined : brokerOfSid(state, sid);
        if (durable === undefined || broker === undefined) return undefined;
        return await durable(broker.id, sid, last, waitMs, signal);
      },
      readTrim: (signal) =>
        verifiedTwice(async () => {
          const found = await store.get(key, { signal });
          return found.kind === 'found' ? decodeTrim(found.body, key) : 0;
        }, cold.verified.counters),
      onProblem,
    });
  }

  #checkIdle(): Cancel {
    const { runtime } = this.#environment;
    return runtime.after(this.#options.idleMs / 4, () => {
      for (const [group, reader] of this.#readers) if (reader.isIdle) this.#close(group);
      if (this.#isStopped || this.#readers.size === 0) this.#check = undefined;
      else this.#check = this.#checkIdle();
    });
  }
}
