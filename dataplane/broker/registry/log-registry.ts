import { inBackground } from '../../runtime/in-background.ts';
import { sleep } from '../../runtime/runtime.ts';
import type { Cancel, Runtime } from '../../runtime/runtime.ts';
import { ParsedSchemas } from '../../schema/registry/parsed-schemas.ts';
import type { Registry } from '../../schema/registry/registry.ts';
import type { RegistryChange } from '../../schema/registry/registry-changes.ts';
import { RegistryError } from '../../schema/registry/registry-error.ts';
import { RegistryState } from '../../schema/registry/registry-state.ts';
import { untilAborted } from '../../store/body.ts';
import { ClusterError } from '../../cluster/errors.ts';
import { StoreError } from '../../store/errors.ts';
import type { CoordinatorLog } from '../groups/coordinator-log.ts';
import { schemasTopic } from './registry-directory.ts';
import type { RegistryDirectory } from './registry-directory.ts';
import { RegistryPartition, registryPartition } from './registry-partition.ts';

export interface LogRegistryEnvironment {
  /** Of topic `_schemas`. */
  readonly log: CoordinatorLog;
  readonly directory: Pick<RegistryDirectory, 'place' | 'refresh' | 'create'>;
  readonly runtime: Runtime;
  /** Something went wrong that is retried. */
  readonly onProblem: (what: string, error: unknown) => void;
  readonly options?: Partial<LogRegistryOptions> | undefined;
}

export interface LogRegistryOptions {
  /** How long a request waits for a partition that this broker should own and does not serve yet. */
  readonly ownershipTimeoutMs: number;
  readonly loadRetryMs: number;
}

const defaultOptions: LogRegistryOptions = { ownershipTimeoutMs: 10_000, loadRetryMs: 500 };
const lookMs = 10;

/**
 * The schema registry of a cluster: a state machine over topic `_schemas`, owned by the broker that owns its partition. The
 * first change creates the topic; while there is none the registry is empty.
 */
export class LogRegistry implements Registry {
  readonly #environment: LogRegistryEnvironment;
  readonly #options: LogRegistryOptions;
  readonly #listeners = new Set<() => void>();
  readonly #stopped = new AbortController();
  #partition: RegistryPartition | undefined;
  /**
   * Resolves when the appends of all that there were before are settled; never rejects. What one of them had begun to append
   * may still get into the log when this broker soon owns it again, also after the one that came in between.
   */
  #earlierAppends: Promise<void> = Promise.resolve();
  #unsubscribe: Cancel | undefined;

  constructor(environment: LogRegistryEnvironment) {
    this.#environment = environment;
    this.#options = { ...defaultOptions, ...environment.options };
  }

  /** Begins to load the registry whenever this broker begins to own it. */
  start(): void {
    this.#unsubscribe = this.#environment.log.subscribe({
      serving: (partition) => {
        if (partition === registryPartition) this.#open();
      },
      lost: (partition) => {
        if (partition === registryPartition) this.#close();
      },
    });
  }

  stop(): void {
    this.#stopped.abort(new RegistryError('noOwner', 'this broker is shutting down'));
    this.#unsubscribe?.();
    this.#close();
  }

  glance<T>(query: (state: RegistryState, parsed: ParsedSchemas) => T): T | undefined {
    const partition = this.#partition;
    return partition?.phase === 'active' ? query(partition.state, partition.parsed) : undefined;
  }

  async read<T>(query: (state: RegistryState, parsed: ParsedSchemas) => T, signal: AbortSignal): Promise<T> {
    const { directory } = this.#environment;
    if (directory.place.kind === 'absent')
      await untilAborted(this.#reaching(directory.refresh(signal)), signal);
    // Nobody had registered anything when this was asked for.
    if (directory.place.kind === 'absent') return query(new RegistryState(), new ParsedSchemas());
    const partition = await this.#owned(signal);
    return untilAborted(partition.read(query), signal);
  }

  async write<T>(
    decide: (state: RegistryState, parsed: ParsedSchemas) => RegistryChange<T>,
    signal: AbortSignal,
  ): Promise<T> {
    const { directory } = this.#environment;
    if (directory.place.kind === 'absent') await untilAborted(this.#reaching(directory.create()), signal);
    const partition = await this.#owned(signal);
    return untilAborted(partition.write(decide), signal);
  }

  subscribe(listener: () => void): Cancel {
    this.#listeners.add(listener);
    return () => {
      this.#listeners.delete(listener);
    };
  }

  /** Waits for a partition that is on its way. @throws RegistryError */
  async #owned(signal: AbortSignal): Promise<RegistryPartition> {
    const { runtime, directory } = this.#environment;
    const untilMs = runtime.monotonicMs() + this.#options.ownershipTimeoutMs;
    const either = AbortSignal.any([signal, this.#stopped.signal]);
    for (;;) {
      either.throwIfAborted();
      if (this.#partition?.phase === 'active') return this.#partition;
      const place = directory.place;
      if (place.kind === 'other')
        throw new RegistryError(
          'notTheOwner',
          `the schema registry is served by ${place.broker}: ask the api port of that broker`,
        );
      if (place.kind === 'foreign')
        throw new RegistryError(
          'storeError',
          `topic ${schemasTopic} was created by a client: a registry of its own keeps its schemas in it, and the ` +
            'embedded one does not serve them',
        );
      if (runtime.monotonicMs() >= untilMs)
        throw new RegistryError(
          'noOwner',
          `no broker serves the schema registry now: the owner of topic ${schemasTopic} is being replaced, or is still ` +
            'reading it; try again in a moment',
        );
      await sleep(runtime, lookMs, either);
    }
  }

  /** What the store or the cluster state refuses is told as the registry's error. */
  async #reaching<T>(work: Promise<T>): Promise<T> {
    try {
      return await work;
    } catch (error) {
      if (!(error instanceof StoreError) && !(error instanceof ClusterError)) throw error;
      throw new RegistryError('noOwner', `the cluster state cannot be reached: ${error.message}`, {
        cause: error,
      });
    }
  }

  #open(): void {
    if (this.#stopped.signal.aborted) return;
    this.#close();
    const { log, runtime, onProblem } = this.#environment;
    const partition = new RegistryPartition({
      log,
      runtime,
      onChanged: () => {
        for (const listener of this.#listeners) listener();
      },
      onFailed: (error) => {
        onProblem(`the schema registry is read from ${schemasTopic} again`, error);
        // Unless it was lost, or opened again, meanwhile.
        if (this.#partition === partition) this.#open();
      },
    });
    this.#partition = partition;
    inBackground(this.#load(partition, this.#earlierAppends));
  }

  #close(): void {
    const partition = this.#partition;
    if (partition === undefined) return;
    this.#partition = undefined;
    partition.close();
    this.#earlierAppends = Promise.all([this.#earlierAppends, partition.drained()]).then(() => undefined);
  }

  async #load(partition: RegistryPartition, earlierAppends: Promise<void>): Promise<void> {
    const { runtime, onProblem } = this.#environment;
    try {
      await earlierAppends;
      await partition.load();
    } catch (error) {
      if (partition.phase === 'closed') return;
      onProblem(`the schema registry cannot be read from ${schemasTopic}`, error);
      await sleep(runtime, this.#options.loadRetryMs, this.#stopped.signal).catch(() => undefined);
      if (this.#partition === partition) this.#open();
    }
  }
}
