import { decodeClusterState } from '../../cluster/cluster-codec.ts';
import { encodeClusterJson } from '../../cluster/cluster-json.ts';
import { StoreError } from '../../store/errors.ts';
import type { ObjectInfo, ObjectStore } from '../../store/object-store.ts';
import { decodeProbeRecord } from '../../store/probe/probe-record.ts';
import { decodeCheckpoint } from '../format/checkpoint.ts';
import type { BlockEntry, DecodedContainer } from '../format/container.ts';
import { readNote } from '../format/container.ts';
import { decodeContainerHeader, headerBytes } from '../format/container-header.ts';
import { parseKey } from '../format/keys.ts';
import type { ParsedKey } from '../format/keys.ts';
import { decodeManifest, decodePage } from '../format/manifest.ts';
import { decodePidBlock } from '../format/pid-block.ts';
import { decodeSessionRecord } from '../format/session-record.ts';
import { decodeSnapshot } from '../format/snapshot.ts';
import { decodeTrim } from '../format/trim.ts';
import { misplacedContainer, readContainer } from './container-reader.ts';
import { ObjectReader } from './object-reader.ts';
import { ReadOnlyStore } from './read-only-store.ts';

/** One object: what the store says of it, and what is in it as JSON values. */
export interface ObjectDescription {
  readonly key: string;
  /** `unknown`: not one of the log's keys. */
  readonly kind: ParsedKey['kind'] | 'unknown';
  readonly info: ObjectInfo;
  /** What is wrong with it; then `content` is what could be read all the same, if anything. */
  readonly problem: string | undefined;
  readonly content: ObjectContent | undefined;
}

export type ObjectContent =
  | { readonly kind: 'container'; readonly container: ContainerContent }
  | { readonly kind: 'document'; readonly value: unknown };

export interface ContainerContent {
  readonly header: Readonly<Record<string, string | number>>;
  readonly footer: Readonly<Record<string, string | number>> | undefined;
  readonly blocks: readonly BlockEntry[] | undefined;
  /** Of a FENCE or END: anything. */
  readonly note: unknown;
}

/** Reads and decodes one object; `undefined` when it does not exist. */
export async function describeObject(
  store: ObjectStore,
  key: string,
  signal?: AbortSignal,
): Promise<ObjectDescription | undefined> {
  const reader = new ObjectReader(new ReadOnlyStore(store), signal);
  const info = await headOf(reader, key);
  if (info === undefined) return undefined;
  const place = parseKey(key);
  if (place === undefined) {
    return { key, kind: 'unknown', info, problem: undefined, content: undefined };
  }
  const described = (problem: string | undefined, content: ObjectContent | undefined): ObjectDescription => ({
    key,
    kind: place.kind,
    info,
    problem,
    content,
  });
  if (place.kind === 'slot' || place.kind === 'segment') {
    const found = await readContainer(reader, key);
    if (found.kind === 'absent') return undefined;
    if (found.kind === 'damaged') return described(found.error.message, await headerOnly(reader, key));
    const misplaced = misplacedContainer(found.value, place);
    const problem = misplaced === undefined ? undefined : `it holds ${misplaced}, which belongs elsewhere`;
    return described(problem, {
      kind: 'container',
      container: await containerContent(reader, key, found.value),
    });
  }
  const found = await reader.read(key, ({ bytes }) => decodeAny(place.kind, bytes, key));
  if (found.kind === 'absent') return undefined;
  if (found.kind === 'damaged') return described(found.error.message, undefined);
  return described(undefined, { kind: 'document', value: found.value });
}

async function headOf(reader: ObjectReader, key: string): Promise<ObjectInfo | undefined> {
  try {
    return await reader.head(key);
  } catch (error) {
    // Not a key at all, hence no object either.
    if (error instanceof StoreError && error.code === 'INVALID_REQUEST') return undefined;
    throw error;
  }
}

function decodeAny(
  kind: Exclude<ParsedKey['kind'], 'slot' | 'segment'>,
  bytes: Uint8Array,
  key: string,
): unknown {
  switch (kind) {
    case 'cluster':
      return encodeClusterJson(decodeClusterState(bytes, key));
    case 'pid-block':
      return decodePidBlock(bytes, key);
    case 'probe':
      return decodeProbeRecord(bytes);
    case 'session':
      return decodeSessionRecord(bytes, key);
    case 'trim':
      return { trim: decodeTrim(bytes, key) };
    case 'manifest':
      return decodeManifest(bytes, key);
    case 'page':
      return { segments: decodePage(bytes, key) };
    case 'snapshot':
      return decodeSnapshot(bytes, key);
    case 'checkpoint': {
      const { sid, from, slot, slots } = decodeCheckpoint(bytes, key);
      const shown = slots.map(({ slot, footerHash, previousFooterHash, writerTimeMs, index }) => ({
        slot,
        footerHash,
        previousFooterHash,
        writerTimeMs,
        blocks: index.length,
      }));
      return { sid, from, slot, slots: shown };
    }
  }
}

async function containerContent(
  reader: ObjectReader,
  key: string,
  value: DecodedContainer,
): Promise<ContainerContent> {
  const { header, footer, index } = value;
  const {
    indexPosition,
    indexSizeBytes,
    indexCrc32c,
    bodyCrc32c,
    previousFooterHash,
    objectSizeBytes,
    footerHash,
  } = footer;
  const isNote = header.kind === 'fence' || header.kind === 'end';
  const note = isNote ? await reader.read(key, ({ bytes }) => readNote(bytes, key)) : undefined;
  return {
    header: { ...header },
    footer: {
      indexPosition,
      indexSizeBytes,
      indexCrc32c,
      bodyCrc32c,
      previousFooterHash,
      objectSizeBytes,
      footerHash,
    },
    blocks: isNote ? undefined : index,
    note: note?.kind === 'found' ? note.value : undefined,
  };
}

/** Of a container that cannot be read, the header, which stands apart at its beginning. */
async function headerOnly(reader: ObjectReader, key: string): Promise<ObjectContent | undefined> {
  const found = await reader.read(key, ({ bytes }) => decodeContainerHeader(bytes, key), {
    start: 0,
    end: headerBytes,
  });
  if (found.kind !== 'found') return undefined;
  const container = { header: { ...found.value }, footer: undefined, blocks: undefined, note: undefined };
  return { kind: 'container', container };
}
