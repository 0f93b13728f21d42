import assert from 'node:assert/strict';
import type { ETag, ObjectStore, PutResult } from '../object-store.ts';
import { found, ifConflict, text, textOf, written } from './expect.ts';
import type { Declare } from './expect.ts';

export function describeRaces(promise: Declare, rounds: number): void {
  const racers = 32;

  promise('of creates have exactly one winner, whose bytes stay', async (store, second) => {
    for (let round = 0; round < rounds; round++) {
      const key = `race/${round}`;
      await race(racers, (i) => put(i % 2 === 0 ? store : second, key, i, { ifAbsent: true }));
      const [winner] = (await found(second.get(key))).body;
      await store.delete(key);
      assert.ok(winner !== undefined && winner < racers);
      // And again on the deleted key, where other stores have let two in.
      await race(racers, (i) => put(i % 2 === 0 ? store : second, key, i, { ifAbsent: true }));
    }
  });

  promise(
    'of replacements of one version have exactly one winner, whose bytes stay',
    async (store, second) => {
      let etag = await written(store.put('race', text('start')));
      for (let round = 0; round < rounds; round++) {
        const ifMatch = etag;
        etag = await race(racers, (i) => put(i % 2 === 0 ? store : second, 'race', i, { ifMatch }));
      }
    },
  );

  promise('lose no update', async (store, second) => {
    await written(store.put('counter', text('0')));
    const client = async (handle: ObjectStore): Promise<number> => {
      let won = 0;
      for (let attempt = 0; attempt < 4 * rounds; attempt++) {
        const current = await found(handle.get('counter'));
        const next = text(`${Number(textOf(current.body)) + 1}`);
        const result = await handle.put('counter', next, { ifMatch: current.info.etag }).catch(ifConflict);
        if (result.kind === 'written') won++;
      }
      return won;
    };
    const won = await Promise.all(Array.from({ length: 8 }, (_, i) => client(i % 2 === 0 ? store : second)));
    const total = won.reduce((sum, count) => sum + count, 0);
    assert.equal(textOf((await found(second.get('counter'))).body), `${total}`);
    assert.ok(total >= 1);
  });

  promise(
    'never show a reader anything but one whole write, nor an older one after a newer',
    async (store, second) => {
      const write = (n: number): Promise<ETag> =>
        written(store.put('shown', new Uint8Array(20_000 + n).fill(n), { id: `${n}` }));
      await write(0);
      let done = false;
      const reader = async (): Promise<void> => {
        let last = 0;
        while (!done) {
          const { body, info } = await found(second.get('shown'));
          const [n = -1] = body;
          assert.ok(n >= last, `read write ${n} after write ${last}`);
          last = n;
          assert.equal(body.byteLength, 20_000 + n);
          assert.equal(Buffer.compare(body, new Uint8Array(20_000 + n).fill(n)), 0);
          assert.equal(info.sizeBytes, 20_000 + n);
          assert.equal(info.id, `${n}`);
        }
      };
      const writer = async (): Promise<void> => {
        try {
          for (let n = 1; n <= 10 * rounds && n < 256; n++) await write(n);
        } finally {
          done = true;
        }
      };
      await Promise.all([writer(), reader(), reader(), reader()]);
    },
  );

  let puts = 0;
  async function put(
    store: ObjectStore,
    key: string,
    racer: number,
    condition: { ifAbsent: true } | { ifMatch: ETag },
  ): Promise<{ result: PutResult; check: () => Promise<void> }> {
    // Never the same bytes twice: an ETag may be a hash of them, and the old version's would then be back.
    puts += 1;
    const body = new Uint8Array(500 + puts).fill(racer);
    const result = await store.put(key, body, { ...condition, id: `racer ${racer}` }).catch(ifConflict);
    const check = async (): Promise<void> => {
      const object = await found(store.get(key));
      assert.equal(Buffer.compare(object.body, body), 0);
      assert.equal(object.info.id, `racer ${racer}`);
      if (result.kind === 'written') assert.equal(object.info.etag, result.etag);
    };
    return { result, check };
  }

  async function race(
    count: number,
    start: (racer: number) => Promise<{ result: PutResult; check: () => Promise<void> }>,
  ): Promise<ETag> {
    const ended = await Promise.all(Array.from({ length: count }, (_, racer) => start(racer)));
    const winners = ended.filter(({ result }) => result.kind === 'written');
    assert.equal(winners.length, 1, `${winners.length} of ${count} racers won`);
    const [winner] = winners;
    assert.ok(winner?.result.kind === 'written');
    await winner.check();
    return winner.result.etag;
  }
}
