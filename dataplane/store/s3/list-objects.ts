import type { ListedObject, ListOptions, ListPage } from '../object-store.ts';
import { AnswerError, quotedETag } from './object-headers.ts';
import { canonicalQuery, decodeListed } from './uri-encoding.ts';
import { parseXml, textOf } from './xml.ts';
import type { XmlElement } from './xml.ts';

/**
 * The query of ListObjectsV2. Keys are asked for URL-encoded, so that those which XML cannot carry survive.
 * @param root the store's prefix in the bucket, put in front of all keys.
 */
export function listQuery(root: string, prefix: string, options: ListOptions): string {
  const { startAfter, continuation, maxKeys } = options;
  return canonicalQuery({
    'list-type': '2',
    'encoding-type': 'url',
    prefix: root + prefix,
    'start-after': startAfter === undefined ? undefined : root + startAfter,
    'continuation-token': continuation,
    'max-keys': maxKeys === undefined ? undefined : String(maxKeys),
  });
}

/** Reads a `ListBucketResult`. Throws an AnswerError or XmlError. */
export function parseListPage(xml: string, root: string): ListPage {
  const result = parseXml(xml);
  if (result.name !== 'ListBucketResult') throw new AnswerError(`it is a <${result.name}>, not a list`);
  // Servers that do not know the parameter answer without the element and with plain keys.
  const decode = textOf(result, 'EncodingType') === 'url' ? decodeListed : (key: string): string => key;
  const objects: ListedObject[] = [];
  for (const child of result.children) {
    if (child.name === 'Contents') objects.push(parseObject(child, root, decode));
  }
  const next = textOf(result, 'NextContinuationToken');
  if (textOf(result, 'IsTruncated') !== 'true') return { objects, next: undefined };
  if (next === undefined || next === '')
    throw new AnswerError('it is truncated and does not say how to go on');
  return { objects, next };
}

function parseObject(contents: XmlElement, root: string, decode: (key: string) => string): ListedObject {
  const key = decode(textOf(contents, 'Key') ?? '');
  const sizeBytes = Number(textOf(contents, 'Size'));
  const etag = textOf(contents, 'ETag');
  if (!key.startsWith(root) || !Number.isSafeInteger(sizeBytes) || etag === undefined)
    throw new AnswerError(
      `its entry for ${JSON.stringify(key)} is incomplete or outside ${JSON.stringify(root)}`,
    );
  return {
    key: key.slice(root.length),
    sizeBytes,
    etag: quotedETag(etag),
    lastModifiedMs: Date.parse(textOf(contents, 'LastModified') ?? ''),
  };
}
