import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { OpenFilesMemory } from './open-files-memory.ts';

function holder(): { asked: number; finishSoon(): void } {
  return {
    asked: 0,
    finishSoon() {
      this.asked += 1;
    },
  };
}

describe('the memory of open files', () => {
  it('has the largest file finished when it is full, and lets others go on when there is room', () => {
    const memory = new OpenFilesMemory(100);
    const [small, large] = [holder(), holder()];
    memory.update(small, 30);
    memory.update(large, 60);
    assert.equal(memory.isFull, false);
    memory.update(small, 45);
    assert.deepEqual([memory.isFull, small.asked, large.asked], [true, 0, 1]);
    let went = 0;
    memory.onRoom(() => {
      went += 1;
    });
    memory.update(large, 0);
    assert.deepEqual([memory.usedBytes, memory.isFull, went], [45, false, 1]);
  });

  it('forgets who no longer waits', () => {
    const memory = new OpenFilesMemory(1);
    const only = holder();
    memory.update(only, 2);
    memory.onRoom(() => {
      assert.fail('it does not wait any more');
    })();
    memory.update(only, 0);
  });
});
