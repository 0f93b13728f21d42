import { StoreError } from '../errors.ts';
import type { DeleteFailure } from '../object-store.ts';
import { fitsXml, maxDeletedAtOnce, parseDeleteResult } from './delete-objects.ts';
import type { S3Client } from './s3-client.ts';
import type { S3Requests } from './s3-requests.ts';

/**
 * Deletes any number of keys, 1000 a request, one request at a time. A key whose delete fails for a passing reason is
 * sent again within the client's limits for repeated calls. Rejects only when going on makes no sense: refused
 * credentials, no bucket, abort, close; what had been deleted until then stays so.
 */
export async function deleteInBulk(
  client: S3Client,
  requests: S3Requests,
  keys: readonly string[],
  signal: AbortSignal | undefined,
): Promise<DeleteFailure[]> {
  const failures: DeleteFailure[] = [];
  const batchable: string[] = [];
  for (const key of keys) {
    const call = requests.call('delete', key);
    try {
      requests.checkKey(call);
      if (fitsXml(key)) batchable.push(key);
      else await client.send(requests.delete(call, signal), () => undefined);
    } catch (error) {
      failures.push({ key, error: keyFailure(error) });
    }
  }
  for (let at = 0; at < batchable.length; at += maxDeletedAtOnce) {
    const batch = batchable.slice(at, at + maxDeletedAtOnce);
    failures.push(...(await deleteBatch(client, requests, batch, signal)));
  }
  return failures;
}

async function deleteBatch(
  client: S3Client,
  requests: S3Requests,
  keys: readonly string[],
  signal: AbortSignal | undefined,
): Promise<DeleteFailure[]> {
  const call = { operation: 'delete', store: client.storeName } as const;
  const startMs = client.monotonicMs();
  const lasting: DeleteFailure[] = [];
  let left = keys;
  for (let attempt = 1; ; attempt++) {
    let failures: readonly DeleteFailure[];
    try {
      failures = await deleteOnce(client, requests, left, signal);
    } catch (error) {
      if (!(error instanceof StoreError) || !error.retriable) throw error;
      return [...lasting, ...left.map((key) => ({ key, error }))];
    }
    const passing = failures.filter(({ error }) => error.retriable);
    lasting.push(...failures.filter(({ error }) => !error.retriable));
    if (passing.length === 0) return lasting;
    if (!(await client.waitToRepeat({ call, signal }, attempt, startMs))) return [...lasting, ...passing];
    left = passing.map(({ key }) => key);
  }
}

async function deleteOnce(
  client: S3Client,
  requests: S3Requests,
  keys: readonly string[],
  signal: AbortSignal | undefined,
): Promise<DeleteFailure[]> {
  const call = { operation: 'delete', store: client.storeName } as const;
  const request = requests.deleteMany(call, keys, signal);
  const answer = await client.send(request, ({ body }) =>
    parseDeleteResult(Buffer.from(body as Uint8Array).toString()),
  );
  if (answer.kind !== 'ok') throw new Error(`a batch delete was answered ${answer.kind}`);
  return answer.value.map(({ key: fullKey, refusal }) => {
    const key = fullKey.slice(requests.prefix.length);
    return {
      key,
      error: client.refusalError(requests.delete(requests.call('delete', key), signal), refusal),
    };
  });
}

function keyFailure(error: unknown): StoreError {
  if (error instanceof StoreError && (error.retriable || error.code === 'INVALID_REQUEST')) return error;
  throw error;
}
