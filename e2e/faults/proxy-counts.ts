import type { RuleCounts } from './fault-plan.ts';

/** What has gone through a proxy since its start or the last `resetCounts()`. */
export interface ProxyCounts {
  /** By rule name; starts anew with `setRules()`. */
  readonly rules: Readonly<Record<string, RuleCounts>>;
  /**
   * By method and what the client saw: `PUT 200`, `PUT reset`, `PUT silence`, `GET truncated`, or `PUT gone` when it left
   * before there was anything to see.
   */
  readonly client: Readonly<Record<string, number>>;
  /** By method and what the server answered: `PUT 200`, or `PUT failed` when its connection failed. */
  readonly server: Readonly<Record<string, number>>;
  /** Requests sent after their client had been told nothing: late ones and second copies. Part of `server` too. */
  readonly landedLate: number;
  /** Late requests that the stop of the proxy cancelled. */
  readonly neverLanded: number;
}

export class ProxyCounter {
  readonly #client = new Map<string, number>();
  readonly #server = new Map<string, number>();
  #landedLate = 0;
  #neverLanded = 0;

  client(method: string, saw: number | 'reset' | 'silence' | 'truncated' | 'gone'): void {
    increment(this.#client, `${method} ${saw}`);
  }

  server(method: string, answered: number | 'failed'): void {
    increment(this.#server, `${method} ${answered}`);
  }

  landedLate(): void {
    this.#landedLate++;
  }

  neverLanded(): void {
    this.#neverLanded++;
  }

  reset(): void {
    this.#client.clear();
    this.#server.clear();
    this.#landedLate = 0;
    this.#neverLanded = 0;
  }

  counts(rules: ProxyCounts['rules']): ProxyCounts {
    return {
      rules,
      client: sortedRecord(this.#client),
      server: sortedRecord(this.#server),
      landedLate: this.#landedLate,
      neverLanded: this.#neverLanded,
    };
  }
}

function increment(counts: Map<string, number>, name: string): void {
  counts.set(name, (counts.get(name) ?? 0) + 1);
}

function sortedRecord(counts: ReadonlyMap<string, number>): Record<string, number> {
  return Object.fromEntries([...counts].sort(([a], [b]) => (a < b ? -1 : 1)));
}
