import type { SimulatedStore } from '../../store/simulated/simulated-store.ts';
import type { BlockEntry } from '../format/container.ts';
import { decodeContainer } from '../format/container.ts';
import { decodePage } from '../format/manifest.ts';
import type { SegmentRef } from '../format/manifest.ts';
import { pageObjectKey, segmentKey, slotKey, trimKey } from '../format/keys.ts';
import { decodeTrim } from '../format/trim.ts';

export type SlotView =
  | {
      readonly kind: 'data';
      readonly id: string;
      readonly blocks: ReadonlyMap<string, readonly BlockEntry[]>;
    }
  | { readonly kind: 'ended' };

/**
 * What the simulated store holds right now, decoded. Independent of the log's own readers but for the codecs; every object
 * is decoded once, since what is immutable cannot be told to change.
 */
export class StoreView {
  readonly #store: SimulatedStore;
  /** Keys, by what they name: building one checks its parts, and the same ones are looked at after every write. */
  readonly #keys = new Map<string, string>();
  readonly #slotKeys = new Map<string, string[]>();
  readonly #slots = new Map<string, { readonly etag: string; readonly view: SlotView }>();
  readonly #segments = new Map<string, readonly BlockEntry[]>();
  readonly #pages = new Map<string, readonly SegmentRef[]>();
  readonly #trims = new Map<string, { readonly etag: string; readonly trim: number }>();

  constructor(store: SimulatedStore) {
    this.#store = store;
  }

  #key(name: string, build: () => string): string {
    let key = this.#keys.get(name);
    if (key === undefined) this.#keys.set(name, (key = build()));
    return key;
  }

  slot(sid: string, slot: number): SlotView | undefined {
    let keys = this.#slotKeys.get(sid);
    if (keys === undefined) this.#slotKeys.set(sid, (keys = []));
    const key = (keys[slot] ??= slotKey(sid, slot));
    const object = this.#store.peek(key);
    if (object === undefined) return undefined;
    const known = this.#slots.get(key);
    if (known?.etag === object.info.etag) return known.view;
    const decoded = decodeContainer(object.bytes, key, { verifyBlocks: true });
    let view: SlotView = { kind: 'ended' };
    if (decoded.header.kind === 'data') {
      const blocks = new Map<string, BlockEntry[]>();
      for (const block of decoded.index) {
        const name = `${block.topicId}/${block.partition}`;
        const list = blocks.get(name);
        if (list === undefined) blocks.set(name, [block]);
        else list.push(block);
      }
      view = { kind: 'data', id: object.info.id ?? '', blocks };
    }
    this.#slots.set(key, { etag: object.info.etag, view });
    return view;
  }

  trim(sid: string): number {
    const key = this.#key(sid, () => trimKey(sid));
    const object = this.#store.peek(key);
    if (object === undefined) return 0;
    const known = this.#trims.get(key);
    if (known?.etag === object.info.etag) return known.trim;
    const trim = decodeTrim(object.bytes, key);
    this.#trims.set(key, { etag: object.info.etag, trim });
    return trim;
  }

  /** The blocks of a segment; `undefined`: the object does not exist. */
  segment(group: string, object: string): readonly BlockEntry[] | undefined {
    const key = this.#key(`${group}/${object}`, () => segmentKey(group, object));
    const stored = this.#store.peek(key);
    if (stored === undefined) return undefined;
    let blocks = this.#segments.get(key);
    if (blocks === undefined) {
      blocks = decodeContainer(stored.bytes, key, { verifyBlocks: true }).index;
      this.#segments.set(key, blocks);
    }
    return blocks;
  }

  page(group: string, object: string): readonly SegmentRef[] | undefined {
    const key = this.#key(`${group}/${object}`, () => pageObjectKey(group, object));
    const stored = this.#store.peek(key);
    if (stored === undefined) return undefined;
    let refs = this.#pages.get(key);
    if (refs === undefined) {
      refs = decodePage(stored.bytes, key);
      this.#pages.set(key, refs);
    }
    return refs;
  }
}
