import { StoreError } from '../../store/errors.ts';
import type { StoreErrorDetails } from '../../store/errors.ts';
import { ForwardingStore } from '../../store/forwarding-store.ts';
import type { DeleteFailure, PutResult } from '../../store/object-store.ts';

/** A store that answers reads and refuses everything else, before anything is sent: INVALID_REQUEST, nothing landed. */
export class ReadOnlyStore extends ForwardingStore {
  override put(key: string): Promise<PutResult> {
    return Promise.reject(refusal({ operation: 'put', store: this.name, key }));
  }

  override delete(key: string): Promise<void> {
    return Promise.reject(refusal({ operation: 'delete', store: this.name, key }));
  }

  override deleteMany(): Promise<readonly DeleteFailure[]> {
    return Promise.reject(refusal({ operation: 'delete', store: this.name }));
  }
}

function refusal(details: StoreErrorDetails): StoreError {
  return new StoreError('INVALID_REQUEST', 'it was opened for reading only: nothing was written', details);
}
