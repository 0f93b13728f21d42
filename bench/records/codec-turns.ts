import zlib from 'node:zlib';
import { lz4Compress, lz4Decompress, snappyCompress, snappyDecompress } from '@platformatic/wasm-utils';
import { batchOverheadBytes } from '../../dataplane/protocol/record-batch.ts';
import { buildBatch } from '../../dataplane/protocol/record-batch-builder.ts';
import { compress } from '../../dataplane/protocol/compression/compress.ts';
import { decompress } from '../../dataplane/protocol/compression/decompress.ts';
import type { Figures } from '../harness.ts';
import { sampleRecords } from './sample-records.ts';

export const mib = 1024 * 1024;
const noLimit = 2 ** 30;

export type RealCodec = 'gzip' | 'snappy' | 'lz4' | 'zstd';

/** What others use: the WebAssembly of @platformatic/kafka, which kafkajs users plug in too; zlib as it comes with Node.js. */
const peers: Readonly<Record<RealCodec, Peer>> = {
  gzip: { compress: (data) => zlib.gzipSync(data), decompress: (bytes) => zlib.gunzipSync(bytes) },
  snappy: { compress: snappyCompress, decompress: snappyDecompress },
  lz4: { compress: lz4Compress, decompress: lz4Decompress },
  zstd: {
    compress: (data) => zlib.zstdCompressSync(data),
    decompress: (bytes) => zlib.zstdDecompressSync(bytes),
  },
};

interface Peer {
  compress(data: Buffer): Buffer;
  decompress(bytes: Buffer): Buffer;
}

/** Both take the same data in turns; each reads what it wrote itself, so that framing counts. */
export function codecAgainstPeer(codec: RealCodec, batchBytes: number, quick: boolean): Figures {
  const peer = peers[codec];
  const records = sampleRecords(Math.max(1, Math.floor(batchBytes / 1100)), 1000);
  const data = buildBatch({ records }).subarray(batchOverheadBytes);
  const ours = Buffer.from(compress(codec, data));
  const theirs = peer.compress(data);
  if (!data.equals(decompress(codec, ours, noLimit)) || !data.equals(peer.decompress(theirs)))
    throw new Error(`${codec} does not give back what it was given`);

  const [firnDecompress, peerDecompress] = inTurns(quick, data.length, [
    () => decompress(codec, ours, noLimit),
    () => peer.decompress(theirs),
  ]);
  const [firnCompress, peerCompress] = inTurns(quick, data.length, [
    () => compress(codec, data),
    () => peer.compress(data),
  ]);
  return {
    firnDecompressMibPerCpuSecond: firnDecompress,
    peerDecompressMibPerCpuSecond: peerDecompress,
    firnCompressMibPerCpuSecond: firnCompress,
    peerCompressMibPerCpuSecond: peerCompress,
    compressedTo: ours.length / data.length,
  };
}

/**
 * MiB per second of this process's CPU time, of each: the best of some turns, since whatever else runs on the machine only
 * makes them slower.
 */
export function inTurns(
  quick: boolean,
  bytes: number,
  works: readonly [() => unknown, () => unknown],
): [number, number] {
  const turns = quick ? 5 : 12;
  const repeats = Math.max(1, Math.ceil((quick ? 8 : 24) * (mib / bytes)));
  const best: [number, number] = [0, 0];
  for (let turn = -1; turn < turns; turn++) {
    for (const which of [0, 1] as const) {
      const start = process.cpuUsage();
      for (let i = 0; i < repeats; i++) works[which]();
      // The first turn is to warm up.
      if (turn >= 0) best[which] = Math.max(best[which], (bytes * repeats) / mib / cpuSeconds(start));
    }
  }
  return best;
}

export function cpuSeconds(start: NodeJS.CpuUsage): number {
  const { user, system } = process.cpuUsage(start);
  return (user + system) / 1e6;
}
