/**
 * What is certain when a call to a catalog fails:
 *
 *  - `CONFLICT`: a requirement did not hold. This commit was not applied and never will be.
 *  - `UNKNOWN_OUTCOME`: it may have been applied, or may be at any later time.
 *  - `UNAVAILABLE`: nothing was changed and nothing will be; the same call may succeed later.
 *  - `REFUSED`: the request itself is wrong; nothing was changed.
 *  - the others: what they say; nothing was changed.
 */
export const catalogErrorCodes = {
  CONFLICT: { retriable: false, applied: 'no' },
  UNKNOWN_OUTCOME: { retriable: false, applied: 'maybe' },
  UNAVAILABLE: { retriable: true, applied: 'no' },
  REFUSED: { retriable: false, applied: 'no' },
  /** What was asked for exists in Iceberg and is not built here. */
  UNSUPPORTED: { retriable: false, applied: 'no' },
  NO_SUCH_NAMESPACE: { retriable: false, applied: 'no' },
  NO_SUCH_TABLE: { retriable: false, applied: 'no' },
  ALREADY_EXISTS: { retriable: false, applied: 'no' },
  NAMESPACE_NOT_EMPTY: { retriable: false, applied: 'no' },
} as const satisfies Record<string, { retriable: boolean; applied: 'no' | 'maybe' }>;

export type CatalogErrorCode = keyof typeof catalogErrorCodes;

export class CatalogError extends Error {
  readonly code: CatalogErrorCode;
  readonly retriable: boolean;
  /** Whether the change that was asked for can have taken effect, now or later. */
  readonly applied: 'no' | 'maybe';

  constructor(code: CatalogErrorCode, message: string, cause?: unknown) {
    super(message, { cause });
    this.name = 'CatalogError';
    this.code = code;
    this.retriable = catalogErrorCodes[code].retriable;
    this.applied = catalogErrorCodes[code].applied;
  }
}

/** Bytes that were read (metadata, a manifest, a request's body) are not what they should be. */
export const formatErrorCodes = {
  /** Damaged, or made by somebody who does not keep to the specification. */
  INVALID: 'invalid',
  /** Right, but in a version or with a feature that is not built. */
  UNSUPPORTED: 'unsupported',
} as const;

export type FormatErrorCode = keyof typeof formatErrorCodes;

export class FormatError extends Error {
  readonly code: FormatErrorCode;
  /** Where the bytes came from: a location, or what the request was. */
  readonly source: string;
  /** Path of the field, e.g. `snapshots[3].snapshot-id`; empty for the whole. */
  readonly field: string;

  constructor(
    code: FormatErrorCode,
    place: { readonly source: string; readonly field: string },
    what: string,
    cause?: unknown,
  ) {
    super(`${place.source}: ${place.field === '' ? '' : `${place.field}: `}${what}`, { cause });
    this.name = 'FormatError';
    this.code = code;
    this.source = place.source;
    this.field = place.field;
  }
}
