import { link, mkdir, mkdtemp, open, rm, unlink } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import type { Figures } from '../harness.ts';
import { produceInProcess } from './load-process.ts';
import { createTopic, startFirnBroker } from './peer.ts';

const mb = 1e6;
const bytesPerSecond = 10 * mb;
const partitions = 64;
/** What the broker waits for company at most, over a store as fast as a disk (`SlotAssembler.lingerMs`). */
const lingerMs = 5;

/**
 * Acknowledgements over the file store on a real disk at 10 MB/s, against what no broker can do without: write, fsync, link
 * and fsync of the directory of as many bytes as a slot had, as often, right before and after.
 */
export async function fileAcknowledgements({ seconds }: { readonly seconds: number }): Promise<Figures> {
  const folder = await mkdtemp(path.join(os.tmpdir(), 'firn-bench-broker-'));
  try {
    const firn = await startFirnBroker({
      folder: path.join(folder, 'store'),
      logFile: path.join(folder, 'firn.log'),
      log: { minLingerMs: lingerMs, maxLingerMs: lingerMs },
    });
    const { host, port } = firn.peer;
    const topic = 'acknowledged';
    await createTopic(firn.peer, topic, partitions);
    const load = (loadSeconds: number): ReturnType<typeof produceInProcess> =>
      produceInProcess({
        host,
        port,
        topic,
        partitions,
        valueBytes: 1024,
        recordsPerBatch: 16,
        batchesPerRequest: 4,
        connections: 4,
        inFlight: 64,
        totalBytes: loadSeconds * bytesPerSecond,
        bytesPerSecond,
      });
    await load(Math.max(2, seconds / 4));
    const before = await firn.report();
    const half = seconds / 2;
    const rawLatenciesMs: number[] = [];
    const slotBytes = Math.round(before.slotBytes / before.slots);
    await rawWrites(folder, slotBytes, half, rawLatenciesMs);
    const { p50Ms, p99Ms } = await load(seconds);
    const after = await firn.report();
    await rawWrites(folder, slotBytes, half, rawLatenciesMs);
    await firn.process.stop();
    const sorted = rawLatenciesMs.toSorted((a, b) => a - b);
    const rawP99Ms = sorted[Math.floor(sorted.length * 0.99)] ?? NaN;
    return {
      ackP50Ms: p50Ms,
      ackP99Ms: p99Ms,
      lingerMs,
      slotKb: (after.slotBytes - before.slotBytes) / (after.slots - before.slots) / 1000,
      rawP50Ms: sorted[Math.floor(sorted.length / 2)] ?? NaN,
      rawP99Ms,
      ackVsRaw: (p99Ms - lingerMs) / rawP99Ms,
    };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function rawWrites(
  folder: string,
  sizeBytes: number,
  seconds: number,
  latenciesMs: number[],
): Promise<void> {
  const raw = path.join(folder, 'raw');
  await mkdir(raw, { recursive: true });
  const bytes = Buffer.alloc(sizeBytes, 'firn');
  const intervalMs = (sizeBytes / bytesPerSecond) * 1000;
  const beganMs = performance.now();
  for (let at = 0; at * intervalMs < seconds * 1000; at++) {
    const waitMs = beganMs + at * intervalMs - performance.now();
    if (waitMs > 0) await new Promise((resolve) => setTimeout(resolve, waitMs));
    const startedMs = performance.now();
    const file = await open(path.join(raw, 'new'), 'wx');
    await file.write(bytes);
    await file.sync();
    await link(path.join(raw, 'new'), path.join(raw, String(latenciesMs.length)));
    const directory = await open(raw);
    await directory.sync();
    latenciesMs.push(performance.now() - startedMs);
    await directory.close();
    await file.close();
    await unlink(path.join(raw, 'new'));
  }
}
