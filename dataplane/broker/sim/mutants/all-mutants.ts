import type { Edit } from '../../../log/sim/mutants/mutant.ts';
import type { Invariant } from '../violation.ts';

/** The production code with one promise to clients broken. The simulation has to find it. */
export interface BrokerMutant {
  readonly breaks: string;
  /** What may show it; more than one when the first thing that goes wrong depends on the seed. */
  readonly caughtBy: readonly Invariant[];
  readonly edits: readonly Edit[];
}

export const brokerMutants = {
  duplicateAtZero: {
    breaks:
      'a duplicate is answered with offset 0 instead of its first offset (Bufstream: spurious zero offsets)',
    caughtBy: ['immutability', 'exactly once'],
    edits: [
      {
        file: 'log/append-admission.ts',
        find: '      append.resolve({\n        baseOffset,',
        replace: '      append.resolve({\n        baseOffset: 0,',
      },
    ],
  },
  duplicateUnwaited: {
    breaks: 'a duplicate is acknowledged before the first copy is durable',
    caughtBy: ['durability', 'immutability', 'exactly once', 'dense offsets', 'order', 'liveness'],
    edits: [
      { file: 'log/append-admission.ts', find: '      await partition.durable(lastOffset);\n', replace: '' },
    ],
  },
  readsAboveHighWatermark: {
    breaks: 'fetches return records that are not durable yet',
    caughtBy: ['immutability', 'exactly once', 'durability', 'valid positions'],
    edits: [
      {
        file: 'log/read/partition-reader.ts',
        find: '    const end = partition.highWatermark;',
        replace: '    const end = partition.nextOffset;',
      },
      {
        file: 'broker/fetch/fetch-source.ts',
        find: "    if (offset !== this.highWatermark) return 'records';",
        replace: "    if (offset !== this.#served.partition.nextOffset) return 'records';",
      },
    ],
  },
  answersOutOfOrder: {
    breaks: 'answers go out when they are ready, not in the order of the requests',
    caughtBy: ['answers'],
    edits: [
      {
        file: 'broker/net/kafka-connection.ts',
        find: '    if (this.#pending[0] === pending) this.#sendFinished();',
        replace:
          '    this.#pending.splice(this.#pending.indexOf(pending), 1);\n    this.#pending.unshift(pending);\n    this.#sendFinished();',
      },
    ],
  },
  zoneReaderSkipsAtMoves: {
    breaks: 'who reads for a zone takes what the next owner wrote for what comes next, whatever lies between',
    caughtBy: ['dense offsets', 'immutability', 'liveness'],
    edits: [
      {
        file: 'log/read/wal-walk.ts',
        find: '  if (baseOffset > expected) {',
        replace: '  if (baseOffset > expected + 1_000_000) {',
      },
    ],
  },
  memoryReusedEarly: {
    breaks: 'memory of records is used again before the answer they are part of has gone out',
    caughtBy: ['answers', 'immutability', 'dense offsets', 'exactly once', 'valid positions', 'liveness'],
    edits: [
      {
        file: 'broker/request-dispatcher.ts',
        find: '        afterwards.push(callback);',
        replace: '        callback();',
      },
    ],
  },
  accusedStaysSilent: {
    breaks: 'an accused broker does not refute, though it reaches the store',
    caughtBy: ['no needless death'],
    edits: [
      {
        file: 'cluster/decide-suspicion.ts',
        find: "  if ((state.suspicions.get(self.id)?.accusations.length ?? 0) > 0) actions.push({ kind: 'refute' });\n",
        replace: '',
      },
    ],
  },
  refutationForgotten: {
    breaks: 'a refutation does not cancel the accusations it answers',
    caughtBy: ['no needless death'],
    edits: [
      {
        file: 'cluster/suspicion-changes.ts',
        find: '    accusations: [],\n    refutations:',
        replace: '    accusations: before.accusations,\n    refutations:',
      },
    ],
  },
  commitsUnwaited: {
    breaks: 'offset commits are acknowledged before they are durable',
    caughtBy: ['committed offsets'],
    edits: [
      {
        file: 'broker/groups/coordinator-shard.ts',
        find: '    if (durable === undefined) operation.giveAnswers();',
        replace: '    if (durable !== null) operation.giveAnswers();',
      },
    ],
  },
  offsetsUnconfirmed: {
    breaks: 'a coordinator that was replaced without knowing it answers offset fetches from its memory',
    caughtBy: ['committed offsets'],
    edits: [
      {
        file: 'broker/groups/coordinator-shard.ts',
        find: 'await Promise.all([durable, this.#confirm()]);',
        replace: 'await durable;',
      },
    ],
  },
  endsUnconfirmed: {
    breaks: 'a broker that was replaced without knowing it tells log ends from its memory',
    caughtBy: ['durability', 'committed offsets'],
    edits: [
      {
        file: 'log/broker-log.ts',
        find: '    await served.group.confirm();\n    return served.partition.highWatermark;',
        replace: '    return served.partition.highWatermark;',
      },
    ],
  },
  staleGenerations: {
    breaks: 'members commit whatever generation they are of',
    caughtBy: ['committed offsets'],
    edits: [
      {
        file: 'broker/groups/offsets/offset-commit.ts',
        find: '    requireGeneration(group, generationIdOrMemberEpoch);\n',
        replace: '',
      },
    ],
  },
  snapshotForgetsOffsets: {
    breaks: 'what came before a snapshot is deleted, and the snapshot lacks the offsets',
    caughtBy: ['committed offsets'],
    edits: [
      {
        file: 'broker/groups/snapshot.ts',
        find: '  for (const groupId of offsets.groupIds()) {',
        replace: '  for (const groupId of [...offsets.groupIds()].slice(1)) {',
      },
    ],
  },
  answersWhileLoading: {
    breaks: 'a coordinator answers before its state is complete (Redpanda #5090)',
    caughtBy: ['committed offsets', 'answers', 'one owner'],
    edits: [
      {
        file: 'broker/groups/coordinator-shard.ts',
        find: "    if (this.#phase === 'active') return;\n    if (this.#phase === 'closed')",
        replace: "    if (this.#phase !== 'closed') return;\n    if (this.#phase === 'closed')",
      },
    ],
  },
  fetchSkipsBatch: {
    breaks: 'a fetch at an offset inside a batch begins with the next batch (Tansu)',
    caughtBy: ['dense offsets', 'liveness'],
    edits: [
      {
        file: 'log/read/batch-collector.ts',
        find: '        if (batch.lastOffset < this.nextOffset) {',
        replace:
          '        if (batch.baseOffset < this.nextOffset) {\n          this.nextOffset = Math.max(this.nextOffset, batch.lastOffset + 1);',
      },
    ],
  },
  sessionForgetsChanges: {
    breaks: 'a fetch session keeps the offsets it began with',
    caughtBy: ['liveness'],
    edits: [
      {
        file: 'broker/fetch/fetch-session.ts',
        find: '      known.fetchOffset = wanted.fetchOffset;\n',
        replace: '',
      },
    ],
  },
} as const satisfies Readonly<Record<string, BrokerMutant>>;
