import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Runtime } from '../../runtime/runtime.ts';
import { CredentialsError, CredentialSource, standardCredentialChain } from './credentials.ts';
import type { S3Credentials } from './credentials.ts';

const minute = 60_000;

class Look {
  readonly result = Promise.withResolvers<S3Credentials>();
}

/** A source over scripted looks and a clock that is moved by hand. */
function harness(): { source: CredentialSource; looks: Look[]; advance: (ms: number) => void } {
  let nowMs = 0;
  const looks: Look[] = [];
  const runtime: Runtime = {
    wallMs: () => nowMs,
    monotonicMs: () => nowMs,
    after: () => assert.fail('no timers are needed'),
    random: { uint32: () => 0, fraction: () => 0, bytes: () => new Uint8Array(0) },
  };
  const provider = (): Promise<S3Credentials> => {
    const look = new Look();
    looks.push(look);
    return look.result.promise;
  };
  const source = new CredentialSource(provider, runtime, () => nowMs);
  return {
    source,
    looks,
    advance: (ms) => {
      nowMs += ms;
    },
  };
}

function credentials(accessKeyId: string, expiresAtMs?: number): S3Credentials {
  return { accessKeyId, secretAccessKey: 's', sessionToken: 't', expiresAtMs };
}

async function settled(): Promise<void> {
  for (let i = 0; i < 10; i++) await Promise.resolve();
}

describe('CredentialSource', () => {
  it('looks once for all who wait, and then answers without a promise', async () => {
    const { source, looks } = harness();
    const waiting = [source.get(), source.get(), source.get()];
    assert.equal(looks.length, 1);
    looks[0]?.result.resolve(credentials('one'));
    for (const found of await Promise.all(waiting.map((look) => Promise.resolve(look))))
      assert.equal(found.accessKeyId, 'one');
    assert.ok(!(source.get() instanceof Promise));
    assert.equal(looks.length, 1);
  });

  it('renews five minutes ahead, in the background and once', async () => {
    const { source, looks, advance } = harness();
    const first = source.get();
    looks[0]?.result.resolve(credentials('old', 60 * minute));
    await first;
    advance(54 * minute);
    assert.ok(!(source.get() instanceof Promise));
    assert.equal(looks.length, 1);
    advance(2 * minute);
    assert.ok(!(source.get() instanceof Promise) && !(source.get() instanceof Promise));
    assert.equal(looks.length, 2);
    looks[1]?.result.resolve(credentials('new', 120 * minute));
    await settled();
    const found = source.get();
    assert.ok(!(found instanceof Promise));
    assert.equal(found.accessKeyId, 'new');
  });

  it('goes on with the old ones while renewing fails, tries every ten seconds, and waits once they have expired', async () => {
    const { source, looks, advance } = harness();
    const first = source.get();
    looks[0]?.result.resolve(credentials('old', 10 * minute));
    await first;
    advance(6 * minute);
    for (let round = 1; round <= 3; round++) {
      assert.ok(!(source.get() instanceof Promise));
      assert.equal(looks.length, 1 + round);
      looks.at(-1)?.result.reject(new Error('no route to the metadata service'));
      await settled();
      advance(9_000);
      assert.ok(!(source.get() instanceof Promise));
      assert.equal(looks.length, 1 + round);
      advance(1_000);
    }
    advance(5 * minute);
    const waiting = source.get();
    assert.ok(waiting instanceof Promise);
    looks.at(-1)?.result.reject(new Error('still none'));
    await assert.rejects(
      waiting,
      (error) =>
        error instanceof CredentialsError && error.kind === 'unavailable' && /still none/.test(error.message),
    );
  });

  it('uses what a look finds even if the clock says it has expired', async () => {
    const { source, looks } = harness();
    const first = source.get();
    looks[0]?.result.resolve(credentials('stale', -minute));
    assert.equal((await first).accessKeyId, 'stale');
  });

  it('replaces refused credentials once for all who were refused', async () => {
    const { source, looks } = harness();
    const first = source.get();
    const old = credentials('old');
    looks[0]?.result.resolve(old);
    await first;
    const replaced = [source.replace(old), source.replace(old)];
    assert.equal(looks.length, 2);
    looks[1]?.result.resolve(credentials('new'));
    for (const found of await Promise.all(replaced)) assert.equal(found.accessKeyId, 'new');
    // Who was refused with the old ones and comes late gets the new ones.
    assert.equal((await source.replace(old)).accessKeyId, 'new');
    assert.equal(looks.length, 2);
  });

  it('tells missing credentials from a service that fails', async () => {
    const missing = Object.assign(new Error('Could not load credentials from any providers'), {
      name: 'CredentialsProviderError',
    });
    const denied = Object.assign(new Error('role not assumable'), { name: 'AccessDenied', $fault: 'client' });
    for (const cause of [missing, denied]) {
      const { source, looks } = harness();
      const waiting = Promise.resolve(source.get());
      looks[0]?.result.reject(cause);
      await assert.rejects(waiting, (error) => {
        assert.ok(error instanceof CredentialsError);
        assert.equal(error.kind, 'missing');
        assert.equal(error.cause, cause);
        assert.match(error.message, /AWS_ACCESS_KEY_ID/);
        return true;
      });
    }
  });
});

describe('standardCredentialChain', () => {
  it('finds what the environment says now', async () => {
    const names = ['AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY', 'AWS_SESSION_TOKEN', 'AWS_PROFILE'];
    const before = names.map((name) => [name, process.env[name]] as const);
    const chain = standardCredentialChain();
    try {
      delete process.env['AWS_PROFILE'];
      for (const round of ['1', '2']) {
        process.env['AWS_ACCESS_KEY_ID'] = `id-${round}`;
        process.env['AWS_SECRET_ACCESS_KEY'] = 'secret';
        process.env['AWS_SESSION_TOKEN'] = `token-${round}`;
        assert.deepEqual(await chain(), {
          accessKeyId: `id-${round}`,
          secretAccessKey: 'secret',
          sessionToken: `token-${round}`,
          expiresAtMs: undefined,
        });
      }
    } finally {
      for (const [name, value] of before) {
        if (value === undefined) delete process.env[name];
        else process.env[name] = value;
      }
    }
  });
});
