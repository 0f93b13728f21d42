/**
 * Record batches: the codecs against those of other clients, building and reading against @platformatic/kafka and kafkajs,
 * and what it costs a broker to check what producers send. Records of JSON of 1,000 bytes unless the case says otherwise.
 */
import { defineBench } from './harness.ts';
import type { RatioCase } from './harness.ts';
import { batchAgainstPeer, kafkajsBuild, validation } from './records/batch-turns.ts';
import { codecAgainstPeer, type RealCodec } from './records/codec-turns.ts';

const codecs: readonly RealCodec[] = ['gzip', 'snappy', 'lz4', 'zstd'];
const sizes = { '16 KiB': 16 * 1024, '512 KiB': 512 * 1024 } as const;

/** Snappy and LZ4 are decoded in JavaScript, since the WebAssembly loses memory to every damaged batch. */
const decompressTargets: Readonly<Record<RealCodec, number>> = {
  gzip: 0.8,
  snappy: 1,
  lz4: 1.5,
  zstd: 0.9,
};

export const bench = defineBench({
  name: 'records',
  summary:
    'Record batches: codecs against WebAssembly (snappy, lz4) and zlib, building and reading against other clients, validation by a broker.',

  cases: [
    ...codecs.flatMap((codec) =>
      Object.entries(sizes).map(([size, bytes]) => ({
        name: `${codec} ${size}`,
        measure: ({ quick }: { quick: boolean }) => Promise.resolve(codecAgainstPeer(codec, bytes, quick)),
      })),
    ),
    { name: 'batch of 1 KB records', measure: ({ quick }) => Promise.resolve(batchAgainstPeer(1000, quick)) },
    { name: 'batch of 100 B records', measure: ({ quick }) => Promise.resolve(batchAgainstPeer(100, quick)) },
    { name: 'kafkajs, 1 KB records', measure: ({ quick }) => kafkajsBuild(1000, quick) },
    ...(['none', ...codecs] as const).map((codec) => ({
      name: `validate 1 KB, ${codec}`,
      measure: ({ quick }: { quick: boolean }) => Promise.resolve(validation(codec, 1000, 0, quick)),
    })),
    {
      name: 'validate 100 B, none',
      measure: ({ quick }) => Promise.resolve(validation('none', 100, 0, quick)),
    },
    {
      name: 'validate 100 B, 4 headers',
      measure: ({ quick }) => Promise.resolve(validation('none', 100, 4, quick)),
    },
  ],

  ratios: [
    ...codecs.flatMap((codec) => [
      {
        name: `${codec}Decompress`,
        better: 'higher' as const,
        target: decompressTargets[codec],
        over: Object.keys(sizes).map((size) => overPeer(`${codec} ${size}`, 'Decompress')),
      },
      {
        name: `${codec}Compress`,
        better: 'higher' as const,
        target: 0.8,
        over: Object.keys(sizes).map((size) => overPeer(`${codec} ${size}`, 'Compress')),
      },
    ]),
    {
      name: 'buildVsPlatformatic',
      better: 'higher',
      target: 1,
      over: ['batch of 1 KB records', 'batch of 100 B records'].map((name) => overPeer(name, 'Build')),
    },
    {
      name: 'readVsPlatformatic',
      better: 'higher',
      target: 1,
      over: ['batch of 1 KB records', 'batch of 100 B records'].map((name) => overPeer(name, 'Read')),
    },
    {
      name: 'buildVsKafkajs',
      better: 'higher',
      target: 1,
      over: [
        {
          name: '1 KB records',
          ratio: (run) =>
            run('batch of 1 KB records', 'firnBuildMibPerCpuSecond') /
            run('kafkajs, 1 KB records', 'buildMibPerCpuSecond'),
        },
      ],
    },
  ],
});

function overPeer(name: string, work: 'Decompress' | 'Compress' | 'Build' | 'Read'): RatioCase {
  return {
    name,
    ratio: (run) => run(name, `firn${work}MibPerCpuSecond`) / run(name, `peer${work}MibPerCpuSecond`),
  };
}
