import assert from 'node:assert/strict';
import { found, text, textOf, written } from './expect.ts';
import type { Declare } from './expect.ts';

export function describeConditions(promise: Declare): void {
  promise('creates with ifAbsent what is absent, and only that', async (store, second) => {
    await written(store.put('new', text('first'), { ifAbsent: true, id: 'one' }));
    assert.deepEqual(await second.put('new', text('second'), { ifAbsent: true, id: 'two' }), {
      kind: 'condition-failed',
    });
    const object = await found(store.get('new'));
    assert.equal(textOf(object.body), 'first');
    assert.equal(object.info.id, 'one');
  });

  promise('replaces with the right ifMatch, and not with a stale one', async (store, second) => {
    const first = await written(store.put('key', text('first'), { ifAbsent: true }));
    const replaced = await written(second.put('key', text('second'), { ifMatch: first }));
    assert.notEqual(replaced, first);
    assert.deepEqual(await store.put('key', text('third'), { ifMatch: first }), { kind: 'condition-failed' });
    assert.equal(textOf((await found(store.get('key'))).body), 'second');
    await written(store.put('key', text('third'), { ifMatch: replaced }));
    assert.equal(textOf((await found(second.get('key'))).body), 'third');
  });

  promise('fails ifMatch on a key that never existed, and on a deleted one', async (store) => {
    const etag = await written(store.put('other', text('x')));
    assert.deepEqual(await store.put('missing', text('y'), { ifMatch: etag }), { kind: 'condition-failed' });
    assert.equal(await store.head('missing'), undefined);
    await store.delete('other');
    assert.deepEqual(await store.put('other', text('y'), { ifMatch: etag }), { kind: 'condition-failed' });
    assert.equal(await store.head('other'), undefined);
  });

  promise('accepts in ifMatch the etag that head, get and put gave', async (store) => {
    const put = await written(store.put('key', text('0')));
    const head = await store.head('key');
    assert.equal(head?.etag, put);
    const next = await written(store.put('key', text('1'), { ifMatch: head.etag }));
    const got = await found(store.get('key'));
    assert.equal(got.info.etag, next);
    await written(store.put('key', text('2'), { ifMatch: got.info.etag }));
  });

  promise('creates again after a delete, any number of times', async (store, second) => {
    for (const round of ['a', 'b', 'c']) {
      await written(store.put('again', text(round), { ifAbsent: true, id: round }));
      assert.deepEqual(await second.put('again', text('x'), { ifAbsent: true }), {
        kind: 'condition-failed',
      });
      const object = await found(second.get('again'));
      assert.equal(textOf(object.body), round);
      assert.equal(object.info.id, round);
      await store.delete('again');
      assert.equal((await second.get('again')).kind, 'absent');
    }
  });

  promise('overwrites and creates without a condition', async (store, second) => {
    await written(store.put('key', text('first')));
    await written(second.put('key', text('second')));
    assert.equal(textOf((await found(store.get('key'))).body), 'second');
    await store.delete('key');
    await written(store.put('key', text('third')));
    assert.equal(textOf((await found(second.get('key'))).body), 'third');
  });
}
