import type { Runtime } from '../../runtime/runtime.ts';
import { untilAborted } from '../../store/body.ts';
import type { ETag, ObjectStore } from '../../store/object-store.ts';
import { LogError } from '../errors.ts';
import { manifestKey, trimKey } from '../format/keys.ts';
import type { Manifest } from '../format/manifest.ts';
import { decodeManifest } from '../format/manifest.ts';
import { decodeTrim } from '../format/trim.ts';
import { Latest } from './latest.ts';
import { verifiedTwice } from './verified-get.ts';

/**
 * A manifest as somebody who does not own the group knows it: true when it was read, perhaps out of date now. The trims
 * of its sessions are read when they are needed, after the manifest, so that they may be newer than it but never older.
 */
export interface KnownManifest {
  readonly manifest: Manifest;
  readonly etag: ETag;
  readonly trims: Map<string, Promise<number>>;
  /** By session: the trim that was read last, and when it was found to be so much, in steps. */
  readonly trimmed: Map<string, { readonly slot: number; readonly atStep: number }>;
}

/** Keeps a group's manifest, and reads it again (`If-None-Match`) when something contradicts it. */
export class GroupManifest {
  readonly #store: ObjectStore;
  readonly #runtime: Pick<Runtime, 'monotonicMs'>;
  readonly #key: string;
  readonly #group: string;
  readonly #latest: Latest<void>;
  #known: KnownManifest | undefined;
  #validAtMs = 0;
  /** What happened before what: a clock may say the same of both. */
  #steps = 0;
  #validAtStep = 0;
  readonly counters = { reads: 0, unchanged: 0, trimReads: 0, repeated: 0 };

  constructor(store: ObjectStore, runtime: Pick<Runtime, 'monotonicMs'>, group: string) {
    this.#store = store;
    this.#runtime = runtime;
    this.#group = group;
    this.#key = manifestKey(group);
    this.#latest = new Latest(() => this.#read());
  }

  /** What is known; read from the store only when nothing is yet. */
  async known(signal: AbortSignal | undefined): Promise<KnownManifest> {
    if (this.#known === undefined) await this.refresh(signal);
    if (this.#known === undefined)
      throw new LogError('UNKNOWN_TOPIC_OR_PARTITION', `${this.#key} does not exist`);
    return this.#known;
  }

  /** What is known, if anything is. */
  get current(): Manifest | undefined {
    return this.#known?.manifest;
  }

  /** For how long, at least, the known manifest may have been out of date. */
  get ageMs(): number {
    return this.#runtime.monotonicMs() - this.#validAtMs;
  }

  /**
   * Makes sure that what is known is true of some moment after the call.
   *
   * @throws LogError UNKNOWN_TOPIC_OR_PARTITION when the group does not exist or has been deleted; CORRUPT_LOG
   */
  async refresh(signal: AbortSignal | undefined): Promise<void> {
    await untilAborted(this.#latest.get(), signal);
  }

  /**
   * Something contradicts `known`: is it out of date? True: go on with what is known now. False: it is as new as can be,
   * and the contradiction is real.
   *
   * @param missing a slot that is not there, or a fence: when the session's trim has passed it, the log may go on behind the
   * trim. A group that is idle lets its owner trim slots without the manifest ever changing.
   */
  async isOutdated(
    known: KnownManifest,
    missing: { readonly sid: string; readonly slot: number } | undefined,
    signal: AbortSignal | undefined,
  ): Promise<boolean> {
    if (this.#known !== known) return true;
    await this.refresh(signal);
    if (this.#known !== known) return true;
    if (missing === undefined) return false;
    // A trim passes a block only after a manifest has moved it to segments. Should both have happened since we read the
    // manifest, the block behind the trim begins above the expected offset, and we come back here.
    known.trims.delete(missing.sid);
    return (await this.trim(known, missing.sid, signal)) > missing.slot;
  }

  /** The trim of a session, read once for each version of the manifest. */
  async trim(known: KnownManifest, sid: string, signal: AbortSignal | undefined): Promise<number> {
    let trim = known.trims.get(sid);
    if (trim === undefined) {
      const reading = this.#readTrim(known, sid);
      known.trims.set(sid, reading);
      reading.catch(() => {
        if (known.trims.get(sid) === reading) known.trims.delete(sid);
      });
      trim = reading;
    }
    return await untilAborted(trim, signal);
  }

  /**
   * Whether the manifest is as new as the trims that were read. If not, what they have passed may be in segments that only a
   * newer manifest names, and an end that is seen by them no end at all.
   */
  coversTrims({ manifest, trimmed }: KnownManifest): boolean {
    return manifest.runs.every(({ sid, from, flushedTo }) => {
      const seen = trimmed.get(sid);
      return seen === undefined || seen.slot <= Math.max(from, flushedTo) || seen.atStep < this.#validAtStep;
    });
  }

  async #readTrim({ trimmed }: KnownManifest, sid: string): Promise<number> {
    const key = trimKey(sid);
    this.counters.trimReads += 1;
    const slot = await verifiedTwice(async () => {
      const found = await this.#store.get(key);
      return found.kind === 'found' ? decodeTrim(found.body, key) : 0;
    }, this.counters);
    if (trimmed.get(sid)?.slot !== slot) trimmed.set(sid, { slot, atStep: ++this.#steps });
    return slot;
  }

  async #read(): Promise<void> {
    const begunMs = this.#runtime.monotonicMs();
    const step = ++this.#steps;
    const known = await verifiedTwice(async () => {
      this.counters.reads += 1;
      const found = await this.#store.get(this.#key, { ifNoneMatch: this.#known?.etag });
      if (found.kind !== 'found') return found.kind;
      return {
        manifest: decodeManifest(found.body, this.#key),
        etag: found.info.etag,
        trims: new Map<string, Promise<number>>(),
        trimmed: new Map<string, { readonly slot: number; readonly atStep: number }>(),
      };
    }, this.counters);
    if (known === 'unchanged') {
      this.counters.unchanged += 1;
    } else if (known === 'absent') {
      throw new LogError(
        'UNKNOWN_TOPIC_OR_PARTITION',
        `${this.#key} does not exist: group ${this.#group} was never acquired by a broker, or has been deleted`,
      );
    } else {
      this.#adopt(known);
    }
    this.#validAtMs = begunMs;
    this.#validAtStep = step;
  }

  #adopt(next: KnownManifest): void {
    const { manifest } = next;
    const before = this.#known?.manifest;
    if (manifest.group !== this.#group || (before !== undefined && manifest.version <= before.version)) {
      throw new LogError(
        'CORRUPT_LOG',
        `${this.#key} holds version ${manifest.version} of group ${manifest.group}` +
          (before === undefined ? '' : `, after version ${before.version}: it was put back or overwritten`) +
          `; run 'firn log verify'`,
      );
    }
    if (manifest.state === 'deleted') {
      throw new LogError('UNKNOWN_TOPIC_OR_PARTITION', `the topic of group ${this.#group} has been deleted`);
    }
    this.#known = next;
  }
}
