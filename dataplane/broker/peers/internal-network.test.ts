import assert from 'node:assert/strict';
import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import type { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { connect as connectTls } from 'node:tls';
import { after, before, describe, it } from 'node:test';
import type { TestContext } from 'node:test';
import { realRuntime } from '../../runtime/real-runtime.ts';
import type { Runtime } from '../../runtime/runtime.ts';
import type { ByteStream } from '../net/byte-stream.ts';
import { DialError } from '../net/dialer.ts';
import type { Dialer } from '../net/dialer.ts';
import { ListenError } from '../net/listen-error.ts';
import { issue, newAuthority } from '../net/x509-fixture.ts';
import type { Authority } from '../net/x509-fixture.ts';
import { openInternalNetwork } from './internal-network.ts';
import type { InternalNetwork, InternalSecurity } from './internal-network.ts';

const secret = 'correct horse battery staple 0123456789';
const otherSecret = 'another horse, another staple, 0123456789';

let folder: string;
let written = 0;
/** Files are looked at once a second: this clock lets it pass. */
let nowMs = 0;
const runtime: Runtime = { ...realRuntime, monotonicMs: () => nowMs };

before(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'firn-internal-'));
});
after(() => rm(folder, { recursive: true }));

/** As a Secret is changed: another file takes the place of the old one. */
async function put(file: string, content: string): Promise<void> {
  await writeFile(`${file}.new`, content);
  await rename(`${file}.new`, file);
}

async function fileWith(content: string): Promise<string> {
  const file = path.join(folder, `file-${++written}`);
  await put(file, content);
  return file;
}

async function secretOf(...secrets: readonly string[]): Promise<InternalSecurity> {
  return { secretFile: await fileWith(secrets.map((one) => `${one}\n`).join('')) };
}

async function certificateOf(
  authority: Authority,
  {
    trusts = authority,
    validFor = 3_600_000,
  }: { readonly trusts?: Authority; readonly validFor?: number } = {},
): Promise<InternalSecurity> {
  const { certificate, key } = issue(authority, 'broker', validFor);
  return {
    certFile: await fileWith(certificate),
    keyFile: await fileWith(key),
    caFile: await fileWith(trusts.certificate),
  };
}

interface Opened extends InternalNetwork {
  readonly address: string;
  /** What was handed over. */
  readonly streams: ByteStream[];
  readonly refused: string[];
  readonly problems: string[];
}

async function open(
  t: TestContext,
  security: InternalSecurity | undefined,
  host = '127.0.0.1',
): Promise<Opened> {
  const problems: string[] = [];
  const network = await openInternalNetwork(
    { host, port: 0, security, ...(host === '0.0.0.0' ? { advertisedHost: '127.0.0.1' } : {}) },
    runtime,
    (what, error) => problems.push(`${what}: ${String(error)}`),
  );
  t.after(() => network.acceptor.close());
  const streams: ByteStream[] = [];
  const refused: string[] = [];
  network.acceptor.accept(
    (stream) => {
      streams.push(stream);
      // An echo.
      stream.start({
        data: (chunk) => {
          stream.write([chunk]);
        },
        room: () => undefined,
        received: () => undefined,
        drained: () => undefined,
        closed: () => undefined,
      });
    },
    (_from, why) => refused.push(why),
  );
  t.after(() => {
    for (const stream of streams) stream.destroy();
  });
  return { ...network, address: network.acceptor.advertised, streams, refused, problems };
}

/** What comes back of what is sent; rejects when the connection ends before. */
async function echoed(dialer: Dialer, address: string, sizeBytes = 5): Promise<number> {
  const stream = await dialer.dial(address, AbortSignal.timeout(10_000));
  try {
    return await new Promise((resolve, reject) => {
      let arrived = 0;
      stream.start({
        data: (chunk) => {
          arrived += chunk.length;
          if (arrived === sizeBytes) resolve(arrived);
        },
        room: () => undefined,
        received: () => undefined,
        drained: () => undefined,
        closed: (error) => reject(error ?? new Error('closed')),
      });
      stream.write([Buffer.alloc(sizeBytes)]);
    });
  } finally {
    stream.destroy();
  }
}

async function until(holds: () => boolean): Promise<void> {
  for (let waits = 0; !holds(); waits++) {
    assert.ok(waits < 2_000, String(holds));
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

async function assertRefused(from: Opened, to: Opened, message: RegExp): Promise<void> {
  const handedOver = to.streams.length;
  const before = to.refused.length;
  await assert.rejects(echoed(from.dialer, to.address), (error) => {
    assert.ok(error instanceof Error);
    if (error instanceof DialError) assert.equal(error.reason, 'rejected');
    assert.match(error.message, message);
    return true;
  });
  await until(() => to.refused.length > before);
  assert.equal(to.streams.length, handedOver, 'nobody gets to see it');
}

describe('the internal network', () => {
  it('is plain text on loopback alone', async (t) => {
    const one = await open(t, undefined);
    assert.equal(await echoed(one.dialer, one.address), 5);
    for (const host of ['0.0.0.0', '::', '10.0.0.1']) {
      await assert.rejects(
        openInternalNetwork({ host, port: 0 }, realRuntime, () => undefined),
        (error) => {
          assert.ok(error instanceof ListenError);
          assert.match(
            error.message,
            /is not loopback, and without a secret or certificates whoever reaches it/,
          );
          return true;
        },
      );
    }
    await assertRefusedWhenClosed(one);
  });

  it('says where it is, not that it is everywhere', async () => {
    const security = await secretOf(secret);
    for (const host of ['0.0.0.0', '::', ''])
      await assert.rejects(
        openInternalNetwork({ host, port: 0, security }, realRuntime, () => undefined),
        /is all addresses of this machine: say by which of them other brokers reach it/,
      );
  });

  it('with a secret lets those in who know it', async (t) => {
    const one = await open(t, await secretOf(secret), '0.0.0.0');
    const two = await open(t, await secretOf(secret));
    assert.equal(await echoed(one.dialer, two.address), 5);
    assert.equal(await echoed(two.dialer, one.address, 3_000_000), 3_000_000);
    await assertRefusedWhenClosed(two);
  });

  it('with a secret lets nobody else in', async (t) => {
    const one = await open(t, await secretOf(secret));
    const mutual = /do not trust each other: both need the same secret/;
    await assertRefused(await open(t, await secretOf(otherSecret)), one, mutual);
    await assertRefused(await open(t, await certificateOf(newAuthority('firn'))), one, mutual);
    // Over plain text what is said is not read, and what is answered is none of ours.
    await plainText(one);
    const anybody = connectTls({ port: portOf(one), host: '127.0.0.1', rejectUnauthorized: false });
    await ended(anybody);
    assert.deepEqual(one.streams, []);
    // Who asks is as careful: an impostor learns nothing but a name.
    const impostor = await open(t, await certificateOf(newAuthority('firn')));
    await assertRefused(one, impostor, mutual);
    const deaf = await open(t, undefined);
    await assert.rejects(echoed(one.dialer, deaf.address), mutual);
  });

  it('refuses secrets that can be guessed, and files without one', async () => {
    for (const [content, message] of [
      ['short\n', /secret 1 in .* has 5 bytes, and at least 32 are needed: make one with 'openssl rand/],
      [`${secret}\nshort`, /secret 2 in .* has 5 bytes/],
      ['\n \n', /holds no secret/],
      [`${secret}\n`.repeat(9), /holds 9 secrets, one a line: at most 8/],
    ] as const) {
      const secretFile = await fileWith(content);
      await assert.rejects(
        openInternalNetwork(
          { host: '127.0.0.1', port: 0, security: { secretFile } },
          realRuntime,
          () => undefined,
        ),
        (error) => {
          assert.ok(error instanceof ListenError);
          assert.match(error.message, message);
          assert.ok(!error.message.includes('horse'));
          return true;
        },
      );
    }
    const secretFile = path.join(folder, 'none');
    await assert.rejects(
      openInternalNetwork(
        { host: '127.0.0.1', port: 0, security: { secretFile } },
        realRuntime,
        () => undefined,
      ),
      /the secret of the internal listener cannot be read: .*none/,
    );
  });

  it('changes its secret without a moment in which brokers do not know each other', async (t) => {
    const files = [await fileWith(secret), await fileWith(secret)] as const;
    const one = await open(t, { secretFile: files[0] });
    const two = await open(t, { secretFile: files[1] });
    const both = async (): Promise<void> => {
      nowMs += 2_000;
      assert.equal(await echoed(one.dialer, two.address), 5);
      assert.equal(await echoed(two.dialer, one.address), 5);
    };
    for (const content of [[secret, otherSecret], [otherSecret, secret], [otherSecret]]) {
      for (const file of files) {
        await put(file, content.join('\n'));
        await both();
      }
    }
    assert.deepEqual([...one.problems, ...two.problems], []);
    await assertRefused(await open(t, await secretOf(secret)), one, /do not trust each other/);
    // What cannot be used does not lock anybody out.
    await put(files[0], 'short');
    assert.equal(await echoed(one.dialer, two.address), 5);
    assert.deepEqual(one.problems, [], 'files are not looked at for each connection');
    await both();
    assert.match(one.problems[0] ?? '', /new secret .* cannot be used, the old one still is: .*has 5 bytes/);
    assert.equal(one.problems.length, 1);
  });

  it('with certificates lets those in who have one of the same authority', async (t) => {
    const authority = newAuthority('firn');
    const one = await open(t, await certificateOf(authority), '0.0.0.0');
    const two = await open(t, await certificateOf(authority));
    assert.equal(await echoed(one.dialer, two.address), 5);
    assert.equal(await echoed(two.dialer, one.address, 3_000_000), 3_000_000);
    await assertRefusedWhenClosed(two);
  });

  it('with certificates lets nobody else in', async (t) => {
    const authority = newAuthority('firn');
    // The same name, and another key.
    const foreign = newAuthority('firn');
    const one = await open(t, await certificateOf(authority));
    const alert = /do not trust each other|alert|socket|ECONNRESET|closed/i;
    await assertRefused(await open(t, await certificateOf(foreign, { trusts: authority })), one, alert);
    await assertRefused(await open(t, await certificateOf(authority, { validFor: -1_000 })), one, alert);
    await assertRefused(await open(t, await secretOf(secret)), one, alert);
    await plainText(one);
    // Without a certificate.
    const anybody = connectTls({ port: portOf(one), host: '127.0.0.1', rejectUnauthorized: false });
    await ended(anybody);
    assert.deepEqual(one.streams, []);
    // Who asks is as careful.
    const impostor = await open(t, await certificateOf(foreign, { trusts: authority }));
    await assertRefused(one, impostor, /do not trust each other/);
    const expired = await open(t, await certificateOf(authority, { validFor: -1_000 }));
    await assertRefused(one, expired, /do not trust each other.*CERT_HAS_EXPIRED/);
  });

  it('takes new certificates when the files change, and keeps the old ones while they do not fit together', async (t) => {
    const old = newAuthority('old');
    const next = newAuthority('next');
    const security = await certificateOf(old);
    assert.ok('certFile' in security);
    const one = await open(t, security);
    const before = await open(t, await certificateOf(old));
    assert.equal(await echoed(before.dialer, one.address), 5);
    const { certificate, key } = issue(next, 'broker');
    await put(security.certFile, certificate);
    nowMs += 2_000;
    assert.equal(await echoed(before.dialer, one.address), 5);
    assert.match(one.problems[0] ?? '', /new certificate .* cannot be used, the old one still is/);
    await put(security.keyFile, key);
    await put(security.caFile, next.certificate);
    nowMs += 2_000;
    await assertRefused(before, one, /do not trust each other/);
    const afterwards = await open(t, await certificateOf(next));
    assert.equal(await echoed(afterwards.dialer, one.address), 5);
    assert.equal(await echoed(one.dialer, afterwards.address), 5);
    assert.equal(one.problems.length, 1);
  });

  it('says which files do not fit together', async () => {
    const authority = newAuthority('firn');
    const one = await certificateOf(authority);
    const two = await certificateOf(authority);
    assert.ok('certFile' in one && 'certFile' in two);
    for (const security of [
      { ...one, keyFile: two.keyFile },
      { ...one, certFile: await fileWith('no certificate') },
      { ...one, caFile: await fileWith('') },
      { ...one, caFile: path.join(folder, 'none') },
    ]) {
      await assert.rejects(
        openInternalNetwork({ host: '127.0.0.1', port: 0, security }, realRuntime, () => undefined),
        (error) => {
          assert.ok(error instanceof ListenError);
          assert.match(error.message, /certificate of the internal listener cannot be used \(.*\): ./);
          return true;
        },
      );
    }
  });

  it('gives up the oldest of many handshakes, never a broker', async (t) => {
    const one = await open(t, await secretOf(secret));
    const strangers = Array.from({ length: 100 }, () => connect(portOf(one), '127.0.0.1'));
    t.after(() => {
      for (const socket of strangers) socket.destroy();
    });
    for (const socket of strangers) socket.on('error', () => undefined);
    await until(() => one.refused.length >= 36);
    assert.equal(await echoed(one.dialer, one.address), 5);
    assert.equal(strangers.filter((socket) => !socket.destroyed).length >= 1, true);
  });
});

function portOf({ address }: Opened): number {
  return Number(address.split(':').at(-1));
}

async function ended(socket: Socket): Promise<void> {
  await new Promise<void>((resolve) => {
    socket.on('error', () => undefined);
    socket.once('close', () => resolve());
    socket.resume();
  });
}

async function plainText(to: Opened): Promise<void> {
  const socket = connect(portOf(to), '127.0.0.1');
  socket.write('GET / HTTP/1.1\r\n\r\n');
  await ended(socket);
}

/** The dialer tells a machine without such a process from one that does not answer. */
async function assertRefusedWhenClosed(one: Opened): Promise<void> {
  await one.acceptor.close();
  await assert.rejects(one.dialer.dial(one.address, AbortSignal.timeout(10_000)), (error) => {
    assert.ok(error instanceof DialError);
    assert.equal(error.reason, 'refused');
    return true;
  });
  const given = new AbortController();
  given.abort(new Error('enough'));
  await assert.rejects(one.dialer.dial(one.address, given.signal), (error) => {
    assert.ok(error instanceof DialError);
    assert.equal(error.reason, 'unreachable');
    return true;
  });
}
