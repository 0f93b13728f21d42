import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { TurnQueue } from './turn-queue.ts';

function work() {
  const began: string[] = [];
  const end = new Map<string, () => void>();
  const queue = new TurnQueue(2);
  const start = (id: string): Promise<void> =>
    queue.run(id, () => {
      began.push(id);
      return new Promise((resolve) => end.set(id, resolve));
    });
  return { queue, began, end, start };
}

const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe('turn queue', () => {
  it('lets so many go at a time, the others in order', async () => {
    const { began, end, start } = work();
    const all = ['a', 'b', 'c', 'd'].map(start);
    await settled();
    assert.deepEqual(began, ['a', 'b']);
    end.get('b')?.();
    await settled();
    assert.deepEqual(began, ['a', 'b', 'c']);
    end.get('a')?.();
    end.get('c')?.();
    await settled();
    end.get('d')?.();
    await Promise.all(all);
  });

  it('lets those go first that somebody asks for', async () => {
    const { queue, began, end, start } = work();
    const all = ['a', 'b', 'c', 'd'].map(start);
    await settled();
    assert(queue.isWaiting);
    queue.hurry('d');
    queue.hurry('a');
    end.get('a')?.();
    await settled();
    assert.deepEqual(began, ['a', 'b', 'd']);
    queue.openAll();
    await settled();
    assert.deepEqual(began, ['a', 'b', 'd', 'c']);
    for (const id of ['b', 'c', 'd']) end.get(id)?.();
    await Promise.all(all);
  });

  it('gives the turn on when the work fails', async () => {
    const queue = new TurnQueue(1);
    await assert.rejects(queue.run('a', () => Promise.reject(new Error('no'))));
    assert.equal(await queue.run('b', () => Promise.resolve('done')), 'done');
  });
});
