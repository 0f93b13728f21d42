import { crc32c as nativeCrc32c } from '@node-rs/crc32';

/**
 * CRC-32C (Castagnoli: the polynomial of Kafka's record batches and of `x-amz-checksum-crc32c`) of `bytes`, as an
 * unsigned 32-bit number. `previous` is the CRC of what comes before: `crc32c(b, crc32c(a))` is the CRC of `a ++ b`.
 */
export function crc32c(bytes: Uint8Array, previous = 0): number {
  return nativeCrc32c(bytes, previous);
}

/**
 * As {@link crc32c}, of `bytes[start]` to `bytes[end - 1]`, without a call out of JavaScript and without a view: 21 bytes
 * take 40 ns instead of 400. For more than about 200 bytes the other one is faster.
 */
export function crc32cOfFew(bytes: Uint8Array, start: number, end: number, previous = 0): number {
  let crc = ~previous;
  for (let at = start; at < end; at++) crc = (byteTable[(crc ^ (bytes[at] ?? 0)) & 0xff] ?? 0) ^ (crc >>> 8);
  return ~crc >>> 0;
}

/**
 * The CRC of `a ++ b` from the CRCs of `a` and `b` and the length of `b`, without the bytes: multiplies `crcA` by
 * x^(8·lengthB) modulo the polynomial. At most one 32-step multiplication for every non-zero byte of `lengthB`:
 * 60 ns for lengths below 256, 0.2 µs for megabytes.
 */
export function crc32cCombine(crcA: number, crcB: number, lengthB: number): number {
  let shifted = crcA;
  let rest = lengthB;
  for (let table = 0; rest > 0; table += 256) {
    const digit = rest % 256;
    if (digit !== 0) shifted = multiply(powers[table + digit] ?? 0, shifted);
    rest = (rest - digit) / 256;
  }
  return (shifted ^ crcB) >>> 0;
}

const polynomial = 0x82f63b78;
const one = 0x80000000;

/** The product of two polynomials over GF(2) modulo the CRC's; bit 31 is the coefficient of x^0. */
function multiply(a: number, b: number): number {
  let product = 0;
  let multiplier = b;
  for (let rest = a; rest !== 0; rest <<= 1) {
    // All ones when the bit is set: a branch on random bits would be mispredicted half the time.
    product ^= multiplier & (rest >> 31);
    multiplier = (multiplier >>> 1) ^ (polynomial & -(multiplier & 1));
  }
  return product;
}

/** What one byte makes of an empty CRC register. */
const byteTable = Int32Array.from({ length: 256 }, (_, byte) => {
  let register = byte;
  for (let bit = 0; bit < 8; bit++) register = (register >>> 1) ^ (polynomial & -(register & 1));
  return register;
});

/** `powers[256·i + d]` = x^(8·d·256^i): seven digits, enough for every length below 2^53. */
const powers = buildPowers();

function buildPowers(): Int32Array {
  const table = new Int32Array(7 * 256);
  let unit = one >>> 8;
  for (let start = 0; start < table.length; start += 256) {
    let power = one | 0;
    for (let digit = 0; digit < 256; digit++) {
      table[start + digit] = power;
      power = multiply(unit, power);
    }
    unit = power;
  }
  return table;
}
