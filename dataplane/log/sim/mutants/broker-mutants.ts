import type { Mutant } from './mutant.ts';

/** Rules of memory, of groups on their way out, of planned leaves and of retention (log.md P4, 2.6). */
export const brokerMutants = {
  flushForgetsRest: {
    breaks: 'after a flush nothing is counted as unflushed, though records were not durable when it began',
    caughtBy: ['liveness'],
    edits: [
      {
        file: 'log/unflushed-records.ts',
        find: `      this.#recount(group, flushedBytes > 0 ? beganMs : sinceMs);\n`,
        replace: `      this.#pending.delete(group.id);\n`,
      },
    ],
  },
  confirmWhileReleasing: {
    breaks: 'a session that is not fenced confirms reads of a group whose release is under way',
    caughtBy: ['offsets'],
    edits: [
      {
        file: 'log/owned-group.ts',
        find: `    if (this.phase !== 'serving') await this.exclusive(() => Promise.resolve());\n`,
        replace: ``,
      },
    ],
  },
  acquireWhileDraining: {
    breaks: 'a broker that leaves takes groups back that are given to it',
    caughtBy: ['liveness', 'planned leave'],
    edits: [
      {
        file: 'log/group-moves.ts',
        find: `    if (this.#draining) return;
    if (assigned === undefined`,
        replace: `    if (assigned === undefined`,
      },
      { file: 'log/group-moves.ts', find: `        if (this.#draining) return;\n`, replace: `` },
    ],
  },
  leaveWhileAcquiring: {
    breaks: 'a broker that leaves does not wait for acquisitions that are under way',
    caughtBy: ['planned leave', 'durability', 'immutability'],
    edits: [
      {
        file: 'log/group-moves.ts',
        find: `    } while (await this.#isMoving());\n`,
        replace: `      if (this.#draining) return;
    } while (await this.#isMoving());
`,
      },
    ],
  },
  leaveFailsFenced: {
    breaks: 'a leave fails when the session is fenced while it writes END',
    caughtBy: ['planned leave'],
    edits: [
      {
        file: 'log/log-session.ts',
        find: `        if (this.session.live) throw error;\n`,
        replace: `        throw error;\n`,
      },
    ],
  },
  forgetOpenBlocks: {
    breaks: 'what is in open blocks of a group that goes counts as held for ever',
    caughtBy: ['liveness', 'back-pressure'],
    edits: [
      {
        file: 'log/unflushed-records.ts',
        find: `      bytes += partition.dropOpenBlocks() + dropTail(partition);\n`,
        replace: `      bytes += dropTail(partition);\n`,
      },
    ],
  },
  retentionByUnacknowledged: {
    breaks: 'retention.bytes counts records that are not acknowledged and may never be',
    caughtBy: ['retention'],
    edits: [
      {
        file: 'log/retention.ts',
        find: `!flushed && entry.lastOffset < highWatermark`,
        replace: `!flushed`,
      },
    ],
  },
  alarmUnconfirmed: {
    breaks: 'a page that is missing is taken for damage without a confirmation that the group is still ours',
    caughtBy: ['readable log'],
    edits: [{ file: 'log/manifest-pages.ts', find: `    await group.session.confirm();\n`, replace: `` }],
  },
  admitWhenGone: {
    breaks: 'a group that has been handed over is removed a little later, and takes records until then',
    caughtBy: ['durability', 'immutability'],
    edits: [
      {
        file: 'log/append-admission.ts',
        find: `served === undefined || served.group.phase === 'gone'`,
        replace: `served === undefined`,
      },
      // As it is nothing comes between the two steps: no event, and no piece of work that one has set off.
      {
        file: 'log/group-moves.ts',
        find: `releaseGroup(group, this.#assembler, this.#context));
      this.#forget(group);
`,
        replace: `releaseGroup(group, this.#assembler, this.#context));
      await sleep(this.#context.runtime, 10);
      this.#forget(group);
`,
      },
    ],
  },
} as const satisfies Record<string, Mutant>;
