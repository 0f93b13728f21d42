import assert from 'node:assert/strict';
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, afterEach, before, describe, test } from 'node:test';
import type { BrokerStatus } from '../dataplane/broker/broker-status.ts';
import type { ExitCode } from './command.ts';
import { runFirn } from './firn.ts';
import { directoryOfUrl } from '../dataplane/store/open.ts';
import { parseS3Url } from '../dataplane/store/s3/s3-options.ts';
import { drainBroker } from './up/drain-broker.ts';
import { storeUrl } from './up/manifest-settings.ts';

/** `firn up` inside this process. */
class Up {
  out = '';
  err = '';
  readonly code: Promise<ExitCode>;
  readonly #interrupted = new AbortController();
  #changed = Promise.withResolvers<void>();

  constructor(...args: readonly string[]) {
    const heard = (): void => {
      this.#changed.resolve();
      this.#changed = Promise.withResolvers();
    };
    this.code = runFirn(['up', ...args], {
      out: (text) => {
        this.out += text;
        heard();
      },
      err: (text) => {
        this.err += text;
        heard();
      },
      env: {},
      cwd: '/',
      signal: this.#interrupted.signal,
    });
  }

  /** Resolves with the match when that has been printed. */
  async says(pattern: RegExp): Promise<RegExpExecArray> {
    for (;;) {
      const match = pattern.exec(this.out + this.err);
      if (match !== null) return match;
      const end = await Promise.race([this.#changed.promise, this.code]);
      if (end !== undefined && pattern.exec(this.out + this.err) === null)
        assert.fail(`it ended with ${end} and did not say ${pattern}: ${this.out}${this.err}`);
    }
  }

  async get(page: string): Promise<{ readonly status: number; readonly text: string }> {
    const [, admin = ''] = await this.says(/admin +(\S+) /);
    const response = await fetch(`${admin}${page}`);
    return { status: response.status, text: await response.text() };
  }

  async interrupt(): Promise<ExitCode> {
    this.#interrupted.abort();
    return await this.code;
  }
}

let folder: string;
const running: Up[] = [];
let lastStore = 0;

function up(...args: readonly string[]): Up {
  const started = new Up('--port', '0', '--admin-port', '0', '--api-port', '0', ...args);
  running.push(started);
  return started;
}

function newUrl(): string {
  return `file://${folder}/store-${++lastStore}`;
}

before(async () => {
  process.env['AWS_ACCESS_KEY_ID'] = 'id';
  process.env['AWS_SECRET_ACCESS_KEY'] = 'secret';
  folder = await mkdtemp(path.join(tmpdir(), 'firn-up-'));
});
afterEach(async () => {
  for (const one of running.splice(0)) await one.interrupt();
});
after(() => rm(folder, { recursive: true }));

describe('firn up', () => {
  test('says where it is, tells how it is by HTTP, and hands over when it is interrupted', async () => {
    const url = newUrl();
    const one = up(url);
    const [, bootstrap] = await one.says(/broker 0 is ready\n {2}bootstrap +(127\.0\.0\.1:\d+)\n/);
    assert.match(one.out, new RegExp(`store +${url}\n`));
    assert.deepEqual(await one.get('/healthz'), { status: 200, text: 'ok\n' });
    assert.deepEqual(await one.get('/readyz'), { status: 200, text: 'ok\n' });
    assert.match((await one.get('/metrics')).text, /^firn_connections 0$/m);
    const status = JSON.parse((await one.get('/status')).text) as BrokerStatus;
    assert.equal(status.broker.id, 0);
    assert.equal(status.broker.zone, 'local');
    assert.equal(status.broker.phase, 'serving');
    assert.match(status.broker.sid ?? '', /^[0-9a-f]{32}$/);
    assert.deepEqual(status.listeners, { PLAINTEXT: bootstrap });
    const [itself, ...others] = status.cluster?.brokers ?? [];
    assert.deepEqual([itself?.id, itself?.state, others], [0, 'alive', []]);
    // Other brokers reach it by a port of its own.
    assert.match(itself?.address ?? '', /^127\.0\.0\.1:\d+$/);
    assert.notEqual(itself?.address, bootstrap);
    assert.match(status.store, /^file:/);
    assert.equal(await one.interrupt(), 0);
    assert.equal(one.err, '');
  });

  test('a port that is taken: says so, and writes nothing', async () => {
    const server = createServer().listen(0, '127.0.0.1');
    await new Promise((resolve) => server.once('listening', resolve));
    const { port } = server.address() as AddressInfo;
    for (const option of ['--port', '--admin-port', '--api-port', '--internal-port']) {
      const one = up(newUrl(), option, `${port}`);
      assert.equal(await one.code, 1);
      assert.match(one.err, new RegExp(`^firn up: .*port ${port} of 127.0.0.1 is taken by another process`));
      assert.equal(one.out, '');
    }
    server.close();
  });

  test('who may use the api port: nobody but who proves it, once that is said', async () => {
    const url = newUrl();
    for (const host of ['0.0.0.0', '::']) {
      const open = up(url, '--api-host', host);
      assert.equal(await open.code, 1);
      assert.match(
        open.err,
        /^firn up: api port: whoever reaches .* could change schemas and tables\. Say who may/,
      );
    }
    const both = up(url, '--api-anonymous', '--api-auth-file', 'f');
    assert.equal(await both.code, 2);
    assert.match(both.err, /leave one out/);
    const missing = up(url, '--api-auth-file', path.join(folder, 'missing'));
    assert.equal(await missing.code, 1);
    assert.match(missing.err, /^firn up: --api-auth-file: .*missing cannot be read: ENOENT/);
    await assert.rejects(readdir(directoryOfUrl(url)), 'nothing was written');

    const file = path.join(folder, 'api-auth');
    let token = '';
    const io = {
      out: (text: string) => (token += text.trimEnd()),
      err: assert.fail,
      env: {},
      cwd: '/',
      signal: new AbortController().signal,
    };
    assert.equal(await runFirn(['api-auth', 'token', file, 'ci'], io), 0);
    const one = up(url, '--api-host', '0.0.0.0', '--api-auth-file', file);
    const [, port] = await one.says(/registry +http:\/\/0\.0\.0\.0:(\d+)\/registry/);
    const ask = async (page: string, authorization?: string): Promise<readonly [number, unknown]> => {
      const headers: Readonly<Record<string, string>> = authorization === undefined ? {} : { authorization };
      const response = await fetch(`http://127.0.0.1:${port}${page}`, { headers });
      return [response.status, await response.json()];
    };
    assert.deepEqual(await ask('/registry/subjects', `Bearer ${token}`), [200, []]);
    const why = 'this port needs a token (Bearer) or a user and password (Basic)';
    assert.deepEqual(await ask('/registry/subjects'), [401, { error_code: 40_101, message: why }]);
    assert.deepEqual(await ask('/catalog/v1/config', 'Bearer x'), [
      401,
      { error: { message: 'the token is wrong', type: 'NotAuthorizedException', code: 401 } },
    ]);
    assert.equal(await one.interrupt(), 0);

    const anybody = up(url, '--api-host', '0.0.0.0', '--api-anonymous');
    await anybody.says(
      /anybody who reaches the api port .* may change schemas and tables \(--api-anonymous\)/,
    );
    await anybody.says(/is ready/);
    assert.equal(await anybody.interrupt(), 0);
  });

  test('brokers that share a secret: listen elsewhere than on loopback, and know each other', async () => {
    const url = newUrl();
    const secretFile = path.join(folder, 'secret');
    await writeFile(secretFile, 'x'.repeat(32));
    const internal = ['--internal-host', '0.0.0.0', '--internal-advertised-host', '127.0.0.1'];
    const start = (zone: string): Up =>
      up(url, '--zone', zone, ...internal, '--internal-secret-file', secretFile);
    const brokers = [start('a'), start('b')];
    for (const one of brokers) await one.says(/is ready/);
    for (const one of brokers) {
      const isUp = async (): Promise<boolean> =>
        /^firn_peer_connections\{broker="\d+",state="up"\} 1$/m.test((await one.get('/metrics')).text);
      for (let waits = 0; !(await isUp()); waits++) {
        assert.ok(waits < 600, 'they do not find each other');
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
    }
  });

  test('an internal listener that anybody could reach is refused, and security that cannot be used', async () => {
    const short = path.join(folder, 'short');
    await writeFile(short, 'too short');
    for (const [args, message, code] of [
      [['--internal-host', '0.0.0.0'], /0\.0\.0\.0 is not loopback, and without a secret or certificates/, 1],
      [['--internal-secret-file', short], /secret 1 in .* has 9 bytes, and at least 32 are needed/, 1],
      [['--internal-secret-file', `${short}er`], /secret of the internal listener cannot be read/, 1],
      [
        ['--internal-cert', short],
        /--internal-cert, --internal-key and --internal-ca are needed together/,
        2,
      ],
      [
        ['--internal-cert', 'a', '--internal-key', 'b', '--internal-ca', 'c', '--internal-secret-file', 'd'],
        /give --internal-secret-file or certificates .*, not both/,
        2,
      ],
      [
        ['--internal-cert', 'a', '--internal-key', 'b', '--internal-ca', 'c'],
        /certificate of the internal listener cannot be used \(\/a, \/b, \/c\)/,
        1,
      ],
    ] as const) {
      const url = newUrl();
      const one = up(url, ...args);
      assert.equal(await one.code, code);
      assert.match(one.err, message);
      await assert.rejects(readdir(directoryOfUrl(url)), { code: 'ENOENT' });
    }
  });

  test("a folder with somebody else's files is refused, and nothing is written there", async () => {
    const theirs = path.join(folder, 'theirs');
    await mkdir(theirs);
    await writeFile(path.join(theirs, 'thesis.tex'), 'chapter one');
    const one = up(`file://${theirs}`);
    assert.equal(await one.code, 1);
    assert.match(
      one.err,
      /theirs holds a file that Firn did not put there \(thesis\.tex\): name an empty folder/,
    );
    assert.deepEqual(await readdir(theirs), ['thesis.tex']);
  });

  test('a file instead of a folder, a bucket that cannot be reached: says so', async () => {
    const file = path.join(folder, 'file');
    await writeFile(file, '');
    const one = up(`file://${file}`);
    assert.equal(await one.code, 1);
    assert.match(one.err, /^firn up: open at file:.*directory/);
    const other = up('s3://bucket?endpoint=http://127.0.0.1:1');
    assert.equal(await other.code, 1);
    assert.match(other.err, /^firn up: .*s3:\/\/bucket.*ECONNREFUSED/);
  });

  test('a second one over the same store warns and takes over, the first one ends and says why', async () => {
    const url = newUrl();
    const first = up(url);
    const [, bootstrap] = await first.says(/bootstrap +(\S+)/);
    const second = up(url);
    await second.says(/is ready/);
    assert.match(
      second.err,
      new RegExp(`^firn up: broker 0 of this store is served by the process at ${bootstrap}`),
    );
    assert.equal(await first.code, 1);
    assert.match(first.err, /broker id 0 belongs to another process now/);
    assert.equal((await second.get('/readyz')).status, 200);
    assert.equal(await second.interrupt(), 0);
  });

  test('one that drained, or another zone, is no reason for a warning', async () => {
    const url = newUrl();
    const first = up(url);
    await first.says(/is ready/);
    const elsewhere = up(url, '--zone', 'b');
    await elsewhere.says(/broker 1000 is ready/);
    assert.equal(elsewhere.err, '');
    assert.equal(await first.interrupt(), 0);
    const again = up(url);
    await again.says(/broker 0 is ready/);
    assert.equal(again.err, '');
  });

  test('interrupted while the store does not answer, it ends', async () => {
    const silent = createServer().listen(0, '127.0.0.1');
    await new Promise((resolve) => silent.once('listening', resolve));
    const connected = new Promise((resolve) => silent.once('connection', resolve));
    const { port } = silent.address() as AddressInfo;
    const one = up(`s3://bucket?endpoint=http://127.0.0.1:${port}`);
    await connected;
    assert.equal(await one.interrupt(), 1);
    assert.equal(one.err, 'firn up: interrupted before the broker was ready\n');
    silent.close();
  });

  test('starts what a manifest says', async () => {
    const file = path.join(folder, 'broker.yaml');
    await writeFile(
      file,
      'apiVersion: firn.dev/v1beta1\nkind: Broker\nmetadata: {name: main}\nspec:\n  zones: [eu-1a]\n' +
        '  storage: {file: {path: "a b%c?d"}}\n  listeners:\n    - {name: internal, port: 0}\n    - {name: other, port: 0}\n' +
        '  config: {max.connections: 1}\n',
    );
    const one = new Up('-f', file, '--admin-port', '0', '--api-port', '0');
    running.push(one);
    const [, internal, other] = await one.says(/internal +(\S+)\n +other +(\S+)\n/);
    const status = JSON.parse((await one.get('/status')).text) as BrokerStatus;
    assert.deepEqual(status.listeners, { internal, other });
    assert.equal(status.broker.zone, 'eu-1a');
    assert((await readdir(folder)).includes('a b%c?d'));
  });

  test('a manifest that says what cannot be: each problem with file and line, exit code 2', async () => {
    const file = path.join(folder, 'wrong.yaml');
    const head = 'apiVersion: firn.dev/v1beta1\nkind: Broker\nmetadata: {name: main}\nspec:\n';
    await writeFile(
      file,
      `${head}  storage: {file: {path: a}}\n  config:\n    max.conections: 1\n    max.connections: x\n`,
    );
    const one = new Up('-f', file);
    assert.equal(await one.code, 2);
    assert.equal(
      one.err,
      `firn up: ${file}:7: spec.config["max.conections"] is no setting that Firn has; did you mean "max.connections"?\n` +
        `firn up: ${file}:8: spec.config["max.connections"] is "x" but must be a whole number from 0 to 2147483647\n`,
    );
    const security = '  storage: {file: {path: a}}\n  internal: {secretFile: s}\n';
    for (const [spec, args, message] of [
      [`${security}  zones: [a, b, a]\n`, [], /wrong\.yaml: spec\.zones names zone a twice/],
      [
        security,
        ['--internal-secret-file', 's'],
        /spec\.internal says what the options --internal-… say too/,
      ],
      [
        `${security}  replicas: 2\n  listeners: [{name: a, port: 9092}, {name: b, port: 9093}]\n`,
        [],
        /wrong\.yaml: port 9093 would be listener b of broker 1 of 2 and listener a of broker 2 of 2/,
      ],
    ] as const) {
      await writeFile(file, `${head}${spec}`);
      const wrong = new Up('-f', file, ...args);
      assert.equal(await wrong.code, 2);
      assert.match(wrong.err, message);
    }
    const missing = new Up('-f', 'nowhere.yaml');
    assert.equal(await missing.code, 2);
    assert.match(missing.err, /^firn up: nowhere\.yaml cannot be read: ENOENT/);
  });

  test('wrong usage: exit code 2 and what would be right', async () => {
    for (const [args, message] of [
      [['--port', 'x'], /--port is "x" but must be a whole number from 0 to 65535/],
      [['--admin-port', '65536'], /--admin-port is "65536"/],
      [['--drain-timeout', 'soon'], /--drain-timeout is "soon" but must be a duration/],
      [['--log-level', 'loud'], /must be one of debug, info, warn, error/],
      [['file:a', 'file:b'], /give one URL, not 2/],
      [['-f', 'x.yaml', '--port', '1'], /--port is what the manifest says/],
      [['-f', 'x.yaml', 'file:a'], /URL is what the manifest says/],
      [['-f', 'x.yaml', '--zones', '3'], /--zones is what the manifest says/],
      [['--zone', 'a', '--zones', '3'], /give --zone or --zones, not both/],
      [['--zones', '0'], /--zones is 0 but must be a number from 1 to 26, or names/],
      [['--zones', '27'], /--zones is 27 but/],
      [['--zones', 'a,b,a'], /--zones is "a,b,a" but must be a number, or different names/],
      [['--zones', 'a,,b'], /different names/],
      [['--zones', '2', '--port', '65535'], /listener PLAINTEXT of broker 2 of 2 would be 65536/],
      [['--fast'], /--fast/],
    ] as const) {
      const one = new Up(...args);
      assert.equal(await one.code, 2, args.join(' '));
      assert.match(one.err, message);
    }
  });
});

describe('the store that a manifest names', () => {
  const s3 = {
    prefix: '',
    region: '',
    endpoint: '',
    forcePathStyle: undefined,
    credentialsSecretRef: undefined,
  };

  test('a bucket', () => {
    const url = (given: object): string =>
      storeUrl({ file: undefined, s3: { ...s3, bucket: 'my-bucket', ...given } }, '/home');
    assert.equal(url({}), 's3://my-bucket');
    assert.deepEqual(
      parseS3Url(url({ prefix: '/a b/50%', region: 'eu-1', endpoint: 'http://h:9', forcePathStyle: false })),
      {
        bucket: 'my-bucket',
        prefix: '/a b/50%',
        endpoint: 'http://h:9',
        region: 'eu-1',
        pathStyle: false,
        checksums: undefined,
        signPayload: undefined,
      },
    );
  });

  test('a directory, relative to the manifest', () => {
    const url = (path: string): string => storeUrl({ s3: undefined, file: { path } }, '/home/me');
    assert.equal(directoryOfUrl(url('../data')), '/home/data');
    assert.equal(directoryOfUrl(url('/a b/50%?#')), '/a b/50%?#');
  });
});

describe('handing over', () => {
  const io = { out: () => undefined, err: (text: string) => (said += text) };
  let said = '';

  test('is given up when its time is up', async () => {
    const never = { drain: () => new Promise<void>(() => undefined) };
    assert.equal(await drainBroker(never, 1, io), 1);
    assert.match(said, /took longer than 0\.001 s \(--drain-timeout\) and was given up; nothing .* is lost/);
  });

  test('leaves no timer behind when it is done', async () => {
    const done = { drain: () => Promise.resolve() };
    assert.equal(await drainBroker(done, 3_600_000, io), 0);
  });
});
