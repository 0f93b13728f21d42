import type { Mutant } from './mutant.ts';

/** Rules of the sweep of dead sessions (log.md 2.6). */
export const sweepMutants = {
  gcDeletesFence: {
    breaks: 'the sweep deletes FENCE and END objects too',
    caughtBy: ['durability', 'immutability', 'readable log'],
    edits: [
      {
        file: 'log/session-remains.ts',
        find: `      if (kind === 'data') data.push(slot);\n`,
        replace: `      if (kind === 'data' || kind === 'ended') data.push(slot);\n`,
      },
    ],
  },
  markThenList: {
    breaks: 'the sweep reads the manifests before it lists slots: when the round before began',
    caughtBy: ['reference safety', 'durability'],
    edits: [
      {
        file: 'log/sweep.ts',
        find: `    const found: SessionRemains[] = [];\n`,
        replace: `    const found: SessionRemains[] = [];
    const before = await environment.refreshCluster();
    this.early = this.next;
    this.next = [];
    for (const topic of [...before.topics.values(), ...before.deletedTopics.values()]) {
      for (const { id } of groupsOf(topic)) {
        const key = manifestKey(id);
        const object = await this.#context.store.get(key, { signal });
        if (object.kind === 'found') this.next.push([decodeManifest(object.body, key), object.info.etag]);
      }
    }
`,
      },
      {
        file: 'log/sweep.ts',
        find: `      for (const { see } of surveys) see(manifest, found.info.etag);\n`,
        replace: ``,
      },
      {
        file: 'log/sweep.ts',
        find: `    for (const { surveyed } of surveys) surveyed();\n`,
        replace: `    for (const [manifest, etag] of this.early ?? this.next) for (const { see } of surveys) see(manifest, etag);
    for (const { surveyed } of surveys) surveyed();
`,
      },
    ],
  },
  gcOneManifest: {
    breaks: 'the sweep reads only one manifest of each topic',
    caughtBy: ['reference safety', 'durability'],
    edits: [
      {
        file: 'log/sweep.ts',
        find: `    const groups = [...state.topics.values(), ...state.deletedTopics.values()].flatMap((topic) =>
      groupsOf(topic),
    );
`,
        replace: `    const groups = [...state.topics.values(), ...state.deletedTopics.values()].flatMap((topic) =>
      groupsOf(topic).slice(0, 1),
    );
`,
      },
    ],
  },
  gcBeyondFence: {
    breaks: 'the sweep takes everything above a FENCE for garbage',
    caughtBy: ['reference safety', 'immutability', 'durability'],
    edits: [
      {
        file: 'log/session-remains.ts',
        find: `    this.#data = found.data;\n`,
        replace: `    this.#data = found.data;\n    this.fence = Math.min(...found.ended);\n`,
      },
      {
        file: 'log/session-remains.ts',
        find: `    const covered = this.#data.filter((slot) => isCovered(runs, slot));
    const slots = this.#data.filter((slot) => !isCovered(runs, slot));
`,
        replace: `    const covered = this.#data.filter((slot) => slot <= this.fence && isCovered(runs, slot));
    const slots = this.#data.filter((slot) => slot > this.fence || !isCovered(runs, slot));
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
        find: `        await remains.ensureFenced(environment.deadSession(remains.sid), environment.fencer);\n`,
        replace: ``,
      },
    ],
  },
  sweepFencedAtHole: {
    breaks:
      'a fence anywhere in a dead session is enough for the sweep, though it may lie below the last slots',
    caughtBy: ['durability', 'immutability', 'liveness', 'reference safety'],
    edits: [
      {
        file: 'log/session-remains.ts',
        find: `isEnd: found.ended.includes(slot) };\n`,
        replace: `isEnd: found.ended.length > 0 };\n`,
      },
    ],
  },
} as const satisfies Record<string, Mutant>;
