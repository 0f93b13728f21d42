import { unlessErrno } from './file-system.ts';
import type { FileSystem } from './file-system.ts';
import { versionOf } from './layout.ts';
import type { Layout } from './layout.ts';
import type { MetadataLinks } from './metadata.ts';
import { openObject } from './open-object.ts';
import type { OpenObject } from './open-object.ts';

/** `bytes`: a file. `mark`: a symbolic link whose text is a word and a token. */
export interface ChainEntry {
  readonly version: number;
  readonly kind: 'bytes' | 'mark';
}

/** What is true of a key. `version` is `undefined` while the key has no chain. Whoever gets `present` closes `object`. */
export type Current =
  | { readonly kind: 'absent'; readonly version: undefined }
  | { readonly kind: 'present'; readonly version: undefined; readonly object: OpenObject }
  | Chained;

export type Chained =
  | { readonly kind: 'absent'; readonly version: number; readonly token: string }
  | { readonly kind: 'present'; readonly version: number; readonly object: OpenObject };

/** Reads chains; `commit.ts` says what they mean and writes them. */
export class ChainReader {
  readonly #fs: FileSystem;
  readonly #layout: Layout;
  readonly #metadataLinks: MetadataLinks;

  constructor(fs: FileSystem, layout: Layout, metadataLinks: MetadataLinks) {
    this.#fs = fs;
    this.#layout = layout;
    this.#metadataLinks = metadataLinks;
  }

  /** The chain's entries by ascending version; none when the key has no chain. */
  async entries(key: string): Promise<readonly ChainEntry[]> {
    const names = await unlessErrno(this.#fs.readdir(this.#layout.chainFolder(key)), 'ENOENT', 'ENOTDIR');
    return (names ?? [])
      .flatMap(({ name, kind }): ChainEntry[] => {
        const version = versionOf(name);
        if (version === undefined) return [];
        if (kind === 'file') return [{ version, kind: 'bytes' }];
        return kind === 'symlink' ? [{ version, kind: 'mark' }] : [];
      })
      .sort((a, b) => a.version - b.version);
  }

  /**
   * What is true of the key at some instant during this call. The plain file is opened *before* the chain is looked
   * for: as chains never go away, a key without a chain afterwards had none when the file was opened. With a chain, what was
   * read is true if it still is the highest entry afterwards: a lower one may have been tidied away, and its number been
   * taken by a writer that stood still for long.
   */
  async current(key: string): Promise<Current> {
    const plain = await this.#open(this.#layout.objectPath(key));
    let kept = false;
    try {
      let top = await this.#top(key);
      if (top === undefined) {
        if (plain === undefined) return { kind: 'absent', version: undefined };
        kept = true;
        return { kind: 'present', version: undefined, object: plain };
      }
      for (;;) {
        const read = await this.#read(key, top);
        let topNow: ChainEntry | undefined;
        try {
          topNow = await this.#top(key);
          if (read !== undefined && topNow?.version === top.version) return read;
        } finally {
          if (read?.kind === 'present' && topNow?.version !== top.version) await read.object.file.close();
        }
        top = topNow ?? top;
      }
    } finally {
      if (!kept) await plain?.file.close();
    }
  }

  /** The token of the version whose entry has this number; `undefined` when there is none. */
  async tokenAt(key: string, version: number): Promise<string | undefined> {
    const mark = await this.#markAt(key, version);
    if (mark !== undefined) return mark;
    const object = await this.#open(this.#layout.versionPath(key, version));
    await object?.file.close();
    // Number 0 may have been replaced by a mark between the two looks; a mark stays.
    return object?.info.etag ?? (await this.#markAt(key, version));
  }

  /** Whether this version of the chain still is as it was appended: neither removed nor, as number 0, replaced by a mark. */
  async isUntidied(key: string, version: number, token: string): Promise<boolean> {
    if (version > 0) return (await this.tokenAt(key, version)) === token;
    const object = await this.#open(this.#layout.versionPath(key, version));
    await object?.file.close();
    return object?.info.etag === token;
  }

  async #top(key: string): Promise<ChainEntry | undefined> {
    return (await this.entries(key)).at(-1);
  }

  /** `undefined` when the entry was removed. */
  async #read(key: string, { version, kind }: ChainEntry): Promise<Chained | undefined> {
    if (kind === 'mark') {
      const token = await this.#markAt(key, version);
      return token === undefined ? undefined : { kind: 'absent', version, token };
    }
    const object = await this.#open(this.#layout.versionPath(key, version));
    return object === undefined ? undefined : { kind: 'present', version, object };
  }

  async #markAt(key: string, version: number): Promise<string | undefined> {
    const path = this.#layout.versionPath(key, version);
    const text = await unlessErrno(this.#fs.readlink(path), 'ENOENT', 'EINVAL');
    return text?.slice(text.indexOf(' ') + 1);
  }

  #open(path: string): Promise<OpenObject | undefined> {
    return openObject(this.#fs, this.#metadataLinks, path);
  }
}
