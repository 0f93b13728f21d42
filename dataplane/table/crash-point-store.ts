import { ForwardingStore } from '../store/forwarding-store.ts';
import type { Body, ObjectStore, PutOptions, PutResult } from '../store/object-store.ts';
import type { CrashPoint, CrashPoints } from './crash-points.ts';

/** Tests only: the store that a catalog is given, with a crash point before and after every write of a commit. */
export class CrashPointStore extends ForwardingStore {
  readonly #crashPoint: CrashPoints;

  constructor(store: ObjectStore, crashPoint: CrashPoints) {
    super(store);
    this.#crashPoint = crashPoint;
  }

  override async put(key: string, body: Body, options?: PutOptions): Promise<PutResult> {
    const step = stepOf(key);
    if (step === undefined) return await super.put(key, body, options);
    this.#crashPoint(`catalog.${step}.before` satisfies CrashPoint);
    const result = await super.put(key, body, options);
    this.#crashPoint(`catalog.${step}.after` satisfies CrashPoint);
    return result;
  }
}

/** Keys of the embedded catalog: pointers to tables, and the metadata files that they name. */
function stepOf(key: string): 'pointer.swap' | 'metadata.put' | undefined {
  if (key.startsWith('catalog/tables/')) return 'pointer.swap';
  return key.endsWith('.metadata.json') ? 'metadata.put' : undefined;
}
