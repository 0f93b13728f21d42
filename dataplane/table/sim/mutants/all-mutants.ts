import type { Edit } from '../../../log/sim/mutants/mutant.ts';
import type { Invariant } from '../violation.ts';

/** The production code with one rule of tables.md §7 broken. The simulation has to find it. */
export interface TableMutant {
  readonly breaks: string;
  /** What may show it; more than one when the first thing that goes wrong depends on the seed. */
  readonly caughtBy: readonly Invariant[];
  readonly edits: readonly Edit[];
}

const rows: readonly Invariant[] = ['no duplicates', 'no gaps', 'offsets', 'monotone tag', 'content'];

export const tableMutants = {
  noClaim: {
    breaks: 'a coordinator commits without having put an empty snapshot with its epoch on top',
    caughtBy: ['fencing', 'reference safety'],
    edits: [
      {
        file: 'table/coordinator.ts',
        find: 'const result = await commitSnapshot(this.#commits, opened, [], summary);',
        replace: "const result = { kind: 'applied', table: opened, garbage: [] };",
      },
    ],
  },
  rebaseBlind: {
    breaks: 'a commit that was refused is put on whatever the table has become (as `AppendFiles` does)',
    caughtBy: [...rows, 'fencing', 'no revival'],
    edits: [
      {
        file: 'table/table-commit.ts',
        find: 'const verdict = judge(table.metadata, {',
        replace: "const verdict = ((..._: unknown[]) => 'unchanged')(table.metadata, {",
      },
    ],
  },
  deleteOnUnknown: {
    breaks: 'files are deleted when the outcome of their commit is not known',
    caughtBy: ['reference safety'],
    edits: [
      {
        file: 'table/table-commit.ts',
        find: "      crashPoint('coordinator.unknown');\n      return;",
        replace: "      crashPoint('coordinator.unknown');\n      throw error;",
      },
      {
        file: 'table/coordinator.ts',
        find: '      ...current.others,\n      ...encoded,\n    });',
        replace:
          '      ...current.others,\n      ...encoded,\n    }).catch(async (error) => {\n' +
          "      if (error.code === 'UNKNOWN_OUTCOME')\n" +
          '        await this.#context.files.delete(files.map(({ path }) => path), this.#state.signal);\n' +
          '      throw error;\n    });',
      },
    ],
  },
  assumeApplied: {
    breaks: 'a commit whose outcome is not known counts as applied',
    caughtBy: [...rows, 'reference safety'],
    edits: [
      {
        file: 'table/table-commit.ts',
        find: '      await heard(context, error);\n',
        replace:
          "      if (error.code === 'UNKNOWN_OUTCOME') return { kind: 'applied', table, garbage: [] };\n" +
          '      await heard(context, error);\n',
      },
    ],
  },
  summaryFromMainOnly: {
    breaks: 'how far the topic has come is read from main, which others write to as well, not from the tag',
    caughtBy: rows,
    edits: [
      {
        file: 'table/coordinator.ts',
        find: 'const before = snapshot?.summary;',
        replace:
          'const main = metadata.snapshots.find(({ snapshotId }) => snapshotId === metadata.currentSnapshotId);\n' +
          "    const before = main?.summary['firn.epoch'] === undefined ? undefined : main.summary;",
      },
    ],
  },
  noEpochCheck: {
    breaks: 'a coordinator that was replaced claims the table back',
    caughtBy: ['monotone tag', 'fencing'],
    edits: [
      {
        file: 'table/table-verdict.ts',
        find: '  if (head.epoch > epoch) {',
        replace: '  if (head.epoch > Infinity) {',
      },
      {
        file: 'table/coordinator.ts',
        find: '    if (epoch <= this.#context.epoch) return;',
        replace: '    return;',
      },
      {
        file: 'table/local-table-workers.ts',
        find: '    if (epoch < known) return',
        replace: '    if (epoch < -1) return',
      },
    ],
  },
  noTagRequirement: {
    breaks: 'commits assert main alone, not the tag',
    caughtBy: ['no revival', ...rows],
    edits: [
      {
        file: 'iceberg/append.ts',
        find: "      { type: 'assert-ref-snapshot-id', ref: ingestTag, snapshotId: expected.ingest },\n",
        replace: '',
      },
    ],
  },
  claimForgetsOffsets: {
    breaks: 'a claim does not repeat the offsets of the summary before',
    caughtBy: rows,
    edits: [
      {
        file: 'table/coordinator.ts',
        find: ': claimSummary(before, epoch);',
        replace: ": { ...claimSummary(before, epoch), 'firn.offsets': '{}' };",
      },
    ],
  },
  commitBeyondGap: {
    breaks: 'files are committed although the range before them is missing',
    caughtBy: rows,
    edits: [
      {
        file: 'table/commit-plan.ts',
        find: 'if (from === next && to > from) {',
        replace: 'if (from >= next && to > from) {',
      },
      {
        file: 'table/partition-worker.ts',
        find: '    else this.#waiting = left;\n',
        replace: '    else this.#waiting = left.slice(1);\n',
      },
    ],
  },
  staleRangesCommitted: {
    breaks: 'a range that is in the table is committed again, from the file of another worker',
    caughtBy: rows,
    edits: [
      {
        file: 'table/commit-plan.ts',
        find: 'if (from === next && to > from) {',
        replace: 'if (from <= next && to > from) {',
      },
      {
        file: 'table/partition-worker.ts',
        find: '    const left = this.#waiting.filter(({ to }) => to > offset);\n',
        replace: '    const left = this.#waiting;\n    if (left.length > 0) return;\n',
      },
    ],
  },
  filePutUnawaited: {
    breaks: 'a file waits for its commit before it is certain that it is in the store',
    caughtBy: ['reference safety'],
    edits: [
      {
        file: 'table/finish-data-file.ts',
        find: 'const isWritten = await files.create(path, pieces, signal);',
        replace: 'const isWritten = true;\n    files.create(path, pieces, signal).catch(() => undefined);',
      },
    ],
  },
  skipBadRecord: {
    breaks: 'a record that cannot become a row is passed over',
    caughtBy: ['no gaps'],
    edits: [
      {
        file: 'table/row-file-writers.ts',
        find: '      if (appender === undefined) {\n',
        replace:
          '      if (id < 0) {\n        next = runEnd;\n        continue;\n      }\n      if (appender === undefined) {\n',
      },
    ],
  },
  partialRowStays: {
    breaks: 'what was put into columns for a record that turned out to be none stays there',
    caughtBy: ['content', 'no gaps', 'no duplicates', 'offsets'],
    edits: [
      {
        file: 'columnar/avro/avro-row-appender.ts',
        find: '      if (problem !== undefined) rows.truncate(row + added);\n',
        replace: '',
      },
      {
        file: 'table/row-file-writers.ts',
        find: '      next = reached;\n',
        replace:
          '      next = problem === undefined ? reached : reached + 1;\n      if (problem !== undefined) stop = undefined;\n',
      },
    ],
  },
  rollbackIgnored: {
    breaks: 'nobody looks whether main still contains what was ingested last',
    caughtBy: ['no revival', ...rows],
    edits: [
      {
        file: 'table/table-verdict.ts',
        find: '    if (snapshot.sequenceNumber <= wanted.sequenceNumber) throw rolledBack(tag, name);\n',
        replace: '    if (snapshot.sequenceNumber <= wanted.sequenceNumber) return;\n',
      },
    ],
  },
  recreateDropped: {
    breaks: 'a table that is gone is created again, and filled from the first record on',
    caughtBy: ['no revival', ...rows],
    edits: [
      {
        file: 'table/table-opening.ts',
        find: '    if (registered !== undefined) throw dropped(name);\n',
        replace: '',
      },
      {
        file: 'table/table-opening.ts',
        find: '  if (metadata.tableUuid !== registeredUuid) {',
        replace: '  if (metadata.tableUuid === registeredUuid && metadata.tableUuid.length === 0) {',
      },
    ],
  },
  winnerDeleted: {
    breaks:
      'when a commit is applied, the manifests of all its attempts are deleted, not only those that lost',
    caughtBy: ['reference safety'],
    edits: [
      {
        file: 'table/table-commit.ts',
        find: '  const kept = new Set(applied === undefined ? [] : attempts.get(applied));',
        replace: '  const kept = new Set(applied === undefined ? attempts.keys() : []);',
      },
    ],
  },
} as const satisfies Readonly<Record<string, TableMutant>>;
