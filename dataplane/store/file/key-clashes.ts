import { StoreError } from '../errors.ts';
import type { Call } from '../request-checks.ts';
import { unlessErrno } from './file-system.ts';
import type { FileStat } from './file-system.ts';
import type { Ground } from './ground.ts';
import type { Upkeep } from './upkeep.ts';
import { candidateKeys } from './walk.ts';

/** Finds out why a key's file could not be put in its place. */
export class KeyClashes {
  readonly #ground: Ground;
  readonly #upkeep: Upkeep;

  constructor(ground: Ground, upkeep: Upkeep) {
    this.#ground = ground;
    this.#upkeep = upkeep;
  }

  /**
   * Called when a file stands where the key needs a folder, or something stands where the key's own file should.
   * Throws INVALID_REQUEST when that is another object or nothing of ours. Returns once what was only a leftover is
   * removed: the caller tries again.
   */
  async resolve(key: string, call: Call): Promise<void> {
    for (let at = key.indexOf('/'); at !== -1; at = key.indexOf('/', at + 1)) {
      const above = key.slice(0, at);
      const stat = await this.#stat(above);
      if (stat !== undefined && stat.kind !== 'directory') await this.#removeLeftover(above, stat, key, call);
    }
    const own = await this.#stat(key);
    if (own === undefined || own.kind === 'file') return;
    if (own.kind !== 'directory') refuse(`${this.#ground.layout.objectPath(key)} is not a plain file`, call);
    const span = { prefix: `${key}/`, after: undefined };
    for await (const below of candidateKeys(this.#ground, span)) {
      if (await this.#exists(below)) refuseClash(key, below, call);
    }
    await this.#removeFolder(this.#ground.layout.objectPath(key), call);
  }

  async #removeLeftover(above: string, stat: FileStat, key: string, call: Call): Promise<void> {
    if (stat.kind !== 'file') refuse(`${this.#ground.layout.objectPath(above)} is not a directory`, call);
    if (await this.#exists(above)) refuseClash(key, above, call);
    await this.#upkeep.refreshView(above);
  }

  async #removeFolder(path: string, call: Call): Promise<void> {
    for (const { name, kind } of (await unlessErrno(this.#ground.fs.readdir(path), 'ENOENT', 'ENOTDIR')) ??
      []) {
      if (kind !== 'directory')
        refuse(`the directory ${path} holds ${JSON.stringify(name)}, which is no object`, call);
      await this.#removeFolder(`${path}/${name}`, call);
    }
    await unlessErrno(this.#ground.fs.rmdir(path), 'ENOENT', 'ENOTDIR', 'ENOTEMPTY', 'EEXIST');
  }

  async #exists(key: string): Promise<boolean> {
    const current = await this.#ground.chains.current(key);
    if (current.kind === 'absent') return false;
    await current.object.file.close();
    return true;
  }

  #stat(key: string): Promise<FileStat | undefined> {
    return unlessErrno(this.#ground.fs.stat(this.#ground.layout.objectPath(key)), 'ENOENT', 'ENOTDIR');
  }
}

function refuseClash(key: string, other: string, call: Call): never {
  const [short, long] = key.length < other.length ? [key, other] : [other, key];
  refuse(
    `the object ${JSON.stringify(other)} exists, and no key may be a "/"-prefix of another: ` +
      `${JSON.stringify(short)} would be a file and a directory (for ${JSON.stringify(long)}) at once`,
    call,
  );
}

function refuse(what: string, call: Call): never {
  throw new StoreError('INVALID_REQUEST', `${what}; choose another key or remove what is there`, call);
}
