import type { Mutant } from './mutant.ts';

/** Rules of the sweep of dead sessions (log.md 2.6). */
export const sweepMutants = {
  gcDeletesFence: {
    breaks: 'the sweep deletes FENCE and END objects too',
    caughtBy: ['durability', 'immutability'],
    edits: [
      {
        file: 'log/sweep.ts',
        find: `      if ((await context.wal.readSlot(sid, slot, signal)).kind === 'data')\n`,
        replace: ``,
      },
    ],
  },
  markThenList: {
    breaks: 'the sweep reads the manifests before it lists slots',
    caughtBy: ['reference safety', 'durability'],
    edits: [
      {
        file: 'log/sweep.ts',
        find: `  const withSlots = new Map<string, Candidates>();\n`,
        replace: `  const manifests = await readAllManifests(store, await environment.refreshCluster(), signal);
  const withSlots = new Map<string, Candidates>();
`,
      },
      {
        file: 'log/sweep.ts',
        find: `  if (candidates.size === 0) return { slots: 0, checkpoints: 0 };

  const manifests = await readAllManifests(store, await environment.refreshCluster(), signal);
`,
        replace: `  if (candidates.size === 0) return { slots: 0, checkpoints: 0 };\n`,
      },
    ],
  },
  gcOneManifest: {
    breaks: 'the sweep reads only one manifest of each topic',
    caughtBy: ['reference safety', 'durability'],
    edits: [
      {
        file: 'log/sweep.ts',
        find: `    groupsOf(topic),
  );`,
        replace: `    groupsOf(topic).slice(0, 1),
  );`,
      },
    ],
  },
  gcBeyondFence: {
    breaks: 'the sweep takes everything above a FENCE for garbage',
    caughtBy: ['reference safety', 'immutability'],
    edits: [
      {
        file: 'log/sweep.ts',
        find: `    const uncovered = found.slots.filter((slot) => !isCovered(manifests, sid, slot));\n`,
        replace: `    let fence = Infinity;
    for (const slot of found.slots) {
      if (fence === Infinity && (await context.wal.readSlot(sid, slot, signal)).kind === 'ended') fence = slot;
    }
    const uncovered = found.slots.filter((slot) => slot > fence || !isCovered(manifests, sid, slot));
`,
      },
    ],
  },
  sweepUnfenced: {
    breaks: 'the sweep deletes slots of a session that nobody has fenced yet',
    caughtBy: ['durability', 'immutability', 'liveness', 'reference safety'],
    edits: [
      {
        file: 'log/sweep.ts',
        find: `    await ensureFenced(environment, sid, slots);\n`,
        replace: ``,
      },
    ],
  },
} as const satisfies Record<string, Mutant>;
