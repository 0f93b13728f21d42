import { statfsSync } from 'node:fs';
import os from 'node:os';

const tmpfsMagic = 0x01021994;

/** A folder in memory where there is one: what is compared are brokers, not a disk. Else the folder for temporary files. */
export function memoryFolder(): string {
  try {
    if (statfsSync('/dev/shm').type === tmpfsMagic) return '/dev/shm';
  } catch {
    // There is none.
  }
  return os.tmpdir();
}
