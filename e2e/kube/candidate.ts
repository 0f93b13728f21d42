/**
 * A candidate for a lease as a process of its own: `node e2e/kube/candidate.ts IDENTITY`, with the URL, CA and token of an
 * API server in TEST_URL, TEST_CA and TEST_TOKEN. While it leads it acts: it prints `act NANOSECONDS` by the machine's
 * monotonic clock, which all processes share. Ends with 0 after SIGTERM, and with 1 when it has lost the lease.
 */
import { realRuntime } from '../../dataplane/runtime/real-runtime.ts';
import { silentLogger } from '../../dataplane/runtime/logger.ts';
import { LeadershipLostError } from '../../operator/errors.ts';
import { LeaderElection } from '../../operator/leader-election.ts';
import { OperatorMetrics } from '../../operator/metrics.ts';
import { testClient } from './test-access.ts';

const { TEST_URL: url = '', TEST_CA: ca = '', TEST_TOKEN: token = '' } = process.env;
const identity = process.argv[2] ?? 'nobody';
const client = testClient({ url, ca, token });
const election = new LeaderElection({
  api: client,
  runtime: realRuntime,
  logger: silentLogger,
  metrics: new OperatorMetrics(),
  namespace: 'default',
  name: 'operator',
  identity,
  leaseDurationMs: 9_000,
  renewDeadlineMs: 7_000,
  retryPeriodMs: 1_000,
});

process.on('SIGTERM', () => {
  clearInterval(acting);
  election.stop().catch((error: unknown) => {
    throw error;
  });
});
const acting = setInterval(() => {
  const now = process.hrtime.bigint();
  if (election.isLeader()) console.log(`act ${now}`);
}, 20);
console.log('started');
try {
  await election.run();
} catch (error) {
  if (!(error instanceof LeadershipLostError)) throw error;
  console.log('lost');
  process.exitCode = 1;
} finally {
  clearInterval(acting);
  client.close();
}
