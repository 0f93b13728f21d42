import type { ClusterClient } from '../cluster/cluster-client.ts';
import { clearFrom, handOver } from '../cluster/reassign.ts';
import { forgetGroups } from '../cluster/topic-changes.ts';

/**
 * Tells `meta/cluster` what this broker serves now, which ends hand-overs and says for good that the group has a manifest; what it has released, so that the next owner
 * learns of it there instead of asking for the manifest of each group again and again; and which groups of deleted topics
 * are empty. One change at a time takes all that has come together meanwhile. What fails is reported again by whoever found it out
 * (`GroupMoves` looks at every round of housekeeping).
 */
export class ServingReport {
  readonly #cluster: ClusterClient;
  readonly #broker: () => { readonly id: number; readonly sid: string } | undefined;
  readonly #signal: AbortSignal;
  readonly #onProblem: (what: string, error: unknown) => void;
  /** Generation of the assignment by group. */
  readonly #serving = new Map<string, number>();
  readonly #released = new Map<string, number>();
  readonly #deleted = new Set<string>();
  #isTelling = false;
  #told: Promise<void> | undefined;

  constructor(environment: {
    readonly cluster: ClusterClient;
    /** In whose name: `undefined` while this broker has no session. */
    readonly broker: () => { readonly id: number; readonly sid: string } | undefined;
    readonly signal: AbortSignal;
    readonly onProblem: (what: string, error: unknown) => void;
  }) {
    this.#cluster = environment.cluster;
    this.#broker = environment.broker;
    this.#signal = environment.signal;
    this.#onProblem = environment.onProblem;
  }

  serves(group: string, generation: number): void {
    this.#serving.set(group, generation);
    this.#report();
  }

  released(group: string, generation: number): void {
    this.#released.set(group, generation);
    this.#report();
  }

  deleted(group: string): void {
    this.#deleted.add(group);
    this.#report();
  }

  /** Resolves when all that was found out has been told, or could not be. */
  async settled(): Promise<void> {
    await this.#told;
  }

  #report(): void {
    if (this.#isTelling) return;
    this.#isTelling = true;
    this.#told = this.#tell();
  }

  async #tell(): Promise<void> {
    try {
      while (this.#serving.size + this.#released.size + this.#deleted.size > 0 && !this.#signal.aborted) {
        const serving = withoutAll(this.#serving);
        const released = withoutAll(this.#released);
        const deleted = [...this.#deleted];
        this.#deleted.clear();
        const broker = this.#broker();
        if (broker === undefined) return;
        const assignments = this.#cluster.current?.assignments;
        const from = (group: string): string | undefined => assignments?.get(group)?.from?.sid;
        const isNew = (group: string): boolean => assignments?.get(group)?.hasManifest !== true;
        const signal = this.#signal;
        const served = serving.filter(({ group }) => from(group) !== undefined || isNew(group));
        if (served.length > 0)
          await this.#cluster.change((state) => clearFrom(state, { broker, groups: served }), { signal });
        const gone = released.filter(({ group }) => from(group) === broker.sid);
        if (gone.length > 0)
          await this.#cluster.change((state) => handOver(state, { broker, groups: gone }), { signal });
        if (deleted.length > 0) {
          await this.#cluster.change(
            (state) =>
              forgetGroups(
                state,
                deleted.filter((group) => state.assignments.has(group)),
              ),
            { signal },
          );
        }
      }
    } catch (error) {
      if (!this.#signal.aborted) this.#onProblem('meta/cluster could not be told what is served', error);
    } finally {
      this.#isTelling = false;
    }
  }
}

function withoutAll(groups: Map<string, number>): { readonly group: string; readonly generation: number }[] {
  const all = [...groups].map(([group, generation]) => ({ group, generation }));
  groups.clear();
  return all;
}
