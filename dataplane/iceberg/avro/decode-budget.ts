/** What all blocks of a file may expand to: many times a manifest of the size that writers aim at (8 MiB, compressed). */
const maxPlainBytes = 256 * 1024 * 1024;
/** A null of a union, two values in one byte, is the densest that Iceberg's files have; the allowance is for tiny ones. */
const valuesPerByte = 8;
const valuesAllowance = 1000;
/** Bounds the memory of a decoded file, some 100 bytes a value: 6 times what a manifest of 8 MiB with 20 columns has. */
const maxValues = 2 ** 25;

/**
 * What one Avro file may still expand to. Its bytes alone bound nothing: they are compressed, and a value need not take any
 * (a null, a record of nulls, nested to stand for arbitrarily many), while others than this catalog write such files.
 */
export class DecodeBudget {
  #plainBytesLeft: number;
  #valuesLeft = valuesAllowance;
  #valuesNotGranted: number;

  constructor(limits: { readonly plainBytes?: number; readonly values?: number } = {}) {
    this.#plainBytesLeft = limits.plainBytes ?? maxPlainBytes;
    this.#valuesNotGranted = (limits.values ?? maxValues) - valuesAllowance;
  }

  get plainBytesLeft(): number {
    return this.#plainBytesLeft;
  }

  /** Takes decompressed bytes from the budget and grants the values that they may hold; `false` when they are too many. */
  addPlain(sizeBytes: number): boolean {
    if (sizeBytes > this.#plainBytesLeft) return false;
    this.#plainBytesLeft -= sizeBytes;
    const granted = Math.min(sizeBytes * valuesPerByte, this.#valuesNotGranted);
    this.#valuesNotGranted -= granted;
    this.#valuesLeft += granted;
    return true;
  }

  /** Takes one value; `false` when there are too many. */
  takeValue(): boolean {
    this.#valuesLeft -= 1;
    return this.#valuesLeft >= 0;
  }
}
