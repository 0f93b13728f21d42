import { batchSizeBytes, buildBatch } from '../../protocol/record-batch-builder.ts';
import type { RecordInput } from '../../protocol/record-encoder.ts';
import { RegistryError } from '../../schema/registry/registry-error.ts';
import { encodeRegistryRecord } from '../../schema/registry/registry-record.ts';
import type { RegistryRecord } from '../../schema/registry/registry-record.ts';

/** Records of one change that the log takes in one piece. */
export interface RegistryBatch {
  readonly records: readonly RegistryRecord[];
  readonly bytes: Buffer;
}

/**
 * The batches of a change, in order, none of which is larger than the log takes. More than one for what deletes many
 * versions: each of its records is good without the others, and who deletes again deletes what is left.
 *
 * @throws RegistryError invalidSchema for a record that is too large alone
 */
export function registryBatches(
  records: readonly RegistryRecord[],
  { maxBytes, timestampMs }: { readonly maxBytes: number; readonly timestampMs: number },
): readonly RegistryBatch[] {
  const batches: RegistryBatch[] = [];
  let taken: RegistryRecord[] = [];
  let encoded: RecordInput[] = [];
  let sizeBytes = 0;
  const close = (): void => {
    if (taken.length > 0) batches.push({ records: taken, bytes: buildBatch({ records: encoded }) });
    taken = [];
    encoded = [];
    sizeBytes = 0;
  };
  for (const record of records) {
    const input = { ...encodeRegistryRecord(record), timestampMs };
    // As a batch of its own, which is a little more than it adds to one.
    const aloneBytes = batchSizeBytes([input]);
    if (aloneBytes > maxBytes)
      throw new RegistryError(
        'invalidSchema',
        `${nameOf(record)} has ${aloneBytes} bytes as a record of the log, at most ${maxBytes} are possible: quotes and ` +
          'what is no ASCII count more than once',
      );
    if (sizeBytes + aloneBytes > maxBytes) close();
    taken.push(record);
    encoded.push(input);
    sizeBytes += aloneBytes;
  }
  close();
  return batches;
}

function nameOf(record: RegistryRecord): string {
  if (record.kind === 'schema')
    return `the schema of version ${record.key.version} of subject ${record.key.subject}`;
  return `what is said of subject ${record.subject ?? '(all)'}`;
}
