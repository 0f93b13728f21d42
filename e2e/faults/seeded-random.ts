import { createHash } from 'node:crypto';

/** Uniformly distributed numbers in [0, 1), the same ones for the same seed (sfc32). Not for secrets. */
export type Fractions = () => number;

/** @param name makes independent sequences of one seed, e.g. one per rule. */
export function seededFractions(seed: number, name: string): Fractions {
  const state = createHash('sha256').update(`${seed}/${name}`).digest();
  let a = state.readInt32LE(0);
  let b = state.readInt32LE(4);
  let c = state.readInt32LE(8);
  let counter = 1;
  return () => {
    const t = (((a + b) | 0) + counter) | 0;
    counter = (counter + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = (c << 21) | (c >>> 11);
    c = (c + t) | 0;
    return (t >>> 0) / 2 ** 32;
  };
}

/** A length of time in milliseconds: fixed, uniform, or log-normal given by its median and its 99th percentile. */
export type DelayMs =
  | number
  | { readonly minMs: number; readonly maxMs: number }
  | { readonly p50Ms: number; readonly p99Ms: number };

const z99 = 2.326_347_9;

export function sampleDelayMs(delay: DelayMs, fraction: Fractions): number {
  if (typeof delay === 'number') return delay;
  if ('minMs' in delay) return delay.minMs + (delay.maxMs - delay.minMs) * fraction();
  const sigma = Math.log(delay.p99Ms / delay.p50Ms) / z99;
  // Box-Muller; 1 - x keeps the logarithm's argument above 0.
  const normal = Math.sqrt(-2 * Math.log(1 - fraction())) * Math.cos(2 * Math.PI * fraction());
  return delay.p50Ms * Math.exp(sigma * normal);
}
