import type { ApplyEvent } from '../../store/simulated/observation.ts';
import type { SimulatedStore } from '../../store/simulated/simulated-store.ts';
import { parseSlotKey, parseTrimKey } from '../format/keys.ts';

/** Counts seals during which the sealed session moved its trim: the second read differs from the first. */
export class SealWatch {
  readonly #store: SimulatedStore;
  /** By process and session: the trim as last read, and whether a fence of that process has landed since. */
  readonly #reads = new Map<string, { etag: string | undefined; isFenced: boolean }>();
  movedTrims = 0;

  constructor(store: SimulatedStore) {
    this.#store = store;
    store.onApply((event) => {
      if (event.operation === 'get' && event.key.endsWith('/trim')) this.#read(event);
      else if (event.operation === 'put' && event.id?.startsWith('fence/') === true) this.#fence(event);
    });
  }

  #read(event: ApplyEvent): void {
    const sid = parseTrimKey(event.key)?.sid;
    if (sid === undefined) return;
    const name = `${event.process}/${sid}`;
    const before = this.#reads.get(name);
    const etag = this.#store.peek(event.key)?.info.etag;
    if (before?.isFenced === true && before.etag !== etag) this.movedTrims += 1;
    this.#reads.set(name, { etag, isFenced: false });
  }

  #fence({ key, process }: ApplyEvent): void {
    const sid = parseSlotKey(key)?.sid;
    const read = sid === undefined ? undefined : this.#reads.get(`${process}/${sid}`);
    if (read !== undefined) read.isFenced = true;
  }
}
