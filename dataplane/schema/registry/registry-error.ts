/**
 * The answers of a registry that are no success: Confluent's error codes (the first three digits are the HTTP status).
 * 409 alone has no further digits.
 */
export const registryErrorCodes = {
  subjectNotFound: 40_401,
  versionNotFound: 40_402,
  schemaNotFound: 40_403,
  subjectSoftDeleted: 40_404,
  subjectNotSoftDeleted: 40_405,
  versionSoftDeleted: 40_406,
  versionNotSoftDeleted: 40_407,
  subjectConfigNotFound: 40_408,
  subjectModeNotFound: 40_409,
  incompatibleSchema: 409,
  invalidSchema: 42_201,
  invalidVersion: 42_202,
  invalidCompatibilityLevel: 42_203,
  operationNotPermitted: 42_205,
  invalidSubject: 42_208,
  storeError: 50_001,
  /** Another broker has the registry. */
  notTheOwner: 50_003,
  /** Nobody has it at this moment. */
  noOwner: 50_004,
} as const;

export type RegistryErrorName = keyof typeof registryErrorCodes;

export class RegistryError extends Error {
  readonly errorName: RegistryErrorName;
  readonly errorCode: number;
  /** Of HTTP. */
  readonly status: number;
  /** The same request may succeed later, here or at another broker. */
  readonly retriable: boolean;

  constructor(errorName: RegistryErrorName, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'RegistryError';
    this.errorName = errorName;
    this.errorCode = registryErrorCodes[errorName];
    this.retriable = errorName === 'notTheOwner' || errorName === 'noOwner';
    // 503, unlike Confluent's 500: it is what load balancers and clients try again for.
    this.status = this.retriable ? 503 : Number(String(this.errorCode).slice(0, 3));
  }
}
