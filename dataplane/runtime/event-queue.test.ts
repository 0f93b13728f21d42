import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { EventQueue } from './event-queue.ts';
import type { QueuedEvent } from './event-queue.ts';

describe('the event queue', () => {
  it('gives events in the order of time and scheduling, whatever is cancelled and removed in between', () => {
    const action = fc.oneof(
      { weight: 6, arbitrary: fc.record({ do: fc.constant('push' as const), value: fc.nat(20) }) },
      { weight: 3, arbitrary: fc.record({ do: fc.constant('pop' as const), value: fc.constant(0) }) },
      { weight: 2, arbitrary: fc.record({ do: fc.constant('cancel' as const), value: fc.nat(400) }) },
      { weight: 1, arbitrary: fc.record({ do: fc.constant('remove' as const), value: fc.nat(20) }) },
    );
    fc.assert(
      fc.property(fc.array(action, { maxLength: 400 }), (actions) => {
        const queue = new EventQueue<QueuedEvent>();
        const all: QueuedEvent[] = [];
        let expected: QueuedEvent[] = [];
        for (const { do: what, value } of actions) {
          if (what === 'push') {
            const event = { timeMs: value, sequence: all.length, callback: () => undefined, isQueued: false };
            all.push(event);
            expected.push(event);
            queue.push(event);
          } else if (what === 'pop') {
            expected.sort((a, b) => a.timeMs - b.timeMs || a.sequence - b.sequence);
            assert.equal(queue.pop(), expected.shift());
          } else if (what === 'cancel') {
            const event = all[value];
            if (event === undefined) continue;
            queue.cancel(event);
            queue.cancel(event);
            expected = expected.filter((other) => other !== event);
          } else {
            queue.removeIf(({ timeMs }) => timeMs === value);
            expected = expected.filter(({ timeMs }) => timeMs !== value);
          }
          assert.equal(queue.size, expected.length);
        }
      }),
    );
  });
});
