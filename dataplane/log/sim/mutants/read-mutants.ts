import type { Mutant } from './mutant.ts';

/** Rules of reading a log that others own (log.md 2.4). */
export const readMutants = {
  readPastFence: {
    breaks: 'a reader of an open run goes on after a FENCE',
    caughtBy: ['immutability', 'dense', 'readable log'],
    edits: [
      {
        file: 'log/read/wal-walk.ts',
        find: `        if (content.kind !== 'data') {\n`,
        replace: `        if (content.kind === 'ended' && run.to === undefined) {
          before = undefined;
          continue;
        }
        if (content.kind !== 'data') {
`,
      },
    ],
  },
  noOffsetCheck: {
    breaks: 'a reader does not check that a block begins at the expected offset',
    caughtBy: ['dense', 'immutability'],
    edits: [
      {
        file: 'log/read/wal-walk.ts',
        find: `  if (baseOffset > expected) {\n`,
        replace: `  if (baseOffset < 0) {\n`,
      },
    ],
  },
} as const satisfies Record<string, Mutant>;
