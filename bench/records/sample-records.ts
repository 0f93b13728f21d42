import type { RecordInput } from '../../dataplane/protocol/record-encoder.ts';

const startMs = 1_700_000_000_000;

/**
 * Records as applications send them: events in JSON, alike in form and different in what they say, `valueBytes` each.
 * Always the same ones.
 */
export function sampleRecords(count: number, valueBytes: number): RecordInput[] {
  const random = linearCongruential(42);
  return Array.from({ length: count }, (_, index) => ({
    key: `user-${random(100_000)}`,
    value: Buffer.from(sampleText(random, valueBytes)),
    timestampMs: startMs + index * 3 + random(3),
  }));
}

function sampleText(random: (below: number) => number, bytes: number): string {
  let text = '';
  while (text.length < bytes) {
    text += JSON.stringify({
      id: random(2 ** 30).toString(16),
      event: ['view', 'click', 'basket', 'purchase'][random(4)],
      at: new Date(startMs + random(86_400_000)).toISOString(),
      address: [10, random(256), random(256), random(256)].join('.'),
      path: `/shop/${['books', 'music', 'garden'][random(3)]}/item-${random(10_000)}`,
      agent: 'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36',
      price: random(100_000) / 100,
    });
  }
  return text.slice(0, bytes);
}

function linearCongruential(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fffffff;
    return Math.floor((state / 0x80000000) * below);
  };
}
