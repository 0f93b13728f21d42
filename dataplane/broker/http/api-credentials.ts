import { createHash, timingSafeEqual } from 'node:crypto';
import { isPassword, parsePasswordHash } from './password-hash.ts';
import type { PasswordHash } from './password-hash.ts';

/** What a request proves of who sent it. */
export type Verdict =
  | { readonly kind: 'known'; readonly name: string }
  /** As a sentence that tells nothing of what is right. */
  | { readonly kind: 'unknown'; readonly why: string }
  /** Too many passwords wait to be checked. */
  | { readonly kind: 'busy' };

/** The file cannot be taken. Holds no part of what is secret in it. */
export class ApiCredentialsError extends Error {
  override readonly name = 'ApiCredentialsError';
}

interface Token {
  readonly name: string;
  /** SHA-256. */
  readonly digest: Uint8Array;
}

interface User {
  readonly hash: PasswordHash;
  /** SHA-256 of the password, once it was seen to be right: the next request costs no scrypt. */
  digest: Uint8Array | undefined;
}

const namePattern = /^[A-Za-z0-9._@-]{1,128}$/;
const maxEntries = 1_000;
/** Shorter ones could be guessed from their SHA-256, which is fast. */
const minTokenLength = 32;
/** Of a token or a password. */
export const maxSecretLength = 1_024;
/** Passwords that wait for the one that is being checked. */
const maxWaiting = 32;

/**
 * Who may use the api port. All may do everything there: there is one role.
 *
 * ```
 *   # comment
 *   NAME:$scrypt$ln=14,r=8,p=1$SALT$HASH     a user with a password
 *   NAME:sha256:HEX                          a token, by its SHA-256; a name may have several
 * ```
 *
 * A token costs one SHA-256. A password costs scrypt, one at a time whatever is sent, until it was right once; so wrong
 * ones take at most that share of one thread, and can be tried at no higher rate. What is compared is compared in constant
 * time, and an unknown name takes as long as a wrong password.
 */
export class ApiCredentials {
  readonly #tokens: readonly Token[];
  readonly #users: ReadonlyMap<string, User>;
  /** The check that is under way; never rejects. */
  #checking: Promise<unknown> = Promise.resolve();
  #waiting = 0;

  private constructor(tokens: readonly Token[], users: ReadonlyMap<string, User>) {
    this.#tokens = tokens;
    this.#users = users;
  }

  /**
   * @param file as it is named in messages
   * @throws ApiCredentialsError that names the line
   */
  static parse(text: string, file: string): ApiCredentials {
    const tokens: Token[] = [];
    const users = new Map<string, User>();
    for (const [index, raw] of text.split('\n').entries()) {
      const line = raw.trim();
      if (line === '' || line.startsWith('#')) continue;
      const problem = (why: string, cause?: unknown): ApiCredentialsError =>
        new ApiCredentialsError(`${file}, line ${index + 1}: ${why}`, { cause });
      const colon = line.indexOf(':');
      const name = line.slice(0, Math.max(colon, 0));
      const secret = line.slice(colon + 1);
      if (!namePattern.test(name))
        throw problem('a line is NAME:HASH, the name of letters, digits and . _ @ - (128 at most)');
      if (secret.startsWith('sha256:')) tokens.push({ name, digest: digestOf(secret, problem) });
      else if (users.has(name)) throw problem(`user ${name} has a line already`);
      else users.set(name, { hash: hashOf(secret, problem), digest: undefined });
      if (tokens.length + users.size > maxEntries) throw problem(`there are more than ${maxEntries} entries`);
    }
    if (tokens.length + users.size === 0)
      throw new ApiCredentialsError(`${file} has no entry: nobody could use the api port`);
    return new ApiCredentials(tokens, users);
  }

  get counts(): { readonly users: number; readonly tokens: number } {
    return { users: this.#users.size, tokens: this.#tokens.length };
  }

  /** What a client may send (RFC 7235): the value of WWW-Authenticate. */
  get challenge(): string {
    const basic = this.#users.size === 0 ? '' : 'Basic realm="firn", charset="UTF-8", ';
    return `${basic}Bearer realm="firn"`;
  }

  /** @param authorization the header of that name: `Bearer TOKEN`, or `Basic` with a user and the password, or a token */
  async whoIs(authorization: string | undefined): Promise<Verdict> {
    if (authorization === undefined)
      return { kind: 'unknown', why: 'this port needs a token (Bearer) or a user and password (Basic)' };
    const [, scheme = '', value = ''] = /^([A-Za-z]+) +([^ ]+) *$/.exec(authorization) ?? [];
    switch (scheme.toLowerCase()) {
      case 'bearer': {
        const name = this.nameOfToken(value);
        return name === undefined ? wrong('the token') : { kind: 'known', name };
      }
      case 'basic':
        return this.#basic(value);
      default:
        return {
          kind: 'unknown',
          why: 'the Authorization header is neither "Bearer TOKEN" nor "Basic BASE64"',
        };
    }
  }

  /**
   * Whose token this is.
   *
   * @param name whose it should be; without it anybody's will do
   */
  nameOfToken(token: string, name?: string): string | undefined {
    if (token.length < minTokenLength || token.length > maxSecretLength) return undefined;
    const digest = sha256(token);
    let found: string | undefined;
    // All of them, whichever it is.
    for (const known of this.#tokens) {
      const isIt = timingSafeEqual(known.digest, digest);
      if (isIt && (name === undefined || name === known.name)) found ??= known.name;
    }
    return found;
  }

  async #basic(value: string): Promise<Verdict> {
    const text = Buffer.from(value, 'base64').toString('utf8');
    const colon = text.indexOf(':');
    const name = text.slice(0, Math.max(colon, 0));
    const password = text.slice(colon + 1);
    if (colon < 0 || password.length > maxSecretLength) return wrong('the user name or the password');
    // Clients that know Basic alone send a token as the password.
    if (this.nameOfToken(password, name) !== undefined) return { kind: 'known', name };
    const digest = sha256(password);
    const user = this.#users.get(name);
    if (user?.digest !== undefined && timingSafeEqual(user.digest, digest)) return { kind: 'known', name };
    // Somebody else's hash stands for that of a name that nobody has.
    const hash = user?.hash ?? this.#users.values().next().value?.hash;
    if (hash === undefined) return wrong('the user name or the password');
    if (this.#waiting >= maxWaiting) return { kind: 'busy' };
    const isRight = await this.#inTurn(() => isPassword(password, hash));
    if (user === undefined || !isRight) return wrong('the user name or the password');
    user.digest = digest;
    return { kind: 'known', name };
  }

  async #inTurn(check: () => Promise<boolean>): Promise<boolean> {
    this.#waiting += 1;
    const checked = this.#checking.then(check);
    this.#checking = checked.catch(() => undefined);
    try {
      return await checked;
    } finally {
      this.#waiting -= 1;
    }
  }
}

type Problem = (why: string, cause?: unknown) => ApiCredentialsError;

function digestOf(secret: string, problem: Problem): Uint8Array {
  const [, hex] = /^sha256:([0-9a-fA-F]{64})$/.exec(secret) ?? [];
  if (hex === undefined) throw problem('after sha256: come 64 hexadecimal digits, the SHA-256 of the token');
  return Buffer.from(hex, 'hex');
}

function hashOf(secret: string, problem: Problem): PasswordHash {
  try {
    return parsePasswordHash(secret);
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    throw problem(
      `after the name comes sha256:HEX for a token, or the scrypt hash of a password: ${error.message}`,
      error,
    );
  }
}

function sha256(text: string): Uint8Array {
  return createHash('sha256').update(text).digest();
}

function wrong(what: string): Verdict {
  return { kind: 'unknown', why: `${what} is wrong` };
}
