/** Framed Avro records into a Parquet file, against what JavaScript has for it. */
import { firnFigures, peerFigures } from './columnar/table-turns.ts';
import type { FirnCase } from './columnar/table-turns.ts';
import { defineBench, quotient } from './harness.ts';

const firnCases: Readonly<Record<string, FirnCase>> = {
  'firn, zstd 1': { compression: 'zstd', compressionLevel: 1, metadata: false },
  'firn, zstd 3': { compression: 'zstd', compressionLevel: 3, metadata: false },
  'firn, snappy': { compression: 'snappy', metadata: false },
  'firn, uncompressed': { compression: 'uncompressed', metadata: false },
  'firn, zstd 1, with _kafka': { compression: 'zstd', compressionLevel: 1, metadata: true },
};
const peer = 'avsc and @dsnp/parquetjs, snappy';

export const bench = defineBench({
  name: 'columnar',
  summary:
    'Avro records of 150 bytes into Parquet in memory: a row file on one thread, against avsc and @dsnp/parquetjs.',
  runs: { full: 5, quick: 2 },
  cases: [
    ...Object.entries(firnCases).map(([name, firn]) => ({
      name,
      measure: ({ quick }: { quick: boolean }) => firnFigures(firn, quick),
    })),
    { name: peer, measure: ({ quick }) => peerFigures(quick), maxRuns: 3 },
  ],
  ratios: [
    {
      name: 'rowsVsPeer',
      better: 'higher',
      target: 10,
      over: [quotient('kiloRowsPerCpuSecond', 'firn, zstd 1', peer)],
    },
    {
      name: 'rowsWithMetadataVsPeer',
      better: 'higher',
      target: 10,
      over: [quotient('kiloRowsPerCpuSecond', 'firn, zstd 1, with _kafka', peer)],
    },
  ],
});
