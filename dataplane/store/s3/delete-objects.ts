import { AnswerError } from './object-headers.ts';
import type { Refusal } from './refusal.ts';
import { escapeXml, parseXml, textOf } from './xml.ts';

/** What DeleteObjects takes at once. */
export const maxDeletedAtOnce = 1000;

/** The body of DeleteObjects in quiet mode: the answer names only what could not be deleted. */
export function deleteObjectsBody(keys: readonly string[]): Uint8Array {
  const objects = keys.map((key) => `<Object><Key>${escapeXml(key)}</Key></Object>`).join('');
  return Buffer.from(
    `<?xml version="1.0" encoding="UTF-8"?><Delete xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Quiet>true</Quiet>${objects}</Delete>`,
  );
}

/** XML has no way to write these; everything else that a key may hold, it has. */
export function fitsXml(key: string): boolean {
  return !/[\ufffe\uffff]/.test(key);
}

export interface FailedDelete {
  readonly key: string;
  /** As if the key had been deleted by a request of its own. */
  readonly refusal: Refusal;
}

const statusOfCode: Readonly<Record<string, number>> = {
  AccessDenied: 403,
  InternalError: 500,
  ServiceUnavailable: 503,
  SlowDown: 503,
};

/** Reads a `DeleteResult`. Throws an AnswerError or XmlError. */
export function parseDeleteResult(xml: string): readonly FailedDelete[] {
  const result = parseXml(xml);
  if (result.name !== 'DeleteResult')
    throw new AnswerError(`it is a <${result.name}>, not the result of a delete`);
  return result.children
    .filter((child) => child.name === 'Error' && textOf(child, 'Code') !== 'NoSuchKey')
    .map((error) => {
      const code = textOf(error, 'Code') ?? '';
      return {
        key: textOf(error, 'Key') ?? '',
        refusal: {
          status: statusOfCode[code] ?? 400,
          code,
          message: textOf(error, 'Message') ?? '',
          requestId: undefined,
          region: undefined,
          endpoint: undefined,
          retryAfterMs: undefined,
          dateMs: undefined,
        },
      };
    });
}
