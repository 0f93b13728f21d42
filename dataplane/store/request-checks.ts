import { StoreError } from './errors.ts';
import type { StoreErrorDetails } from './errors.ts';
import { keyProblem } from './keys.ts';
import type { ByteRange, GetOptions, ListOptions, PutOptions } from './object-store.ts';

/** Which call is being checked: for the error's details. */
export type Call = Pick<StoreErrorDetails, 'operation' | 'store' | 'key'>;

/** Throws INVALID_REQUEST when `key` is not one that every store handles right. */
export function checkKey(call: Call & { readonly key: string }): void {
  const problem = keyProblem(call.key);
  if (problem !== undefined) refuse(call, `${problem}; choose another key`);
  // A lone surrogate has no UTF-8 form: it would be stored as U+FFFD, under another key's name.
  if (!call.key.isWellFormed()) refuse(call, 'the key is not well-formed Unicode; choose another key');
}

export function checkPut(call: Call & { readonly key: string }, options: PutOptions): void {
  checkKey(call);
  const { id, crc32c, ifAbsent, ifMatch } = options;
  if (id !== undefined && !/^[\x20-\x7e]{1,256}$/.test(id))
    refuse(call, `the id ${JSON.stringify(id)} is not 1 to 256 printable ASCII characters`);
  // HTTP strips white space around header values: such an id would not be read back as it was written.
  if (id !== undefined && id !== id.trim())
    refuse(call, `the id ${JSON.stringify(id)} begins or ends with a space; remove it`);
  if (crc32c !== undefined && !(Number.isInteger(crc32c) && crc32c >= 0 && crc32c < 2 ** 32))
    refuse(call, `crc32c is ${crc32c}, not an unsigned 32-bit integer`);
  if (ifAbsent !== undefined && ifMatch !== undefined)
    refuse(call, 'ifAbsent and ifMatch are both given; a put takes one condition');
}

export function checkGet(call: Call & { readonly key: string }, options: GetOptions): void {
  checkKey(call);
  const problem = options.range === undefined ? undefined : rangeProblem(options.range);
  if (problem !== undefined) refuse(call, `${problem}; correct the range`);
}

export function checkList(call: Call, options: ListOptions): void {
  const { maxKeys } = options;
  if (maxKeys !== undefined && !(Number.isInteger(maxKeys) && maxKeys >= 1 && maxKeys <= 1000))
    refuse(call, `maxKeys is ${maxKeys}, not an integer from 1 to 1000`);
}

function rangeProblem(range: ByteRange): string | undefined {
  if (range.suffix !== undefined)
    return Number.isSafeInteger(range.suffix) && range.suffix > 0
      ? undefined
      : `the suffix length ${range.suffix} is not a positive integer`;
  const { start, end } = range;
  if (!Number.isSafeInteger(start) || start < 0)
    return `the range starts at ${start}, which is not an offset (an integer, 0 or more)`;
  if (end !== undefined && !(Number.isSafeInteger(end) && end > start))
    return `the range ends at ${end} (exclusive), which is not an integer above its start ${start}`;
  return undefined;
}

function refuse(call: Call, what: string): never {
  throw new StoreError('INVALID_REQUEST', what, call);
}
