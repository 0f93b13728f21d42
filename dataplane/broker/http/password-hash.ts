import { scrypt, timingSafeEqual } from 'node:crypto';

/** What scrypt costs (RFC 7914): 2^ln blocks of 128·r bytes, p times. */
export interface ScryptCost {
  readonly ln: number;
  readonly r: number;
  readonly p: number;
}

export interface PasswordHash {
  readonly cost: ScryptCost;
  readonly salt: Uint8Array;
  readonly hash: Uint8Array;
}

/** 16 MiB and some 50 ms. */
export const usualScryptCost: ScryptCost = { ln: 14, r: 8, p: 1 };

const hashBytes = 32;
const saltBytes = { min: 8, max: 64 };
/** What one check may take: a file asks for it, but whoever sends a password makes it happen. */
const maxMemoryBytes = 64 * 1024 * 1024;
const maxPasses = 4;

/**
 * The PHC string format, which others write too (`passlib.hash.scrypt`): `$scrypt$ln=14,r=8,p=1$SALT$HASH`, both in base64
 * without padding.
 *
 * @throws SyntaxError that does not repeat the text
 */
export function parsePasswordHash(text: string): PasswordHash {
  const parts = /^\$scrypt\$ln=(\d{1,2}),r=(\d{1,2}),p=(\d)\$([A-Za-z0-9+/]+)\$([A-Za-z0-9+/]+)$/.exec(text);
  if (parts === null) throw new SyntaxError('it does not have the form $scrypt$ln=14,r=8,p=1$SALT$HASH');
  const [, ln, r, p, saltText = '', hashText = ''] = parts;
  const cost = { ln: Number(ln), r: Number(r), p: Number(p) };
  const memoryBytes = memoryOf(cost);
  if (cost.ln < 10 || cost.r < 1 || cost.p < 1 || cost.p > maxPasses || memoryBytes > maxMemoryBytes)
    throw new SyntaxError(
      `ln=${ln},r=${r},p=${p} is not between 2^10 blocks and what takes ${maxMemoryBytes / 2 ** 20} MiB, ${maxPasses} times`,
    );
  const salt = Buffer.from(saltText, 'base64');
  const hash = Buffer.from(hashText, 'base64');
  if (salt.length < saltBytes.min || salt.length > saltBytes.max || hash.length !== hashBytes)
    throw new SyntaxError(
      `the salt must have ${saltBytes.min} to ${saltBytes.max} bytes and the hash ${hashBytes}, not ${salt.length} and ${hash.length}`,
    );
  return { cost, salt, hash };
}

export function printPasswordHash({ cost: { ln, r, p }, salt, hash }: PasswordHash): string {
  return `$scrypt$ln=${ln},r=${r},p=${p}$${base64(salt)}$${base64(hash)}`;
}

/** @param salt random, 16 bytes */
export async function hashPassword(
  password: string,
  salt: Uint8Array,
  cost: ScryptCost = usualScryptCost,
): Promise<PasswordHash> {
  return { cost, salt, hash: await derived(password, salt, cost) };
}

/** Takes as long for a wrong password as for the right one. */
export async function isPassword(password: string, { cost, salt, hash }: PasswordHash): Promise<boolean> {
  return timingSafeEqual(await derived(password, salt, cost), hash);
}

function derived(password: string, salt: Uint8Array, cost: ScryptCost): Promise<Buffer> {
  const { ln, r, p } = cost;
  const options = { N: 2 ** ln, r, p, maxmem: 2 * memoryOf(cost) };
  return new Promise((resolve, reject) => {
    scrypt(password, salt, hashBytes, options, (error, key) => {
      if (error === null) resolve(key);
      else reject(error);
    });
  });
}

function memoryOf({ ln, r, p }: ScryptCost): number {
  return 128 * r * (2 ** ln + p);
}

function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('base64').replace(/=+$/, '');
}
