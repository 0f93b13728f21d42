import { ChangeRefused } from '../../cluster/change-refused.ts';
import type { ClusterClient } from '../../cluster/cluster-client.ts';
import type { ClusterState } from '../../cluster/cluster-state.ts';
import { ClusterError } from '../../cluster/errors.ts';
import type { Runtime } from '../../runtime/runtime.ts';
import { StoreError } from '../../store/errors.ts';
import type { ToldError } from '../log-error-codes.ts';
import { withDeadline } from '../with-deadline.ts';
import { told, toldRefusal } from './refusal-codes.ts';

/** One of the changes that a request asks for; pure, and called any number of times. */
export type ItemChange<Item> = (state: ClusterState, item: Item) => ClusterState | ChangeRefused;

export interface ChangeTerms {
  /** How long the client waits. Not positive: it does not, but the changes are made. */
  readonly timeoutMs: number;
  /** Says what would come of it, and changes nothing. */
  readonly validateOnly?: boolean | undefined;
}

/**
 * Makes the changes of the cluster state that admin requests ask for. Any broker can: there is no controller, and the
 * compare-and-swap in `ClusterClient` orders what all of them do.
 */
export class ClusterChanges {
  readonly #cluster: ClusterClient;
  readonly #runtime: Runtime;
  readonly #known: (state: ClusterState) => Promise<void>;

  constructor(environment: {
    readonly cluster: ClusterClient;
    readonly runtime: Runtime;
    /** Resolves when other brokers know this state, as far as they can be told soon. Default: there are none. */
    readonly known?: ((state: ClusterState) => Promise<void>) | undefined;
  }) {
    this.#cluster = environment.cluster;
    this.#runtime = environment.runtime;
    this.#known = environment.known ?? (() => Promise.resolve());
  }

  /**
   * Makes one change for every item, in their order and with one write; one that is refused leaves the others alone.
   * Resolves with what is wrong, or `undefined`, for every item.
   *
   * REQUEST_TIMED_OUT says nothing about the outcome: the changes may have been made, and may yet be.
   *
   * @param complete does what has to be done once after all of them
   */
  async each<Item>(
    items: readonly Item[],
    change: ItemChange<Item>,
    { timeoutMs, validateOnly = false }: ChangeTerms,
    complete: (state: ClusterState) => ClusterState = (state) => state,
  ): Promise<readonly (ToldError | undefined)[]> {
    if (items.length === 0) return [];
    const forAll = (error: ToldError): readonly ToldError[] => items.map(() => error);
    const work = validateOnly ? this.#check(items, change) : this.#make(items, change, complete);
    const told = work.catch((error: unknown) => forAll(toldFailure(error)));
    return withDeadline(this.#runtime, timeoutMs, told, () => forAll(tooLate(timeoutMs)));
  }

  /** As {@link each} for one change. */
  async one(
    change: (state: ClusterState) => ClusterState | ChangeRefused,
    terms: ChangeTerms,
  ): Promise<ToldError | undefined> {
    const [outcome] = await this.each([undefined], change, terms);
    return outcome;
  }

  async #make<Item>(
    items: readonly Item[],
    change: ItemChange<Item>,
    complete: (state: ClusterState) => ClusterState,
  ): Promise<readonly (ToldError | undefined)[]> {
    let verdicts: readonly (ToldError | undefined)[] = [];
    const outcome = await this.#cluster.change((state) => {
      const evaluated = evaluateEach(state, items, change);
      ({ verdicts } = evaluated);
      return evaluated.state === state ? state : complete(evaluated.state);
    });
    // A client that has been answered may ask any broker next.
    if (outcome.kind === 'applied') await this.#known(outcome.state);
    if (outcome.kind !== 'refused') return verdicts;
    const refused = toldRefusal(outcome.refused);
    return items.map(() => refused);
  }

  async #check<Item>(
    items: readonly Item[],
    change: ItemChange<Item>,
  ): Promise<readonly (ToldError | undefined)[]> {
    const state = await this.#cluster.refresh();
    if (state === undefined)
      throw new ClusterError('WENT_BACK', 'meta/cluster has disappeared: is it the right bucket?');
    return evaluateEach(state, items, change).verdicts;
  }
}

function evaluateEach<Item>(
  before: ClusterState,
  items: readonly Item[],
  change: ItemChange<Item>,
): { readonly state: ClusterState; readonly verdicts: readonly (ToldError | undefined)[] } {
  let state = before;
  const verdicts = items.map((item) => {
    const after = change(state, item);
    if (after instanceof ChangeRefused) return toldRefusal(after);
    state = after;
    return undefined;
  });
  return { state, verdicts };
}

function tooLate(timeoutMs: number): ToldError {
  return told(
    'REQUEST_TIMED_OUT',
    `the change was not known to be made after ${timeoutMs} ms: it may have been made, or may yet be; look, then try again`,
  );
}

/** @throws what is none of the failures of changing `meta/cluster` */
function toldFailure(error: unknown): ToldError {
  if (error instanceof StoreError) {
    return error.retriable
      ? told('REQUEST_TIMED_OUT', `the object store did not say whether the change was made (${error.code})`)
      : told(
          'UNKNOWN_SERVER_ERROR',
          `the object store refuses the change (${error.code}): see the log of the broker`,
        );
  }
  if (!(error instanceof ClusterError)) throw error;
  switch (error.code) {
    case 'BUSY':
      return told('REQUEST_TIMED_OUT', `the change was not made: ${error.message}`);
    case 'OUTCOME_UNKNOWN':
      return told('REQUEST_TIMED_OUT', error.message);
    case 'STOPPED':
      return told('NOT_CONTROLLER', 'this broker is shutting down: ask another one');
    case 'UNREADABLE':
    case 'WENT_BACK':
      return told('UNKNOWN_SERVER_ERROR', error.message);
  }
}
