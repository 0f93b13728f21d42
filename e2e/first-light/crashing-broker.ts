/** `firn up` that kills itself, as `kill -9` would, when it comes to a named step: crashing-broker.ts URL POINT. */
import { runBroker } from '../../cli/up/run-broker.ts';
import { isCrashPoint } from '../../dataplane/table/crash-points.ts';

const [url = '', point = ''] = process.argv.slice(2);
if (!isCrashPoint(point)) throw new Error(`there is no crash point ${point}`);

const anyPort = { host: '127.0.0.1', port: 0 };
process.exitCode = await runBroker(
  {
    url,
    listeners: [{ name: 'PLAINTEXT', ...anyPort }],
    admin: anyPort,
    api: anyPort,
    internal: anyPort,
    zone: 'local',
    ordinal: 0,
    logLevel: 'warn',
    drainTimeoutMs: 10_000,
    options: {},
    crashPoint: (reached) => {
      if (reached === point) process.kill(process.pid, 'SIGKILL');
    },
  },
  {
    out: (text) => process.stdout.write(text),
    err: (text) => process.stderr.write(text),
    env: process.env,
    cwd: process.cwd(),
    signal: new AbortController().signal,
  },
);
