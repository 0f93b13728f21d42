import assert from 'node:assert/strict';
import type { SimulatedProcess } from '../../runtime/simulated-process.ts';
import { VirtualTime } from '../../runtime/virtual-time.ts';
import { StoreError } from '../errors.ts';
import type { StoreErrorCode } from '../errors.ts';
import type { ObjectStore } from '../object-store.ts';
import { SimulatedStore } from './simulated-store.ts';
import type { ConnectOptions, SimulatedStoreOptions } from './simulated-store.ts';

/** For tests: a simulated store with one process connected to it. */
export interface Simulation {
  readonly time: VirtualTime;
  readonly server: SimulatedStore;
  readonly process: SimulatedProcess;
  readonly store: ObjectStore;
}

export function simulate(
  options: Partial<SimulatedStoreOptions> & { seed?: number; connect?: ConnectOptions } = {},
): Simulation {
  const { seed = 1, connect, ...storeOptions } = options;
  const time = new VirtualTime({ seed });
  const server = new SimulatedStore({ environment: time.environment, ...storeOptions });
  const process = time.process('p');
  return { time, server, process, store: server.connect(process, connect) };
}

export function text(value: string): Uint8Array {
  return Uint8Array.from(Buffer.from(value));
}

export function textOf(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString();
}

/** What a call ends with: the kind of its result, or the code of its error. */
export async function outcome(call: Promise<{ readonly kind: string } | undefined>): Promise<string> {
  return await call.then(
    (result) => result?.kind ?? 'absent',
    (error: unknown) => {
      assert.ok(error instanceof StoreError, String(error));
      return error.code satisfies StoreErrorCode;
    },
  );
}
