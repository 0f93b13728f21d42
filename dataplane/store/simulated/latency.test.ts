import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { realRuntime } from '../../runtime/real-runtime.ts';
import { VirtualRandom } from '../../runtime/virtual-random.ts';
import { unmanagedHost } from './flight.ts';
import { drawLatencyMs, localLatencies } from './latency.ts';
import { latencyOnly, SimulatedStore } from './simulated-store.ts';
import { simulate, text, textOf } from './simulation-fixture.ts';

describe('simulated latencies', () => {
  it('have the median and the 99th percentile that were asked for', () => {
    const random = new VirtualRandom(1, 'latency');
    const drawn = Array.from({ length: 20_000 }, () => drawLatencyMs(random, { p50Ms: 30, p99Ms: 120 }));
    drawn.sort((a, b) => a - b);
    const [p50 = 0, p99 = 0] = [drawn[10_000], drawn[19_800]];
    assert.ok(Math.abs(p50 / 30 - 1) < 0.03, `p50 ${p50}`);
    assert.ok(Math.abs(p99 / 120 - 1) < 0.08, `p99 ${p99}`);
    assert.equal(drawLatencyMs(random, { p50Ms: 5, p99Ms: 5 }), 5);
  });

  it('pass between the call and its answer, with the time for the bytes in either direction', async () => {
    const fixed = { p50Ms: 10, p99Ms: 10 };
    const moving = { ...fixed, bytesPerMs: 1000 };
    const latencies = { put: moving, get: moving, head: fixed, list: fixed, delete: fixed };
    const { time, store } = simulate({ latencies, ...latencyOnly });
    await time.drive(async () => {
      const takes = async (call: () => Promise<unknown>): Promise<number> => {
        const startMs = time.nowMs;
        await call();
        return Math.round(time.nowMs - startMs);
      };
      assert.equal(await takes(() => store.put('k', new Uint8Array(50_000))), 60);
      assert.equal(await takes(() => store.get('k')), 60);
      assert.equal(await takes(() => store.get('k', { range: { suffix: 5000 } })), 15);
      assert.equal(await takes(() => store.head('k')), 10);
      const streaming = await store.getStream('k');
      assert.ok(streaming.kind === 'found');
      assert.equal(
        await takes(async () => {
          for await (const piece of streaming.body) assert.ok(piece.byteLength > 0);
        }),
        50,
      );
    });
  });

  it('grow for everybody who uses a slow key', async () => {
    const fixed = { p50Ms: 10, p99Ms: 10 };
    const latencies = { put: fixed, get: fixed, head: fixed, list: fixed, delete: fixed };
    const { time, server, store } = simulate({ latencies });
    server.setFaults({ slowKeys: { chance: 1, lastsMs: 1e9, factor: 10 } });
    await time.drive(async () => {
      await store.head('slow');
      server.setFaults({});
      assert.equal(Math.round(time.nowMs), 100);
    });
    assert.equal(server.counters.slowRequests, 1);
  });

  it('pass in real time on the real runtime', async () => {
    const server = new SimulatedStore({
      environment: realRuntime,
      seed: 1,
      latencies: { ...localLatencies, put: { p50Ms: 50, p99Ms: 50 } },
      ...latencyOnly,
    });
    const store = server.connect(unmanagedHost('bench', realRuntime));
    const startMs = performance.now();
    await store.put('k', [text('ab'), text('cd')], { ifAbsent: true, id: 'i', crc32c: 0 });
    assert.ok(performance.now() - startMs >= 40);
    const found = await store.get('k');
    assert.ok(found.kind === 'found' && textOf(found.body) === 'abcd');
  });
});
