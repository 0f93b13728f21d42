import type { Mutant } from './mutant.ts';

/** Rules of writing and acknowledging slots (log.md P2, P3, P6). */
export const slotMutants = {
  ackOutOfOrder: {
    breaks: 'a slot is acknowledged as soon as it is durable itself, whatever became of lower ones',
    caughtBy: ['durability', 'immutability', 'offsets', 'prefix ack'],
    edits: [
      {
        file: 'log/session.ts',
        find: `    write.durable = true;\n`,
        replace: `    write.durable = true;\n    write.onDurable(write.slot);\n`,
      },
      { file: 'log/session.ts', find: `      next.onDurable(next.slot);\n`, replace: `` },
      {
        file: 'log/owned-partition.ts',
        find: `    invariant(block.entry.baseOffset === this.highWatermark, 'blocks are acknowledged in offset order');
    this.highWatermark = block.entry.lastOffset + 1;
`,
        replace: `    this.highWatermark = Math.max(this.highWatermark, block.entry.lastOffset + 1);\n`,
      },
    ],
  },
  ackPerPartition: {
    breaks: 'a block is acknowledged when the lower slots with blocks of its partition are durable',
    caughtBy: ['durability', 'immutability', 'offsets', 'prefix ack'],
    edits: [
      {
        file: 'log/session.ts',
        find: `    write.durable = true;\n`,
        replace: `    write.durable = true;\n    write.onDurable(write.slot);\n`,
      },
      { file: 'log/session.ts', find: `      next.onDurable(next.slot);\n`, replace: `` },
      {
        file: 'log/slot-assembler.ts',
        find: `      for (const { partition, block } of closed) partition.acknowledge(block);\n`,
        replace: `      for (const { partition, block } of closed) {
        block.isDurable = true;
        for (const other of [...partition.tail])
          if (other.isDurable && other.entry.baseOffset === partition.highWatermark) partition.acknowledge(other);
      }
`,
      },
    ],
  },
  '412AsOk': {
    breaks: 'a slot that was refused counts as durable, whoever wrote the object that is there',
    caughtBy: ['prefix ack'],
    edits: [
      {
        file: 'log/session.ts',
        find: `this.#resolve412(write)`,
        replace: `Promise.resolve(this.#durable(write))`,
      },
    ],
  },
  newBytesOnRetry: {
    breaks: 'a slot that is sent again is encoded again, with the time of the retry',
    caughtBy: ['readable log'],
    edits: [
      {
        file: 'log/session.ts',
        find: `    const write: SlotWrite = {\n`,
        replace: `    const again = () => encodeContainer({
      formatVersion: this.#formatVersion(),
      kind,
      sid: this.sid,
      slot,
      lastCheckpointSlot: this.lastCheckpointSlot,
      writerTimeMs: this.slotTimeMs() + 1,
      previousFooterHash,
      blocks,
      note,
    });
    const write: SlotWrite = {
      again,
`,
      },
      {
        file: 'log/session.ts',
        find: `    this.#lastFooterHash = encoded.footerHash;\n`,
        replace: `    const previousFooterHash = this.#lastFooterHash;\n    this.#lastFooterHash = encoded.footerHash;\n`,
      },
      {
        file: 'log/session.ts',
        find: `    const { key, id, encoded } = write;\n`,
        replace: `    const { key, id } = write;\n    const encoded = write.failures > 0 ? write.again() : write.encoded;\n`,
      },
    ],
  },
  skipSlot: {
    breaks:
      'after a failed attempt the blocks go into the next slot instead, and the failed one is forgotten',
    caughtBy: ['prefix ack', 'durability', 'dense', 'exactly once'],
    edits: [
      {
        file: 'log/session.ts',
        find: `    const write: SlotWrite = {\n`,
        replace: `    const write: SlotWrite = {\n      again: () => this.#issue(kind, blocks, note, timeMs, onDurable),\n`,
      },
      {
        file: 'log/session.ts',
        find: `if (!write.durable && this.#state === 'live') this.#attempt(write);`,
        replace: `if (write.durable || this.#state !== 'live') return;
        write.again();
        write.onDurable = () => undefined;
        this.#durable(write);`,
      },
    ],
  },
  surviveLostPartition: {
    breaks: 'who loses the CAS of a manifest drops that group alone, and goes on trimming',
    caughtBy: ['durability', 'immutability', 'dense', 'reference safety'],
    edits: [
      {
        file: 'log/owned-group.ts',
        find: `    this.session.die(\`group \${this.id} was taken over by \${describeOwner(lost.current)}\`);\n`,
        replace: `    this.abandon(this.session.deathReason);\n`,
      },
      {
        file: 'log/unflushed-records.ts',
        find: `  async flushDue(): Promise<void> {\n`,
        replace: `  async flushDue(): Promise<void> {
    for (const group of this.#groups.all())
      if (group.phase === 'gone' && this.#groups.remove(group)) this.forget(group);
`,
      },
    ],
  },
  confirmByOlderPut: {
    breaks: 'a slot whose first attempt began before the request confirms a read',
    caughtBy: ['offsets', 'exactly once'],
    edits: [
      {
        file: 'log/read-confirmation.ts',
        find: `    const firstSlotAfter = session.nextSlot;\n`,
        replace: `    const firstSlotAfter = session.durableEnd;\n`,
      },
    ],
  },
  confirmAboveHole: {
    breaks: 'a look at the next slot confirms a read although a lower slot is unresolved',
    caughtBy: ['offsets', 'exactly once'],
    edits: [
      {
        file: 'log/read-confirmation.ts',
        find: `      if (session.durableEnd < session.nextSlot) {
        await session.advance();
      } else if`,
        replace: `      if`,
      },
    ],
  },
  confirmBySweptSlot: {
    breaks: 'that an issued slot is not there confirms a read, though it may have been swept',
    caughtBy: ['offsets', 'exactly once'],
    edits: [
      {
        file: 'log/read-confirmation.ts',
        find: `      if (session.durableEnd < session.nextSlot) {
        await session.advance();
      } else if`,
        replace: `      if`,
      },
      {
        file: 'log/read-confirmation.ts',
        find: `this.#head(this.#session.nextSlot, failures)`,
        replace: `this.#head(this.#session.durableEnd, failures)`,
      },
    ],
  },
  refuseUnconfirmed: {
    breaks: 'a producer is told for good that its sequence is out of order, without a confirmation',
    caughtBy: ['exactly once'],
    edits: [
      {
        file: 'log/append-admission.ts',
        find: `        await this.#session.confirm();
        throw new LogError(verdict.code, verdict.message);
`,
        replace: `        throw new LogError(verdict.code, verdict.message);\n`,
      },
    ],
  },
} as const satisfies Record<string, Mutant>;
