import type { Runtime } from '../../runtime/runtime.ts';

export interface S3Credentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  /** Of temporary credentials. */
  readonly sessionToken?: string | undefined;
  /** Milliseconds since 1970; absent when they do not expire. */
  readonly expiresAtMs?: number | undefined;
}

/** Looks credentials up anew, every time it is called. */
export type CredentialProvider = () => Promise<S3Credentials>;

export class CredentialsError extends Error {
  override readonly name = 'CredentialsError';
  /** `missing`: nothing is configured, or what is configured is refused. `unavailable`: the service that hands them out fails. */
  readonly kind: 'missing' | 'unavailable';

  constructor(kind: 'missing' | 'unavailable', message: string, options: ErrorOptions) {
    super(message, options);
    this.kind = kind;
  }
}

/**
 * What every AWS client looks through, in its order: environment, profile files (with SSO, roles and processes), web
 * identity token, container and instance roles. Loaded on first use: the SDK takes a while.
 */
export function standardCredentialChain(): CredentialProvider {
  return async () => {
    const { fromNodeProviderChain } = await import('@aws-sdk/credential-providers');
    // A chain of its own for each look: chains remember what they found, files too.
    const found = await fromNodeProviderChain({ ignoreCache: true })();
    return {
      accessKeyId: found.accessKeyId,
      secretAccessKey: found.secretAccessKey,
      sessionToken: found.sessionToken,
      expiresAtMs: found.expiration?.getTime(),
    };
  };
}

const refreshAheadMs = 5 * 60_000;
const minBetweenLooksMs = 10_000;

/**
 * Credentials that stay valid: looked up once for all concurrent callers, and again five minutes before they expire,
 * while the old ones are still used. A failed look ahead is repeated after ten seconds.
 */
export class CredentialSource {
  readonly #provider: CredentialProvider;
  readonly #runtime: Runtime;
  readonly #wallMs: () => number;
  #current: S3Credentials | undefined;
  #look: Promise<S3Credentials> | undefined;
  #lastLookMs = -Infinity;

  /** @param wallMs the best guess at the server's clock, which decides what has expired. */
  constructor(provider: CredentialProvider, runtime: Runtime, wallMs: () => number) {
    this.#provider = provider;
    this.#runtime = runtime;
    this.#wallMs = wallMs;
  }

  /** A promise only where there is something to wait for. Rejects with a CredentialsError. */
  get(): S3Credentials | Promise<S3Credentials> {
    const current = this.#current;
    if (current === undefined) return this.#lookUp();
    if (current.expiresAtMs === undefined) return current;
    const leftMs = current.expiresAtMs - this.#wallMs();
    if (leftMs <= 0) return this.#lookUp();
    const sinceLookMs = this.#runtime.monotonicMs() - this.#lastLookMs;
    // Failing does no harm here: the next caller tries again, and the last ones wait for it.
    if (leftMs < refreshAheadMs && sinceLookMs >= minBetweenLooksMs) this.#lookUp().catch(() => undefined);
    return current;
  }

  /** The server says that `refused` have expired. Resolves to what a new look finds, which may be the same. */
  replace(refused: S3Credentials): Promise<S3Credentials> {
    // Another caller may have replaced them already.
    if (this.#current !== undefined && this.#current !== refused) return Promise.resolve(this.#current);
    return this.#lookUp();
  }

  #lookUp(): Promise<S3Credentials> {
    this.#look ??= this.#provider()
      .then(
        (found) => {
          this.#current = found;
          return found;
        },
        (cause: unknown) => {
          throw credentialsError(cause);
        },
      )
      .finally(() => {
        this.#look = undefined;
        this.#lastLookMs = this.#runtime.monotonicMs();
      });
    return this.#look;
  }
}

function credentialsError(cause: unknown): CredentialsError {
  const { name, $fault } = (cause ?? {}) as { readonly name?: unknown; readonly $fault?: unknown };
  const what = cause instanceof Error ? cause.message : String(cause);
  if (name === 'CredentialsProviderError' || $fault === 'client') {
    return new CredentialsError(
      'missing',
      `no usable credentials were found (${what}); set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, AWS_PROFILE, or give the pod a role`,
      { cause },
    );
  }
  return new CredentialsError('unavailable', `credentials could not be fetched: ${what}`, { cause });
}
