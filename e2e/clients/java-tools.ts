import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { kafkaClassPath } from '../tools/kafka-server.ts';

const run = promisify(execFile);

/** Kafka's command-line tools, by the names of their scripts. */
const mainClasses = {
  'kafka-topics': 'org.apache.kafka.tools.TopicCommand',
  'kafka-console-producer': 'org.apache.kafka.tools.ConsoleProducer',
  'kafka-console-consumer': 'org.apache.kafka.tools.consumer.ConsoleConsumer',
  'kafka-consumer-groups': 'org.apache.kafka.tools.consumer.group.ConsumerGroupCommand',
  'kafka-configs': 'kafka.admin.ConfigCommand',
  'kafka-get-offsets': 'org.apache.kafka.tools.GetOffsetShell',
  'kafka-delete-records': 'org.apache.kafka.tools.DeleteRecordsCommand',
  'kafka-log-dirs': 'org.apache.kafka.tools.LogDirsCommand',
  'kafka-leader-election': 'org.apache.kafka.tools.LeaderElectionCommand',
  'kafka-reassign-partitions': 'org.apache.kafka.tools.reassign.ReassignPartitionsCommand',
  'kafka-broker-api-versions': 'org.apache.kafka.tools.BrokerApiVersionsCommand',
  'kafka-features': 'org.apache.kafka.tools.FeatureCommand',
  'kafka-metadata-quorum': 'org.apache.kafka.tools.MetadataQuorumCommand',
  'kafka-producer-perf-test': 'org.apache.kafka.tools.ProducerPerformance',
  'kafka-consumer-perf-test': 'org.apache.kafka.tools.ConsumerPerformance',
  'kafka-verifiable-producer': 'org.apache.kafka.tools.VerifiableProducer',
} as const;

export type JavaTool = keyof typeof mainClasses;

export interface ToolOutcome {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** Runs one of Kafka's own tools to its end, with `--bootstrap-server` unless `bootstrap` is undefined. */
export async function javaTool(
  tool: JavaTool,
  bootstrap: string | undefined,
  args: readonly string[],
  input = '',
): Promise<ToolOutcome> {
  const server = bootstrap === undefined ? [] : ['--bootstrap-server', bootstrap];
  const command = [
    '-XX:TieredStopAtLevel=1',
    '-Xshare:auto',
    '-cp',
    await kafkaClassPath(),
    mainClasses[tool],
    ...server,
    ...args,
  ];
  try {
    const running = run('java', command, { maxBuffer: 64 * 1024 * 1024 });
    running.child.stdin?.end(input);
    const { stdout, stderr } = await running;
    return { code: 0, out: stdout, err: stderr };
  } catch (error) {
    const failed = error as { code?: unknown; stdout?: string; stderr?: string };
    return {
      code: typeof failed.code === 'number' ? failed.code : -1,
      out: failed.stdout ?? '',
      err: failed.stderr ?? '',
    };
  }
}
