import { LogError } from '../log/errors.ts';
import type { Served } from '../log/served-groups.ts';
import { isControl, readBatchHeader } from '../protocol/record-batch.ts';
import { RunningState } from '../runtime/running-state.ts';
import { sleep } from '../runtime/runtime.ts';
import type { Service } from '../runtime/service.ts';
import type { AppendStop, OpenDataFile } from './data-file-writer.ts';
import { invariant } from './errors.ts';
import { finishDataFile } from './finish-data-file.ts';
import { FirstSchema } from './first-schema.ts';
import { learnSchema, problemAt } from './record-problem.ts';
import type { RecordProblem } from './record-problem.ts';
import { isSameTarget } from './table-workers.ts';
import type { Committable, PartitionAnswer, TableTarget } from './table-workers.ts';
import { WakeUp } from './wake-up.ts';
import type { WorkerContext } from './worker-context.ts';

/** What a worker tells of itself. */
export interface WorkerStatus {
  readonly partition: number;
  /** The first offset that is not in the table, as far as it was told. */
  readonly committed: number | undefined;
  /** The first offset that is in no file yet. */
  readonly position: number | undefined;
  readonly openRows: number;
  readonly waitingFiles: number;
  readonly problem: RecordProblem | undefined;
  /** What went wrong the last time and is tried again; `undefined`: nothing, or it has gone well since. */
  readonly lastError: string | undefined;
}

interface OpenRange {
  readonly file: OpenDataFile;
  readonly from: number;
  maxTimestampMs: number;
}

/**
 * Turns the records of one partition into data files, from the offset that is committed on, in the order of their
 * offsets, below the last stable offset.
 *
 * ```
 *   committed            files that wait          open file     position          last stable offset
 *      │ [from, to) [from, to) [from, to) │ rows …  │  records that are read …      │
 * ```
 *
 * All that it knows is in memory and may be lost: the next worker begins at the committed offset again, and its files
 * have names of their own. A record that cannot become a row ends the work there: what is before it is finished and
 * committed, nothing after it is read.
 */
export class PartitionWorker implements Service {
  readonly id: string;
  readonly topicId: string;
  readonly partition: number;
  readonly #context: WorkerContext;
  readonly #state: RunningState;
  readonly #wake = new WakeUp();
  readonly #firstSchema: FirstSchema;
  /** A file is full, or a record has come for which there is no table yet. */
  readonly #onDue: () => void;
  #targetFileBytes: number;
  #target: TableTarget | undefined;
  #epoch = 0;
  #committed: number | undefined;
  #waiting: Committable[] = [];
  #open: OpenRange | undefined;
  /** `undefined`: to begin at the end of what waits, or at the committed offset. */
  #position: number | undefined;
  #problem: RecordProblem | undefined;
  #lastError: string | undefined;
  #mustFinish = false;
  /** Those who wait until the open file is finished. */
  #finishers: (() => void)[] = [];
  #ran: Promise<void> = Promise.resolve();

  constructor(
    context: WorkerContext,
    request: {
      readonly topicId: string;
      readonly partition: number;
      readonly targetFileBytes: number;
      readonly onDue: () => void;
    },
  ) {
    this.#context = context;
    this.topicId = request.topicId;
    this.partition = request.partition;
    this.#targetFileBytes = request.targetFileBytes;
    this.#onDue = request.onDue;
    this.id = `table worker of ${request.topicId}/${request.partition}`;
    this.#state = new RunningState(context.runtime);
    this.#firstSchema = new FirstSchema(context, request.topicId, request.partition);
  }

  get status(): WorkerStatus {
    return {
      partition: this.partition,
      committed: this.#committed,
      position: this.#position,
      openRows: this.#open?.file.rowCount ?? 0,
      waitingFiles: this.#waiting.length,
      problem: this.#problem,
      lastError: this.#lastError,
    };
  }

  run(): Promise<void> {
    this.#ran = this.#run();
    return this.#ran;
  }

  async stop(): Promise<void> {
    this.#state.stop();
    this.#wake.ring();
    await this.#ran.catch(() => undefined);
  }

  /** The topic's settings, or the schemas of the registry, have changed: what could not become a row perhaps can now. */
  retry(targetFileBytes = this.#targetFileBytes): void {
    this.#targetFileBytes = targetFileBytes;
    this.#problem = undefined;
    this.#firstSchema.forget();
    this.#wake.ring();
  }

  /** Of `OpenFileHolder`. */
  finishSoon(): void {
    this.#mustFinish = true;
    this.#wake.ring();
  }

  /**
   * What `TableWorkers.collect` asks of this worker. `epoch` was compared already. Resolves when the open file is
   * finished, if that was asked for; {@link waiting} says what there is.
   */
  async collect(
    request: {
      readonly epoch: number;
      readonly table: TableTarget | undefined;
      readonly committed: number;
      readonly finish: boolean;
    },
    deadline: Promise<void>,
  ): Promise<PartitionAnswer> {
    this.#assign(request.epoch, request.table, request.committed);
    if (request.table !== undefined && request.finish && this.#open !== undefined) {
      const finished = new Promise<void>((resolve) => this.#finishers.push(resolve));
      this.#mustFinish = true;
      this.#wake.ring();
      await Promise.race([finished, deadline]);
    }
    this.#context.crashPoint('worker.collect.answered');
    return {
      partition: this.partition,
      committables: [...this.#waiting],
      firstSchemaId: request.table === undefined ? this.#firstSchema.id : undefined,
    };
  }

  /** Only ever forward: it may arrive after what was said later. */
  committed(epoch: number, offset: number): void {
    if (epoch === this.#epoch && offset > (this.#committed ?? Infinity)) this.#moveCommitted(offset);
  }

  #assign(epoch: number, target: TableTarget | undefined, committed: number): void {
    if (epoch < this.#epoch) return;
    this.#epoch = epoch;
    if (this.#target?.uuid !== target?.uuid) this.#restart();
    if (!isSameTarget(this.#target, target)) this.#target = target;
    this.#moveCommitted(committed);
    this.#wake.ring();
  }

  /** Drops what is in the table; begins anew there when what is left does not begin where the table ends. */
  #moveCommitted(offset: number): void {
    const left = this.#waiting.filter(({ to }) => to > offset);
    const next = left[0]?.from ?? this.#open?.from ?? this.#position;
    this.#committed = offset;
    if (next !== undefined && next !== offset) this.#restart();
    else this.#waiting = left;
    this.#wake.ring();
  }

  /** Forgets all that is not committed. The files that were put may be in a commit that is under way: they stay. */
  #restart(): void {
    this.#waiting = [];
    this.#position = undefined;
    this.#problem = undefined;
    this.#dropOpen();
  }

  #dropOpen(): void {
    this.#open?.file.discard();
    this.#open = undefined;
    this.#context.memory.update(this, 0);
    this.#answerFinishers();
  }

  #answerFinishers(): void {
    for (const resolve of this.#finishers.splice(0)) resolve();
  }

  async #run(): Promise<void> {
    try {
      while (this.#state.shouldRun()) {
        try {
          await this.#step();
        } catch (error) {
          if (!this.#state.shouldRun()) break;
          // What was open may be half done: from the last finished file on again.
          this.#position = undefined;
          this.#dropOpen();
          if (!(error instanceof LogError && error.code === 'NOT_LEADER_OR_FOLLOWER')) {
            this.#lastError = error instanceof Error ? error.message : String(error);
            this.#context.counters.workerFailures += 1;
            this.#context.onProblem(`${this.id} failed and begins anew`, error);
          }
          await this.#state.backoff();
        }
      }
    } finally {
      this.#waiting = [];
      this.#dropOpen();
    }
  }

  /** One thing that is to be done now, or waiting for the next. */
  async #step(): Promise<void> {
    const { log, options, memory } = this.#context;
    const served = log.served(this.topicId, this.partition);
    const target = this.#target;
    if (served === undefined)
      return this.#wake.wait(undefined, options.stoppedCheckMs, this.#context.runtime);
    if (target === undefined) return this.#awaitTable(served);
    if (this.#committed === undefined) return this.#rest(undefined);
    const open = this.#open;
    if (open !== undefined && (this.#mustFinish || open.file.schemaId !== target.schema.schemaId)) {
      await this.#finish(open);
      return undefined;
    }
    this.#mustFinish = false;
    this.#answerFinishers();
    if (this.#problem !== undefined) return this.#restAtProblem(served);
    if (this.#waiting.length >= options.maxWaitingFiles) return this.#rest(undefined);
    if (memory.isFull) return this.#awaitRoom();
    this.#position ??= this.#waiting.at(-1)?.to ?? this.#committed;
    if (this.#position === served.partition.lastStableOffset) {
      if (this.#open === undefined) this.#wentWell();
      return this.#rest(served);
    }
    await this.#read(this.#position, target, served);
    return undefined;
  }

  /** Not after every step: what fails may be preceded by some that do not, each time. */
  #wentWell(): void {
    this.#state.resetBackoff();
    this.#lastError = undefined;
  }

  /** Waits for a call, and for the end of the partition to move, when it is given. */
  #rest(served: Served | undefined): Promise<void> {
    return this.#wake.wait(served?.partition, undefined, this.#context.runtime);
  }

  async #awaitRoom(): Promise<void> {
    const forget = this.#context.memory.onRoom(() => {
      this.#wake.ring();
    });
    await this.#rest(undefined);
    forget();
  }

  async #awaitTable(served: Served): Promise<void> {
    const before = this.#firstSchema.id;
    await this.#firstSchema.look(this.#state.signal);
    if (before === undefined && this.#firstSchema.id !== undefined) this.#onDue();
    const { problem } = this.#firstSchema;
    this.#problem = problem === undefined ? undefined : problemAt(problem.offset, problem);
    const isEmpty = served.partition.logStart >= served.partition.lastStableOffset;
    if (isEmpty) return this.#rest(served);
    return this.#wake.wait(undefined, this.#context.options.stoppedCheckMs, this.#context.runtime);
  }

  async #restAtProblem(served: Served): Promise<void> {
    const { runtime, options } = this.#context;
    const problem = this.#problem;
    if (this.#open !== undefined) {
      this.#mustFinish = true;
      return;
    }
    await this.#wake.wait(undefined, options.stoppedCheckMs, runtime);
    const isDeleted = problem !== undefined && served.partition.logStart > problem.offset;
    const isTransient = problem?.code === 'REGISTRY_UNAVAILABLE';
    if (this.#problem === problem && (isDeleted || isTransient)) this.#problem = undefined;
  }

  async #read(position: number, target: TableTarget, served: Served): Promise<void> {
    const { log, options, crashPoint, counters, onProblem } = this.#context;
    const { logStart, highWatermark } = served.partition;
    if (position < logStart) {
      // Deleted before they became rows: retention does not do that, a person's DeleteRecords does.
      counters.deletedOffsets += logStart - position;
      const what = `${this.id}: records ${position} to ${logStart - 1} were deleted before they became rows`;
      onProblem(what, undefined);
      this.#openFile(position, target);
      this.#position = logStart;
      return;
    }
    let result;
    try {
      result = await log.read(this.topicId, this.partition, position, options.readBytes, this.#state.signal);
    } catch (error) {
      if (!(error instanceof LogError) || error.code !== 'OFFSET_OUT_OF_RANGE') throw error;
      if (this.#position !== position) return;
      if (position <= served.partition.highWatermark) {
        // The log start is just moving past it.
        await sleep(this.#context.runtime, 10, this.#state.signal);
        return;
      }
      this.#problem = {
        offset: position,
        code: 'COMMITTED_ABOVE_END',
        reason: `the table says that offset ${position} comes next, but the partition ends at ${highWatermark}`,
      };
      return;
    }
    crashPoint('worker.batch.read');
    try {
      // Somebody else may have said meanwhile where to begin.
      if (this.#position !== position || this.#target !== target) return;
      for (const piece of result.pieces) {
        const isDone = await this.#takePiece(piece, target, result.lastStableOffset);
        if (isDone) break;
      }
    } finally {
      result.release();
    }
  }

  /** True: no more of what was read is to be taken now. */
  async #takePiece(piece: Uint8Array, target: TableTarget, stableOffset: number): Promise<boolean> {
    const { pace, memory, crashPoint } = this.#context;
    for (let at = 0; at < piece.length;) {
      const header = readBatchHeader(piece, at);
      const batch = piece.subarray(at, at + header.sizeBytes);
      at += header.sizeBytes;
      const end = header.baseOffset + header.lastOffsetDelta + 1;
      const position = this.#position;
      if (position === undefined || end > stableOffset) return true;
      if (end <= position) continue;
      const open = this.#openFile(position, target);
      if (isControl(header.attributes)) this.#position = end;
      else {
        while (!pace.hasTime) await pace.rest();
        if (this.#open !== open) return true;
        const { nextOffset, stop, maxTimestampMs } = await open.file.append(batch, position);
        // Begun anew meanwhile: these rows went with their file.
        if (this.#open !== open) return true;
        open.maxTimestampMs = Math.max(open.maxTimestampMs, maxTimestampMs);
        this.#position = nextOffset;
        crashPoint('worker.batch.appended');
        memory.update(this, open.file.memoryBytes);
        if (stop !== undefined) {
          await this.#stoppedAt(stop, nextOffset, open);
          return true;
        }
      }
      if (open.file.estimatedBytes >= this.#targetFileBytes) {
        this.#mustFinish = true;
        return true;
      }
      if (this.#mustFinish || memory.isFull || !this.#state.shouldRun()) return true;
    }
    return false;
  }

  #openFile(from: number, { schema }: TableTarget): OpenRange {
    this.#open ??= {
      file: this.#context.writers.open({ schema, partition: this.partition }),
      from,
      maxTimestampMs: -1,
    };
    return this.#open;
  }

  async #stoppedAt(stop: AppendStop, offset: number, open: OpenRange): Promise<void> {
    const problem =
      stop.kind === 'problem'
        ? { code: stop.code, reason: stop.reason }
        : await learnSchema(open.file, stop.schemaId, this.#context.schemas, this.#state.signal);
    if (problem === undefined || this.#open !== open) return;
    this.#problem = problemAt(offset, problem);
  }

  /** Ends the open file and puts it into the store; from then on it waits for a commit. */
  async #finish(open: OpenRange): Promise<void> {
    const target = this.#target;
    const to = this.#position;
    invariant(target !== undefined && to !== undefined, 'an open file has a table and an end');
    const { file, from, maxTimestampMs } = open;
    if (file.rowCount === 0) {
      if (to > from) this.#waiting.push({ partition: this.partition, from, to, file: undefined });
      this.#dropOpen();
      return;
    }
    const finished = await finishDataFile(this.#context, {
      file,
      holder: this,
      // Named after all that tells it from others' for people; the name itself is nobody else's.
      folder: `${target.location}/data/${this.#epoch}/${this.partition}-${from}`,
      isWanted: () => this.#open === open,
      signal: this.#state.signal,
    });
    if (finished === undefined || this.#open !== open) return;
    const { schemaId } = file;
    const { specId } = target;
    this.#waiting.push({
      partition: this.partition,
      from,
      to,
      file: { ...finished, schemaId, specId, maxTimestampMs },
    });
    this.#mustFinish = false;
    this.#wentWell();
    this.#dropOpen();
    const isFull = finished.sizeBytes >= this.#targetFileBytes / 2;
    if (isFull || this.#waiting.length >= this.#context.options.maxWaitingFiles) this.#onDue();
  }
}
