import { createServer } from 'node:http';
import type { IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { FaultProxy } from './fault-proxy.ts';
import { decodeFaultRules, FaultRuleError } from './fault-rule-json.ts';
import { collected } from './server-side.ts';

/** The HTTP API by which somebody outside the process changes a proxy's rules and reads its counts. */
export interface Control {
  readonly url: string;
  stop(): Promise<void>;
}

export async function startControl(proxy: FaultProxy, host: string, port: number): Promise<Control> {
  const server = createServer((request, response) => {
    handle(proxy, request).then(
      ({ status, body }) => {
        response.writeHead(status, { 'Content-Type': 'application/json' });
        response.end(`${JSON.stringify(body, undefined, 2)}\n`);
      },
      (error: unknown) => {
        response.destroy(
          error instanceof Error ? error : new Error('control request failed', { cause: error }),
        );
      },
    );
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, resolve);
  });
  return {
    url: `http://${host}:${(server.address() as AddressInfo).port}`,
    stop: () =>
      new Promise((resolve) => {
        server.close(() => {
          resolve();
        });
        server.closeAllConnections();
      }),
  };
}

interface Reply {
  readonly status: number;
  readonly body: unknown;
}

async function handle(proxy: FaultProxy, request: IncomingMessage): Promise<Reply> {
  const url = new URL(request.url ?? '/', 'http://control');
  switch (`${request.method} ${url.pathname}`) {
    case 'GET /counts':
      return { status: 200, body: proxy.counts() };
    case 'DELETE /counts':
      proxy.resetCounts();
      return { status: 200, body: proxy.counts() };
    case 'DELETE /rules':
      proxy.setRules([]);
      return { status: 200, body: { rules: 0 } };
    case 'PUT /rules':
      return replaceRules(proxy, await collected(request), url.searchParams.get('seed') ?? '1');
    default:
      return {
        status: 404,
        body: { error: 'there are GET /counts, DELETE /counts, PUT /rules and DELETE /rules' },
      };
  }
}

function replaceRules(proxy: FaultProxy, body: Buffer | undefined, seed: string): Reply {
  try {
    const rules = decodeFaultRules(JSON.parse((body ?? '').toString()));
    if (!/^\d+$/.test(seed))
      throw new FaultRuleError(`seed is ${JSON.stringify(seed)}; it must be an integer`);
    proxy.setRules(rules, Number(seed));
    return { status: 200, body: { rules: rules.length } };
  } catch (error) {
    if (!(error instanceof FaultRuleError || error instanceof SyntaxError)) throw error;
    return { status: 400, body: { error: error.message } };
  }
}
