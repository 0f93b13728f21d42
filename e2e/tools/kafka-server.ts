import { execFile } from 'node:child_process';
import { mkdir, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import path from 'node:path';
import { promisify } from 'node:util';
import { freePort } from './free-port.ts';
import { startLeashed } from './leashed-process.ts';
import type { LeashedProcess } from './leashed-process.ts';
import { installRealPart } from './real-part.ts';

const run = promisify(execFile);

export interface KafkaServer {
  readonly host: string;
  readonly port: number;
  readonly process: LeashedProcess;
  /** From the start of the process to its first answer. */
  readonly readyMs: number;
  stop(): Promise<void>;
}

export interface KafkaServerOptions {
  /** Its data and its log file go there; must exist. */
  readonly folder: string;
  readonly heap?: string | undefined;
  /** More broker settings, by Kafka's names. */
  readonly settings?: Readonly<Record<string, string>> | undefined;
}

/** The class path of Kafka's programs. */
export async function kafkaClassPath(): Promise<string> {
  return path.join(await installRealPart('kafka'), '*');
}

/** One Apache Kafka 4.3.1 node, broker and controller, on free loopback ports. Ends with this process. */
export async function startKafkaServer(options: KafkaServerOptions): Promise<KafkaServer> {
  const host = '127.0.0.1';
  const [port, controllerPort] = [await freePort(), await freePort()];
  const { folder, heap = '1G' } = options;
  const settings: Record<string, string> = {
    'process.roles': 'broker,controller',
    'node.id': '1',
    'controller.quorum.voters': `1@${host}:${controllerPort}`,
    listeners: `PLAINTEXT://${host}:${port},CONTROLLER://${host}:${controllerPort}`,
    'advertised.listeners': `PLAINTEXT://${host}:${port}`,
    'controller.listener.names': 'CONTROLLER',
    'log.dirs': path.join(folder, 'data'),
    'offsets.topic.replication.factor': '1',
    'transaction.state.log.replication.factor': '1',
    'transaction.state.log.min.isr': '1',
    'share.coordinator.state.topic.replication.factor': '1',
    'share.coordinator.state.topic.min.isr': '1',
    'group.initial.rebalance.delay.ms': '0',
    ...options.settings,
  };
  await mkdir(folder, { recursive: true });
  const file = path.join(folder, 'server.properties');
  await writeFile(
    file,
    Object.entries(settings)
      .map(([name, value]) => `${name}=${value}\n`)
      .join(''),
  );
  const classPath = await kafkaClassPath();
  await run('java', [
    '-cp',
    classPath,
    'kafka.tools.StorageTool',
    'format',
    '-t',
    'ZmlybiBwZWVyIG5vZGUgMQ',
    '-c',
    file,
  ]);
  const beganMs = performance.now();
  const server = await startLeashed({
    command: 'java',
    args: [
      `-Xms${heap}`,
      `-Xmx${heap}`,
      '-XX:+UseG1GC',
      '-XX:MaxGCPauseMillis=20',
      '-XX:InitiatingHeapOccupancyPercent=35',
      '-XX:+ExplicitGCInvokesConcurrent',
      '-Djava.awt.headless=true',
      '-cp',
      classPath,
      'kafka.Kafka',
      file,
    ],
    logFile: path.join(folder, 'kafka.log'),
  });
  await answers(host, port, server);
  return {
    host,
    port,
    process: server,
    readyMs: performance.now() - beganMs,
    stop: () => server.stop(10_000),
  };
}

/** Resolves when the node names a broker in its metadata. */
async function answers(host: string, port: number, server: LeashedProcess): Promise<void> {
  // Metadata, version 1, for all topics.
  const request = Buffer.from('000000000003000100000001000178ffffffff', 'hex');
  request.writeInt32BE(request.length - 4);
  while (!server.hasExited) {
    const answered = await new Promise<boolean>((resolve) => {
      const socket = connect({ host, port });
      socket.setTimeout(2_000);
      socket.on('connect', () => socket.write(request));
      socket.on('data', (bytes) => {
        socket.destroy();
        resolve(bytes.length >= 12 && bytes.readInt32BE(8) >= 1);
      });
      for (const event of ['error', 'timeout', 'close'] as const) {
        socket.on(event, () => {
          socket.destroy();
          resolve(false);
        });
      }
    });
    if (answered) return;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  throw new Error(`Kafka ended with ${await server.exited} before it answered; its log says why`);
}
