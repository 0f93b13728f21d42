import type { Mutant } from './mutant.ts';

/** Rules of hand-over, takeover and the manifest's compare-and-swap (log.md P1, P4). */
export const manifestMutants = {
  sealOnHandover: {
    breaks: 'a session that is not dead is fenced to get one of its groups',
    caughtBy: ['no needless death'],
    edits: [
      {
        file: 'log/acquire.ts',
        find: `      if (!(await isDead(request, open.sid))) return { kind: 'wait', ownerSid: open.sid };\n`,
        replace: ``,
      },
    ],
  },
  noSeal: {
    breaks: 'a takeover takes the first hole for the end and writes no FENCE there',
    caughtBy: ['durability', 'immutability'],
    edits: [
      {
        file: 'log/dead-session.ts',
        find: `      const seal = await this.#fence(await this.#firstHole(start), note);\n`,
        replace: `      const seal = await this.#firstHole(start);\n`,
      },
    ],
  },
  noTrimValidate: {
    breaks: 'the trim is not read again after the FENCE stands',
    caughtBy: ['durability', 'immutability'],
    edits: [
      {
        file: 'log/dead-session.ts',
        find: `      const trimAfter = await this.readTrim();\n`,
        replace: `      const trimAfter = trim;\n`,
      },
    ],
  },
  sealPastFence: {
    breaks: 'the search for the end of a session goes on after a FENCE that is there already',
    caughtBy: ['readable log', 'reference safety'],
    edits: [
      {
        file: 'log/dead-session.ts',
        find: `        if (content.kind === 'ended') return slot;\n`,
        replace: `        if (content.kind === 'ended') slot += 1;\n        if (content.kind === 'ended') continue;\n`,
      },
    ],
  },
  releaseInflight: {
    breaks: 'a release does not wait for the slots of the group that are under way',
    caughtBy: ['durability', 'immutability'],
    edits: [
      {
        file: 'log/release.ts',
        find: `  await drained(group, assembler);\n`,
        replace: ``,
      },
    ],
  },
  releaseUnflushed: {
    breaks: 'a release does not flush what was written after the first flush',
    caughtBy: ['durability', 'immutability'],
    edits: [
      {
        file: 'log/release.ts',
        find: `  await group.exclusive(async () => {
    await flushGroup(group, context);
`,
        replace: `  await group.exclusive(async () => {\n`,
      },
    ],
  },
  releaseAtNextSlot: {
    breaks: 'a release closes the run at the next slot instead of flushing the rest',
    caughtBy: ['durability', 'immutability', 'reference safety', 'readable log'],
    edits: [
      {
        file: 'log/release.ts',
        find: `  await group.exclusive(async () => {
    await flushGroup(group, context);
`,
        replace: `  await group.exclusive(async () => {\n`,
      },
      {
        file: 'log/release.ts',
        find: `      runs: manifest.runs.filter((run) => run.sid !== session.sid),\n`,
        replace: `      runs: manifest.runs.map((run) => (run.to === undefined ? { ...run, to: session.nextSlot } : run)),\n`,
      },
    ],
  },
  reAcquireForgotten: {
    breaks: 'nobody looks again at a group that was given back while it was being released',
    caughtBy: ['liveness'],
    edits: [
      { file: 'log/group-moves.ts', find: `      this.#returned(id);\n`, replace: `` },
      {
        file: 'log/group-moves.ts',
        find: `    if (this.#wanted !== undefined) this.reconcile(this.#wanted, this.#context.broker.id);\n`,
        replace: ``,
      },
    ],
  },
  casIgnoresVersion: {
    breaks: 'a manifest is swapped without the condition that it is still the one that was read',
    caughtBy: ['monotone manifest', 'one writer per epoch', 'durability'],
    edits: [
      {
        file: 'store/compare-and-swap.ts',
        find: `      : store.put(key, bytes, { ifMatch: expected, id, signal }),\n`,
        replace: `      : store.put(key, bytes, key.endsWith('/manifest') ? { id, signal } : { ifMatch: expected, id, signal }),\n`,
      },
    ],
  },
  assumeCasOk: {
    breaks: 'the swap of a manifest whose outcome is unknown counts as applied',
    // An owner that never was one flushes and cleans up: the real one then finds its log unreadable.
    caughtBy: ['durability', 'reference safety', 'no needless death', 'liveness', 'readable log'],
    edits: [
      {
        file: 'store/compare-and-swap.ts',
        find: `    const failure = put instanceof StoreError ? put : contradiction(store, key);\n`,
        replace: `    if (put instanceof StoreError && put.landed === 'maybe' && key.endsWith('/manifest')) return { kind: 'applied', etag: 'assumed', bytes };
    const failure = put instanceof StoreError ? put : contradiction(store, key);
`,
      },
    ],
  },
} as const satisfies Record<string, Mutant>;
