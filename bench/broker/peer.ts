import { mkdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { BrokerConnection } from '../../dataplane/client/broker-connection.ts';
import { createTopics } from '../../dataplane/protocol/api/create-topics.ts';
import { deleteTopics } from '../../dataplane/protocol/api/delete-topics.ts';
import { listOffsets } from '../../dataplane/protocol/api/list-offsets.ts';
import { realRuntime } from '../../dataplane/runtime/real-runtime.ts';
import { logTail, startLeashed } from '../../e2e/tools/leashed-process.ts';
import type { LeashedProcess } from '../../e2e/tools/leashed-process.ts';
import type { FirnBrokerOptions, FirnBrokerReport } from './firn-broker.ts';

/** A broker that is measured, wherever it was started. */
export interface Peer {
  readonly [key: string]: string | number;
  readonly host: string;
  readonly port: number;
  readonly pid: number;
}

export interface FirnBroker {
  readonly peer: Peer;
  readonly process: LeashedProcess;
  report(): Promise<FirnBrokerReport>;
}

/** Starts `firn-broker.ts`; resolves when clients are answered. Ends with this process. */
export async function startFirnBroker(
  options: FirnBrokerOptions & { readonly logFile: string; readonly nodeOptions?: readonly string[] },
): Promise<FirnBroker> {
  const { folder, log, logFile, nodeOptions = [] } = options;
  await mkdir(folder, { recursive: true });
  const script = path.join(import.meta.dirname, 'firn-broker.ts');
  const before = (await reports(logFile)).length;
  const child = await startLeashed({
    command: process.execPath,
    args: [...nodeOptions, script, JSON.stringify({ folder, log } satisfies FirnBrokerOptions)],
    logFile,
  });
  const line = async (at: number): Promise<unknown> => {
    for (;;) {
      const text = (await reports(logFile))[before + at];
      if (text !== undefined) return JSON.parse(text.slice(reportPrefix.length));
      if (child.hasExited) throw new Error(`the broker has ended, its log with: ${logTail(logFile)}`);
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  };
  let at = 0;
  const { port } = (await line(at++)) as { port: number };
  return {
    peer: { host: '127.0.0.1', port, pid: child.pid },
    process: child,
    report: async () => {
      process.kill(child.pid, 'SIGUSR2');
      return (await line(at++)) as FirnBrokerReport;
    },
  };
}

const reportPrefix = 'report ';

/** What the broker has told us so far, in whole lines among those of its log. */
async function reports(file: string): Promise<string[]> {
  const lines = (await readFile(file, 'utf8').catch(() => '')).split('\n').slice(0, -1);
  return lines.filter((line) => line.startsWith(reportPrefix));
}

/** User and system time of all threads since the process began. */
export async function cpuSeconds({ pid }: Peer): Promise<number> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  // USER_HZ is 100 on every Linux that Node.js runs on.
  return (Number(fields[11]) + Number(fields[12])) / 100;
}

export async function rssBytes({ pid }: Peer): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  return Number(/VmRSS:\s+(\d+) kB/.exec(status)?.[1]) * 1024;
}

export async function connectTo({ host, port }: Peer, timeoutMs = 120_000): Promise<BrokerConnection> {
  return await BrokerConnection.open({ host, port, clientId: 'bench', runtime: realRuntime, timeoutMs });
}

/** Creates a topic; resolves when every partition is served. */
export async function createTopic(peer: Peer, name: string, numPartitions: number): Promise<void> {
  const connection = await connectTo(peer);
  try {
    const { topics } = await connection.request(createTopics, {
      topics: [{ name, numPartitions, replicationFactor: 1, assignments: [], configs: [] }],
    });
    const [{ errorCode, errorMessage } = { errorCode: -1, errorMessage: 'no answer' }] = topics;
    if (errorCode !== 0) throw new Error(`${name} was not created, error ${errorCode}: ${errorMessage}`);
    const partitions = Array.from({ length: numPartitions }, (_, partitionIndex) => ({
      partitionIndex,
      timestamp: -1,
    }));
    for (;;) {
      const answer = await connection.request(
        listOffsets,
        { replicaId: -1, topics: [{ name, partitions }] },
        { version: 6 },
      );
      if (answer.topics.every((topic) => topic.partitions.every((partition) => partition.errorCode === 0)))
        return;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  } finally {
    connection.close();
  }
}

export async function deleteTopic(peer: Peer, name: string): Promise<void> {
  const connection = await connectTo(peer);
  try {
    const version = 5;
    const { responses } = await connection.request(
      deleteTopics,
      { topicNames: [name], timeoutMs: 60_000 },
      { version },
    );
    const [{ errorCode } = { errorCode: -1 }] = responses;
    if (errorCode !== 0) throw new Error(`${name} was not deleted, error ${errorCode}`);
  } finally {
    connection.close();
  }
}
