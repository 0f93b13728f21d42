import { constants, hkdfSync } from 'node:crypto';
import type { ConnectionOptions, TlsOptions } from 'node:tls';
import type { Runtime } from '../../runtime/runtime.ts';
import { TlsCredentialsError } from './tls-credentials.ts';
import type { TlsCredentials } from './tls-credentials.ts';
import { WatchedFiles } from './watched-files.ts';

/** In bytes: what is shorter may have been made up by a person. */
const minSecretBytes = 32;
const maxSecrets = 8;

/**
 * Pre-shared keys are for TLS 1.2 in Node.js. Ephemeral Diffie-Hellman: who learns the secret later cannot read what was
 * recorded before.
 */
const cipherSuite = {
  ciphers: 'ECDHE-PSK-CHACHA20-POLY1305',
  minVersion: 'TLSv1.2',
  maxVersion: 'TLSv1.2',
  // A session that is resumed would prove a secret of before.
  secureOptions: constants.SSL_OP_NO_TICKET | constants.SSL_OP_NO_RENEGOTIATION,
} as const;

interface PresharedKey {
  /** Says which of several it is; tells nothing of it. */
  readonly identity: string;
  readonly key: Buffer;
}

/**
 * Both ends know a secret, one line of a file (TLS-PSK, RFC 4279). Further lines are accepted and not used: to change the
 * secret, append the new one everywhere, then put it first everywhere, then take the old one away.
 *
 * The key is derived from the secret, and with it a name by which the other end finds it; neither leads back to the secret,
 * and guessing from the name is as hard as guessing 32 bytes.
 */
export class SecretCredentials implements TlsCredentials {
  readonly server: TlsOptions;
  readonly #file: string;
  readonly #files: WatchedFiles;
  readonly #onProblem: (what: string, error: unknown) => void;
  #keys: readonly [PresharedKey, ...PresharedKey[]];

  private constructor(
    file: string,
    files: WatchedFiles,
    keys: readonly [PresharedKey, ...PresharedKey[]],
    onProblem: (what: string, error: unknown) => void,
  ) {
    this.#file = file;
    this.#files = files;
    this.#keys = keys;
    this.#onProblem = onProblem;
    this.server = {
      ...cipherSuite,
      pskCallback: (_socket, identity) => this.#keys.find((one) => one.identity === identity)?.key ?? null,
    };
  }

  /** @throws TlsCredentialsError */
  static async open(
    file: string,
    runtime: Pick<Runtime, 'monotonicMs'>,
    onProblem: (what: string, error: unknown) => void,
  ): Promise<SecretCredentials> {
    const files = new WatchedFiles([file], runtime);
    let contents: readonly Buffer[] | undefined;
    try {
      contents = await files.changed();
    } catch (error) {
      throw new TlsCredentialsError(
        `the secret of the internal listener cannot be read: ${messageOf(error)}`,
        { cause: error },
      );
    }
    return new SecretCredentials(file, files, keysIn(contents?.[0], file), onProblem);
  }

  get client(): ConnectionOptions {
    const [{ identity, key }] = this.#keys;
    return {
      ...cipherSuite,
      pskCallback: () => ({ identity, psk: key }),
      // There are no certificates: who knows the secret is who it should be.
      checkServerIdentity: () => undefined,
    };
  }

  async refresh(): Promise<boolean> {
    try {
      const contents = await this.#files.changed();
      if (contents === undefined) return false;
      this.#keys = keysIn(contents[0], this.#file);
      return true;
    } catch (error) {
      this.#onProblem('the new secret of the internal listener cannot be used, the old one still is', error);
      return false;
    }
  }
}

/** @throws TlsCredentialsError */
function keysIn(content: Buffer | undefined, file: string): readonly [PresharedKey, ...PresharedKey[]] {
  const secrets = (content ?? Buffer.alloc(0))
    .toString('latin1')
    .split(/\r?\n/)
    .filter((line) => line.trim() !== '');
  for (const [at, secret] of secrets.entries()) {
    if (secret.length >= minSecretBytes) continue;
    throw new TlsCredentialsError(
      `secret ${at + 1} in ${file} has ${secret.length} bytes, and at least ${minSecretBytes} are needed: make one with ` +
        "'openssl rand -base64 32'",
    );
  }
  if (secrets.length > maxSecrets)
    throw new TlsCredentialsError(
      `${file} holds ${secrets.length} secrets, one a line: at most ${maxSecrets}`,
    );
  const [first, ...more] = secrets.map(presharedKey);
  if (first === undefined)
    throw new TlsCredentialsError(`${file} holds no secret: make one with 'openssl rand -base64 32'`);
  return [first, ...more];
}

function presharedKey(secret: string): PresharedKey {
  const derived = (what: string, sizeBytes: number): Buffer =>
    Buffer.from(hkdfSync('sha256', Buffer.from(secret, 'latin1'), 'firn internal listener', what, sizeBytes));
  return { identity: `firn-${derived('identity', 8).toString('hex')}`, key: derived('key', 32) };
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
