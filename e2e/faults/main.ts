import { readFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { startControl } from './control.ts';
import { startFaultProxy } from './fault-proxy.ts';
import { decodeFaultRules } from './fault-rule-json.ts';

const usage = `usage: node e2e/faults/main.ts --target http://HOST:PORT [options]

An S3 endpoint that makes faults, in front of a real one.

  --target URL          the S3 server
  --port N              port to listen on (default: any free one)
  --host ADDRESS        address to listen on (default: 127.0.0.1)
  --rules FILE          JSON array of fault rules (e2e/faults/fault-rule.ts) to begin with
  --seed N              decides which requests are hit (default: 1)
  --control-port N      port of the control API, on the same address (default: any free one)

Control API:
  GET /counts           what went through: by rule, by what clients saw, by what the server answered
  DELETE /counts        forget the counts by method
  PUT /rules?seed=N     replace the rules (a JSON array)
  DELETE /rules         no faults any more`;

const { values } = parseArgs({
  options: {
    target: { type: 'string' },
    port: { type: 'string', default: '0' },
    host: { type: 'string', default: '127.0.0.1' },
    rules: { type: 'string' },
    seed: { type: 'string', default: '1' },
    'control-port': { type: 'string', default: '0' },
    help: { type: 'boolean', default: false },
  },
});
if (values.help || values.target === undefined) {
  console.log(usage);
  process.exit(values.help ? 0 : 2);
}
const rules =
  values.rules === undefined ? [] : decodeFaultRules(JSON.parse(await readFile(values.rules, 'utf8')));
const proxy = await startFaultProxy({
  target: values.target,
  host: values.host,
  port: Number(values.port),
  seed: Number(values.seed),
  rules,
});
const control = await startControl(proxy, values.host, Number(values['control-port']));
console.log(`endpoint ${proxy.url} in front of ${values.target}, control ${control.url}`);

let stopping = false;
for (const name of ['SIGINT', 'SIGTERM'] as const) {
  process.on(name, () => {
    if (stopping) process.exit(1);
    stopping = true;
    void Promise.all([control.stop(), proxy.stop()]).then(
      () => {
        console.log(JSON.stringify(proxy.counts(), undefined, 2));
      },
      (error: unknown) => {
        console.error(error);
        process.exitCode = 1;
      },
    );
  });
}
