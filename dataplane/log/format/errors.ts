/**
 * What can be wrong with an object that was read from the store. None of them goes away by reading again (the store
 * client has checked the bytes it received), and none may be answered by cutting the log short: stop and say so.
 */
export const logFormatErrorCodes = {
  /** The object ends too early, or bytes are missing from it. */
  TRUNCATED: true,
  /** A CRC does not match: bytes changed. */
  CHECKSUM: true,
  /** Not an object of this kind at all. */
  FOREIGN: true,
  /** Written by a newer version, in a way that this one cannot read. */
  FUTURE_VERSION: true,
  /** Checksums hold, but the content contradicts itself or its name: a bug, or a hand-made object. */
  INVALID: true,
} as const;

export type LogFormatErrorCode = keyof typeof logFormatErrorCodes;

export class LogFormatError extends Error {
  readonly code: LogFormatErrorCode;
  /** The object's key. */
  readonly where: string;

  /** @param what what is wrong and what to do about it; the key is put in front. */
  constructor(code: LogFormatErrorCode, where: string, what: string, cause?: unknown) {
    super(`${where}: ${what}`, cause === undefined ? undefined : { cause });
    this.name = 'LogFormatError';
    this.code = code;
    this.where = where;
  }
}

/** An object in a format version that this release does not read. */
export class FutureVersionError extends LogFormatError {
  readonly foundVersion: number;
  /** What this release reads. */
  readonly supportedVersions: { readonly oldest: number; readonly newest: number };

  constructor(where: string, foundVersion: number, supported: FutureVersionError['supportedVersions']) {
    super(
      'FUTURE_VERSION',
      where,
      `it has format version ${foundVersion}, this release of firn reads ${supported.oldest} and ` +
        `${supported.newest}: use the release that wrote it, or a newer one`,
    );
    this.name = 'FutureVersionError';
    this.foundVersion = foundVersion;
    this.supportedVersions = supported;
  }
}

/** What to do about an object that is damaged; ends most messages. */
export const corruptAdvice =
  'do not delete or overwrite it; run `firn log verify` and restore this object from a copy of the bucket if there is one';
