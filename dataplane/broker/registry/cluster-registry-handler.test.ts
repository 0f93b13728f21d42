import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { HttpHandler, HttpRequest, HttpResponse } from '../../runtime/http-exchange.ts';
import { VirtualTime } from '../../runtime/virtual-time.ts';
import { MemoryRegistry, RegistryClient } from '../../schema/registry/memory-registry-fixture.ts';
import { registryErrorResponse, registryHandler } from '../../schema/registry/http/registry-handler.ts';
import { RegistryError } from '../../schema/registry/registry-error.ts';
import { StoreError } from '../../store/errors.ts';
import { PeerError } from '../peers/peer-error.ts';
import { clusterRegistryHandler } from './cluster-registry-handler.ts';
import type { RegistryPlace } from './registry-directory.ts';

/** Broker 0 is asked; brokers 1 and 2 may have the registry too. */
class World {
  readonly time = new VirtualTime({ seed: 1 });
  readonly registry = new MemoryRegistry();
  readonly asked: string[] = [];
  /** Who has it, and where broker 0 believes it to be until it looks. */
  owner = 1;
  believed = 1;
  /** How asking another broker goes; `undefined`: it answers. */
  trouble: (() => Error | undefined) | undefined;
  refreshes = 0;
  readonly #handle: HttpHandler = registryHandler({
    registry: this.registry,
    checkRegistration: () => Promise.resolve(undefined),
  });
  readonly client = new RegistryClient(this.#ofCluster());

  #ofCluster(): HttpHandler {
    const place = (): RegistryPlace =>
      this.believed === 0
        ? { kind: 'here' }
        : { kind: 'other', brokerId: this.believed, broker: `broker ${this.believed}` };
    return clusterRegistryHandler({
      here: (request) => this.#at(0, request),
      directory: {
        get place() {
          return place();
        },
        refresh: () => {
          this.refreshes++;
          this.believed = this.owner;
          const away = new StoreError('UNREACHABLE', 'away', { operation: 'get', store: 's', key: 'k' });
          return this.refreshes % 2 === 0 ? Promise.reject(away) : Promise.resolve();
        },
      },
      remote: (broker, request) => {
        this.asked.push(`${broker} ${request.method}`);
        const error = this.trouble?.();
        return error === undefined ? this.#at(broker, request) : Promise.reject(error);
      },
      runtime: this.time.environment,
    });
  }

  #at(broker: number, request: HttpRequest): Promise<HttpResponse> {
    if (broker === this.owner && (broker !== 0 || this.believed === 0)) return this.#handle(request);
    const error = new RegistryError('notTheOwner', `broker ${this.owner} has it`);
    return Promise.resolve(registryErrorResponse(error, request.headers['accept']));
  }
}

const register = ['POST', '/subjects/s/versions', { schema: '"int"' }] as const;

test('what another broker has is asked there; what this one has is not', async () => {
  const world = new World();
  await world.time.drive(async () => {
    assert.deepEqual(await world.client.outcome(...register), { id: 1 });
    assert.deepEqual(await world.client.outcome('GET', '/subjects'), ['s']);
    assert.equal(await world.client.outcome('GET', '/subjects/t/versions'), '404 40401');
    assert.deepEqual(world.asked, ['1 POST', '1 GET', '1 GET']);
    world.owner = world.believed = 0;
    assert.deepEqual(await world.client.outcome('GET', '/subjects'), ['s']);
    assert.equal(world.asked.length, 3);
    assert.equal(world.refreshes, 0);
  });
});

test('a registry that has moved is followed, here too', async () => {
  for (const owner of [2, 0]) {
    const world = new World();
    await world.time.drive(async () => {
      world.owner = owner;
      assert.deepEqual(await world.client.outcome(...register), { id: 1 });
      assert.equal(world.registry.state.maxId, 1);
      assert.deepEqual(world.asked, owner === 2 ? ['1 POST', '2 POST'] : ['1 POST']);
    });
  }
});

test('what was not sent is sent again, also when the one who had it is gone for a while', async () => {
  const world = new World();
  await world.time.drive(async () => {
    world.trouble = () =>
      world.time.nowMs < 8_000 ? new PeerError('unreachable', 'there is no connection') : undefined;
    assert.deepEqual(await world.client.outcome(...register), { id: 1 });
    assert.equal(world.registry.log.length, 1);
    // For ever it is not.
    world.trouble = () => new PeerError('unreachable', 'there is no connection');
    const beganMs = world.time.nowMs;
    assert.equal(await world.client.outcome('GET', '/subjects'), '503 50003');
    const tookMs = world.time.nowMs - beganMs;
    assert.ok(tookMs >= 15_000 && tookMs < 16_000, String(tookMs));
  });
});

test('a change of which nobody knows whether it was made is not made again; a question is asked again', async () => {
  for (const reason of ['lost', 'timeout', 'failed'] as const) {
    const world = new World();
    await world.time.drive(async () => {
      world.trouble = () => (world.asked.length % 2 === 1 ? new PeerError(reason, 'silence') : undefined);
      const { status, json } = await world.client.ask(...register);
      assert.equal(status, 503);
      assert.match(
        (json as { message: string }).message,
        /could not be asked: silence; a change may have been made/,
      );
      assert.equal(world.asked.length, 1);
      world.asked.length = 0;
      const answer = await world.client.outcome('GET', '/subjects');
      assert.deepEqual(answer, reason === 'lost' ? [] : '503 50004');
    });
  }
});

test('so many are passed on at a time; the others wait', async () => {
  const world = new World();
  const gate = Promise.withResolvers<void>();
  let underWay = 0;
  let most = 0;
  const handler = clusterRegistryHandler({
    here: (request) =>
      Promise.resolve(registryErrorResponse(new RegistryError('notTheOwner', ''), request.headers['accept'])),
    directory: {
      place: { kind: 'other', brokerId: 1, broker: 'broker 1' },
      refresh: () => Promise.resolve(),
    },
    remote: async () => {
      most = Math.max(most, ++underWay);
      await gate.promise;
      underWay--;
      return { status: 200, headers: {}, body: '[]' };
    },
    runtime: world.time.environment,
  });
  const client = new RegistryClient(handler);
  const answers = Array.from({ length: 100 }, () => client.outcome('GET', '/subjects'));
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal(underWay, 24);
  gate.resolve();
  assert.deepEqual(
    await Promise.all(answers),
    Array.from({ length: 100 }, () => []),
  );
  assert.equal(most, 24);
});
