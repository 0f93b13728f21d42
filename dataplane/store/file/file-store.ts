import { abortReason } from '../../runtime/runtime.ts';
import type { Runtime } from '../../runtime/runtime.ts';
import { isStream, untilAborted } from '../body.ts';
import { spanOf } from '../byte-range.ts';
import { StoreError } from '../errors.ts';
import type {
  Body,
  CallOptions,
  DeleteFailure,
  ETag,
  GetOptions,
  GetResult,
  ListedObject,
  ListOptions,
  ListPage,
  ObjectInfo,
  ObjectStore,
  PutOptions,
  PutResult,
} from '../object-store.ts';
import { checkGet, checkKey, checkList, checkPut } from '../request-checks.ts';
import type { Call } from '../request-checks.ts';
import { compareUtf8 } from '../utf8-order.ts';
import { removeClient } from './clients.ts';
import { Commits, holds } from './commit.ts';
import type { Condition, Known, Removal } from './commit.ts';
import { deleteAll } from './delete-all.ts';
import { unlessErrno } from './file-system.ts';
import type { FileSystem } from './file-system.ts';
import { RootMissing } from './folders.ts';
import { groundOf } from './ground.ts';
import type { Ground } from './ground.ts';
import { KeyClashes } from './key-clashes.ts';
import { isStorableKey, reservedKeyProblem } from './layout.ts';
import type { Layout } from './layout.ts';
import { ObjectReader } from './object-reader.ts';
import { afterLanding, storeErrorOf } from './system-errors.ts';
import { TemporaryFiles } from './temporary-files.ts';
import type { PreparedVersion } from './temporary-files.ts';
import { Upkeep } from './upkeep.ts';
import { candidateKeys } from './walk.ts';

const lookupsAtOnce = 32;

export interface FileStoreParts {
  readonly fs: FileSystem;
  /** Of a root that holds a store already: `ensureStore`. */
  readonly layout: Layout;
  readonly runtime: Pick<Runtime, 'wallMs'>;
  /** A name that no other client of the store has or had: `newClientName`. */
  readonly client: string;
  /** See `UpkeepOptions`. */
  readonly keepVersions: number;
  readonly keepMs: number;
}

/** One process's handle to a directory that several processes share; `commit.ts` says how they agree. */
export class FileStore implements ObjectStore {
  readonly name: string;
  readonly isLocal = true;
  readonly baseLocation: string;
  readonly #client: string;
  readonly #ground: Ground;
  readonly #temporaryFiles: TemporaryFiles;
  readonly #commits: Commits;
  readonly #closing = new AbortController();
  readonly #running: Set<Promise<unknown>> = new Set();
  readonly #readers: Set<ObjectReader> = new Set();
  #tokens = 0;

  constructor({ fs, layout, runtime, client, keepVersions, keepMs }: FileStoreParts) {
    this.name = `file://${layout.root}`;
    this.baseLocation = this.name;
    this.#client = client;
    this.#ground = groundOf(fs, layout);
    this.#temporaryFiles = new TemporaryFiles(this.#ground, client);
    const wallMs = (): number => runtime.wallMs();
    const upkeep = new Upkeep(this.#ground, this.#temporaryFiles, { wallMs, keepVersions, keepMs });
    const clashes = new KeyClashes(this.#ground, upkeep);
    this.#commits = new Commits({ ...this.#ground, clashes, upkeep, newToken: () => this.#newToken() });
  }

  put(key: string, body: Body, options: PutOptions = {}): Promise<PutResult> {
    const call = { operation: 'put', store: this.name, key } as const;
    return this.#run(call, options.signal, async (check) => {
      checkPut(call, options);
      checkReserved(call);
      const condition = conditionOf(options);
      const ready = await this.#prepare(call, body, condition, options, check);
      if (ready === 'condition-failed') return { kind: 'condition-failed' };
      const { version, known } = ready;
      let placed = true;
      try {
        const kind = await this.#commits.write(key, version, condition, known, call, check);
        placed = kind === 'written';
        return kind === 'written' ? { kind, etag: version.token as ETag } : { kind };
      } catch (error) {
        placed = !(error instanceof StoreError) || error.landed === 'maybe';
        throw error;
      } finally {
        // Whatever this leaves behind is swept later, see `clients.ts`.
        if (placed) this.#track(this.#temporaryFiles.release(version));
        else await this.#temporaryFiles.discard(version).catch(() => undefined);
      }
    });
  }

  get(key: string, options: GetOptions = {}): Promise<GetResult<Uint8Array>> {
    const call = { operation: 'get', store: this.name, key } as const;
    return this.#run(call, options.signal, async (check) => {
      const found = await this.#open(call, options, check);
      if (found.kind !== 'found') return found;
      try {
        return { ...found, body: await found.body.readAll(options.into) };
      } finally {
        await found.body.close();
      }
    });
  }

  getStream(key: string, options: GetOptions = {}): Promise<GetResult<AsyncIterable<Uint8Array>>> {
    const call = { operation: 'get', store: this.name, key } as const;
    return this.#run(call, options.signal, async (check) => {
      const found = await this.#open(call, options, check);
      if (found.kind !== 'found') return found;
      // From here on the file is closed by an abort, by the iteration's end, or with the store.
      const reader = found.body;
      this.#readers.add(reader);
      return { ...found, body: reader.stream(options.signal, () => this.#readers.delete(reader)) };
    });
  }

  head(key: string, options: CallOptions = {}): Promise<ObjectInfo | undefined> {
    const call = { operation: 'head', store: this.name, key } as const;
    return this.#run(call, options.signal, async () => {
      checkKey(call);
      checkReserved(call);
      const info = await this.#infoOf(key);
      if (info === undefined) await this.#assertThere();
      return info;
    });
  }

  list(prefix: string, options: ListOptions = {}): Promise<ListPage> {
    const call = { operation: 'list', store: this.name, key: prefix } as const;
    return this.#run(call, options.signal, async (check) => {
      checkList(call, options);
      await this.#assertThere();
      const { startAfter, continuation, maxKeys = 1000 } = options;
      const after =
        startAfter !== undefined && continuation !== undefined && compareUtf8(startAfter, continuation) > 0
          ? startAfter
          : (continuation ?? startAfter);
      const objects: ListedObject[] = [];
      let batch: string[] = [];
      // One object more than asked for, to know whether there is more.
      for await (const key of candidateKeys(this.#ground, { prefix, after })) {
        if (isStorableKey(key)) batch.push(key);
        if (batch.length < Math.min(lookupsAtOnce, maxKeys + 1 - objects.length)) continue;
        check();
        objects.push(...(await this.#listed(batch)));
        batch = [];
        if (objects.length > maxKeys) break;
      }
      objects.push(...(await this.#listed(batch)));
      const page = objects.slice(0, maxKeys);
      return { objects: page, next: objects.length > maxKeys ? page.at(-1)?.key : undefined };
    });
  }

  delete(key: string, options: CallOptions = {}): Promise<void> {
    const call = { operation: 'delete', store: this.name, key } as const;
    return this.#run(call, options.signal, async (check) => {
      checkKey(call);
      checkReserved(call);
      await this.#assertThere();
      const removal = await this.#commits.delete(key, call, check);
      try {
        if (removal.folder !== undefined) await this.#makeSafe(removal.folder, call);
        await this.#forget(removal);
      } finally {
        await removal.file?.close();
      }
    });
  }

  deleteMany(keys: readonly string[], options: CallOptions = {}): Promise<readonly DeleteFailure[]> {
    const call = { operation: 'delete', store: this.name } as const;
    return this.#run(call, options.signal, async (check) => {
      await this.#assertThere();
      return await deleteAll(keys, {
        check,
        remove: async (key) => {
          const keyCall = { ...call, key };
          checkKey(keyCall);
          checkReserved(keyCall);
          return await this.#commits.delete(key, keyCall, check);
        },
        makeSafe: (folder) => this.#makeSafe(folder, call),
        forget: (removal) => this.#forget(removal),
        errorOf: (error, key) => storeErrorOf(error, { ...call, key }),
      });
    });
  }

  /** Rejects the calls under way and waits until none of them touches the directory any more. */
  async close(): Promise<void> {
    this.#closing.abort();
    // A call that ends may leave work of its own.
    while (this.#running.size > 0) await Promise.allSettled(this.#running);
    await Promise.all([...this.#readers].map((reader) => reader.close()));
    const { fs, folders, metadataLinks } = this.#ground;
    await folders.close();
    await removeClient(fs, metadataLinks, this.#temporaryFiles.folder).catch(() => undefined); // Swept later.
  }

  /**
   * Runs a call. When it is given up its promise rejects at once; the steps under way end by themselves, without
   * making anything visible that was not visible yet.
   */
  async #run<T>(
    call: Call,
    signal: AbortSignal | undefined,
    work: (check: () => void) => Promise<T>,
  ): Promise<T> {
    const check = (): void => {
      if (signal?.aborted) throw abortReason(signal);
      if (this.#closing.signal.aborted)
        throw new StoreError('CLOSED', 'the store was closed; open it again', call);
    };
    check();
    const running = work(check);
    this.#track(running);
    try {
      return await untilAborted(untilAborted(running, signal), this.#closing.signal);
    } catch (error) {
      check();
      throw storeErrorOf(error, call);
    }
  }

  /** Notes work that `close` has to wait for, whether it succeeds or not. */
  #track(work: Promise<unknown>): void {
    this.#running.add(work);
    const ended = (): void => {
      this.#running.delete(work);
    };
    work.then(ended, ended);
  }

  /** Writes what is to be put beside the objects, unless the put is lost already. */
  async #prepare(
    call: Call & { readonly key: string },
    body: Body,
    condition: Condition,
    options: PutOptions,
    check: () => void,
  ): Promise<{ readonly version: PreparedVersion; readonly known: Known } | 'condition-failed'> {
    const { key } = call;
    const write = (): Promise<PreparedVersion> => {
      check();
      const signals = [this.#closing.signal, ...(options.signal === undefined ? [] : [options.signal])];
      return this.#temporaryFiles.prepare(
        body,
        { token: this.#newToken(), id: options.id },
        options.isCrc32cFresh === true ? undefined : options.crc32c,
        call,
        isStream(body) ? AbortSignal.any(signals) : undefined,
      );
    };
    if (condition.kind !== 'absent' || isStream(body)) {
      const known = await this.#lookAhead(key, condition);
      return known === 'condition-failed' ? known : { version: await write(), known };
    }
    // Most creations succeed: nothing is waited for that their link finds out by itself.
    const [known, version] = await Promise.allSettled([this.#lookForChain(key, condition), write()]);
    if (known.status === 'fulfilled' && version.status === 'fulfilled' && known.value !== 'condition-failed')
      return { version: version.value, known: known.value };
    if (version.status === 'fulfilled')
      await this.#temporaryFiles.discard(version.value).catch(() => undefined); // Swept later.
    if (known.status === 'rejected') throw known.reason;
    // On a full disk, too, a put is told that it is lost.
    if (known.value === 'condition-failed' || (await this.#lookAhead(key, condition)) === 'condition-failed')
      return 'condition-failed';
    throw version.status === 'rejected' ? version.reason : undefined;
  }

  /** Spares a put that is lost already the writing of its body. */
  async #lookAhead(key: string, condition: Condition): Promise<Known | 'condition-failed'> {
    if (condition.kind === 'none') return 'nothing';
    const current = await this.#ground.chains.current(key);
    if (current.kind === 'present') await current.object.file.close();
    else if (condition.kind === 'token') await this.#assertThere();
    if (!holds(condition, current)) return 'condition-failed';
    return current.kind === 'absent' && current.version === undefined ? 'no chain' : 'nothing';
  }

  /**
   * What a creation has to know: whether the key is held, its link finds out. Only with a chain could that show what is not
   * true. Takes no time beside the writing of the body.
   */
  async #lookForChain(key: string, condition: Condition): Promise<Known | 'condition-failed'> {
    const entries = await this.#ground.chains.entries(key);
    return entries.length === 0 ? 'no chain' : await this.#lookAhead(key, condition);
  }

  async #open(
    call: Call & { readonly key: string },
    options: GetOptions,
    check: () => void,
  ): Promise<GetResult<ObjectReader>> {
    checkGet(call, options);
    checkReserved(call);
    const current = await this.#ground.chains.current(call.key);
    if (current.kind === 'absent') {
      await this.#assertThere();
      return { kind: 'absent' };
    }
    const { object } = current;
    let kept = false;
    try {
      const { info } = object;
      if (options.ifNoneMatch === info.etag) return { kind: 'unchanged' };
      const span = spanOf(options.range, info.sizeBytes, call);
      kept = true;
      return { kind: 'found', info, offset: span.offset, body: new ObjectReader(object, span, call, check) };
    } finally {
      if (!kept) await object.file.close();
    }
  }

  async #infoOf(key: string): Promise<ObjectInfo | undefined> {
    const current = await this.#ground.chains.current(key);
    if (current.kind === 'absent') return undefined;
    await current.object.file.close();
    return current.object.info;
  }

  async #listed(keys: readonly string[]): Promise<ListedObject[]> {
    const infos = await Promise.all(keys.map((key) => this.#infoOf(key)));
    return keys.flatMap((key, at) => {
      const info = infos[at];
      if (info === undefined) return [];
      const { sizeBytes, etag, lastModifiedMs } = info;
      return [{ key, sizeBytes, etag, lastModifiedMs }];
    });
  }

  #makeSafe(folder: string, call: Call): Promise<void> {
    return afterLanding(call, async () => {
      await this.#ground.folders.syncNearest(folder);
      await this.#ground.folders.prune(folder);
    });
  }

  async #forget({ file }: Removal): Promise<void> {
    if (file !== undefined) await this.#ground.metadataLinks.removeIfDead(file).catch(() => undefined);
  }

  /** "Absent" must not be said of a store that is not there, of a disk that is not mounted, for one. */
  async #assertThere(): Promise<void> {
    const { fs, layout } = this.#ground;
    const stat = await unlessErrno(fs.stat(layout.formatPath), 'ENOENT', 'ENOTDIR');
    if (stat === undefined) throw new RootMissing(layout.root);
  }

  #newToken(): string {
    return `${this.#client.slice(this.#client.lastIndexOf('.') + 1)}-${(++this.#tokens).toString(36)}`;
  }
}

function conditionOf(options: PutOptions): Condition {
  if (options.ifMatch !== undefined) return { kind: 'token', token: options.ifMatch };
  return { kind: options.ifAbsent ? 'absent' : 'none' };
}

function checkReserved(call: Call & { readonly key: string }): void {
  const problem = reservedKeyProblem(call.key);
  if (problem !== undefined) throw new StoreError('INVALID_REQUEST', `${problem}; choose another key`, call);
}
