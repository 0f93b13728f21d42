import { fileURLToPath } from 'node:url';
import { markDead } from '../../dataplane/cluster/broker-changes.ts';
import { groupOf } from '../../dataplane/cluster/partition-groups.ts';
import { createTopic } from '../../dataplane/cluster/topic-changes.ts';
import type { ClusterState } from '../../dataplane/cluster/cluster-state.ts';
import type { ChangeRefused } from '../../dataplane/cluster/change-refused.ts';
import { BrokerLog } from '../../dataplane/log/broker-log.ts';
import { LogError } from '../../dataplane/log/errors.ts';
import { realRuntime } from '../../dataplane/runtime/real-runtime.ts';
import { StoreError } from '../../dataplane/store/errors.ts';
import { openFileStore } from '../../dataplane/store/file/open-file-store.ts';
import { realFileSystem } from '../../dataplane/store/file/real-file-system.ts';
import { wrapFileSystem } from '../../dataplane/store/file/wrapped-file-system.ts';
import type { ObjectStore } from '../../dataplane/store/object-store.ts';
import { openStore } from '../../dataplane/store/open.ts';
import type { Answer, BrokerSettings, Call, OperationName, Operations, Report } from './broker-protocol.ts';
import { countNames } from './broker-protocol.ts';

type Handlers = {
  readonly [K in OperationName]: (request: Operations[K]['request']) => Promise<Operations[K]['answer']>;
};

const readBytes = 256 * 1024;

/**
 * One broker as a process of its own: the production log over a real store, with the real runtime. For tests, which run
 * this file as a program, talk to it by {@link Operations}, and kill or stop it at will. It ends with its parent.
 */
class BrokerProcess {
  readonly #log: BrokerLog;
  readonly #id: number;
  readonly #disk: Disk;

  constructor(settings: BrokerSettings, store: ObjectStore, disk: Disk) {
    const { id, zone } = settings;
    this.#id = id;
    this.#disk = disk;
    this.#log = new BrokerLog({
      store,
      runtime: realRuntime,
      identity: {
        id,
        zone,
        address: `127.0.0.1:${9092 + id}`,
        listeners: {},
        podUid: `process-${process.pid}`,
        version: 'e2e',
      },
      // Everything that production does in minutes happens within a test.
      options: {
        flushIntervalMs: 1_000,
        flushGroupBytes: 32 * 1024,
        housekeepingIntervalMs: 150,
        retentionCheckIntervalMs: 2_000,
        sweepIntervalMs: 1_500,
        checkpointSlots: 8,
        manifestSegments: 4,
        readConfirmationMs: 300,
      },
      pollMs: 150,
      onProblem: (what, error) => {
        complain(id, `${what}: ${describe(error)}`);
      },
      onReplaced: (error) => {
        complain(id, error.message);
        process.send?.({ kind: 'replaced' } satisfies Report, () => process.exit(0));
      },
    });
  }

  async start(): Promise<void> {
    await this.#log.start();
  }

  async answer(call: Call): Promise<Answer> {
    const { number } = call;
    try {
      const handle = this.#handlers[call.do] as (request: Call['request']) => Promise<unknown>;
      return { number, ok: true, value: await handle(call.request) };
    } catch (error) {
      const message = describe(error);
      if (error instanceof LogError || error instanceof StoreError)
        return { number, ok: false, code: error.code, message, retriable: error.retriable };
      return {
        number,
        ok: false,
        code: error instanceof Error ? error.name : typeof error,
        message,
        retriable: false,
      };
    }
  }

  readonly #handlers: Handlers = {
    createTopic: async ({ name, topicId, partitions }) => {
      await this.#change((state) =>
        createTopic(state, { name, topicId, partitions, internal: false, configs: { 'retention.ms': '-1' } }),
      );
      return null;
    },
    append: async ({ topicId, partition, bytes }) => {
      const { baseOffset, lastOffset, duplicate } = await this.#log.append(
        topicId,
        partition,
        Buffer.from(bytes),
      );
      return { baseOffset, lastOffset, duplicate };
    },
    read: async ({ topicId, partition, offset }) => {
      const { pieces } = await this.#log.read(topicId, partition, offset, readBytes);
      return { bytes: Buffer.concat(pieces) };
    },
    endOffset: async ({ topicId, partition }) => ({
      offset: await this.#log.endOffset(topicId, partition),
    }),
    leader: ({ topicId, partition }) => {
      const state = this.#log.cluster.current;
      const topic = [...(state?.topics.values() ?? [])].find((entry) => entry.topicId === topicId);
      const group = topic === undefined ? undefined : groupOf({ ...topic, topicId }, partition);
      const assignment = group === undefined ? undefined : state?.assignments.get(group.id);
      if (assignment === undefined) {
        const message = `broker ${this.#id} knows no partition ${topicId}/${partition}`;
        return Promise.reject(new LogError('UNKNOWN_TOPIC_OR_PARTITION', message));
      }
      return Promise.resolve({ broker: assignment.broker });
    },
    markDead: async ({ id }) => {
      let deadSid: string | undefined;
      await this.#change((state) => {
        const entry = state.brokers.get(id);
        const sid = this.#log.sid;
        if (entry === undefined || sid === undefined)
          throw new Error(`broker ${id} or this one is not known`);
        deadSid ??= entry.sid;
        return markDead(state, { id, sid: deadSid, by: { id: this.#id, sid }, evidence: 'gone' });
      });
      return { deadSid: deadSid ?? '' };
    },
    status: () => {
      const { log, context } = this.#log;
      const counts = Object.fromEntries(countNames.map((name) => [name, context.counters[name]]));
      return Promise.resolve({
        sid: log?.session.live === true ? log.session.sid : undefined,
        counts: counts as Operations['status']['answer']['counts'],
      });
    },
    fillDisk: ({ full }) => {
      this.#disk.full = full;
      return Promise.resolve(null);
    },
    drain: async () => {
      await this.#log.drain();
      return null;
    },
  };

  async #change(change: (state: ClusterState) => ClusterState | ChangeRefused): Promise<void> {
    const outcome = await this.#log.cluster.change(change);
    if (outcome.kind === 'refused') throw new Error(`refused: ${outcome.refused.message}`);
  }
}

interface Disk {
  full: boolean;
}

function complain(id: number, what: string): void {
  process.stderr.write(`${new Date().toISOString()} broker ${id}: ${what}\n`);
}

function describe(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause === undefined ? error.message : `${error.message} (${describe(error.cause)})`;
}

function report(message: Report): Promise<void> {
  return new Promise((resolve) => {
    // When the parent has gone, `disconnect` ends this process.
    process.send?.(message, () => {
      resolve();
    });
  });
}

async function openDisk(url: string, disk: Disk): Promise<ObjectStore> {
  const fileSystem = wrapFileSystem(realFileSystem, async (what, call) => {
    if (disk.full && what.startsWith('write '))
      throw Object.assign(new Error(`ENOSPC: no space left on device, ${what}`), {
        code: 'ENOSPC',
        syscall: 'write',
      });
    return await call();
  });
  return await openFileStore(fileURLToPath(url), { runtime: realRuntime, fileSystem });
}

async function main(settings: BrokerSettings): Promise<void> {
  process.once('disconnect', () => process.exit(0));
  const disk: Disk = { full: false };
  const store = settings.injectFullDisk
    ? await openDisk(settings.url, disk)
    : await openStore(settings.url, {
        runtime: realRuntime,
        s3: { limits: { connectMs: 2_000, headMs: 2_500, bodyIdleMs: 2_500, totalMs: 10_000 } },
      });
  const broker = new BrokerProcess(settings, store, disk);
  // Requests may come before it has a session, as clients' do.
  process.on('message', (call: Call) => {
    broker
      .answer(call)
      .then(async (answer) => {
        await report({ kind: 'answer', answer });
        if (call.do === 'drain') process.exit(0);
      })
      .catch((error: unknown) => {
        complain(settings.id, describe(error));
        process.exit(1);
      });
  });
  await broker.start();
  await report({ kind: 'started' });
}

if (import.meta.main) await main(JSON.parse(process.argv[2] ?? '') as BrokerSettings);
