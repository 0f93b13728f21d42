import { ForwardingStore } from '../../store/forwarding-store.ts';
import type { GetOptions, GetResult } from '../../store/object-store.ts';

export interface SeenGet {
  readonly key: string;
  readonly range: GetOptions['range'];
}

export type GetAnswer = GetResult<Uint8Array>;

/** For tests: a store that remembers its GETs and lets the test delay or change their answers. */
export class WatchedStore extends ForwardingStore {
  readonly gets: SeenGet[] = [];
  /** Of the GETs under way. */
  readonly signals: (AbortSignal | undefined)[] = [];
  /** Called for every GET; `answer` asks the store. */
  onGet: ((get: SeenGet, answer: () => Promise<GetAnswer>) => Promise<GetAnswer>) | undefined;

  override async get(key: string, options: GetOptions = {}): Promise<GetAnswer> {
    const get = { key, range: options.range };
    this.gets.push(get);
    this.signals.push(options.signal);
    const answer = (): Promise<GetAnswer> => super.get(key, options);
    return this.onGet === undefined ? await answer() : await this.onGet(get, answer);
  }

  /** How many GETs of keys with this prefix came since the last call of {@link forget}. */
  count(prefix: string): number {
    return this.gets.filter(({ key }) => key.startsWith(prefix)).length;
  }

  forget(): void {
    this.gets.length = 0;
    this.signals.length = 0;
  }
}
