/** Something that will happen at a virtual instant. */
export interface QueuedEvent {
  readonly timeMs: number;
  /** Order among events of one instant: first scheduled, first run. */
  readonly sequence: number;
  /** Absent once it has run or was cancelled. */
  callback: (() => void) | undefined;
  /** Kept by the queue. */
  isQueued: boolean;
}

/**
 * Pending events ordered by (time, sequence): a 4-ary heap. Cancelling only clears the callback; cancelled events are
 * thrown out when they reach the top, or all at once when they make up more than half of the queue, so that request
 * time-outs that never fire do not pile up.
 */
export class EventQueue<E extends QueuedEvent> {
  #heap: E[] = [];
  #cancelled = 0;

  /** Events that are still going to happen. */
  get size(): number {
    return this.#heap.length - this.#cancelled;
  }

  push(event: E): void {
    const heap = this.#heap;
    let at = heap.length;
    heap.push(event);
    while (at > 0) {
      const parentAt = (at - 1) >> 2;
      const parent = heap[parentAt];
      if (parent === undefined || !isBefore(event, parent)) break;
      heap[at] = parent;
      at = parentAt;
    }
    heap[at] = event;
    event.isQueued = true;
  }

  /** The next event, left in the queue. */
  peek(): E | undefined {
    for (;;) {
      const top = this.#heap[0];
      if (top === undefined || top.callback !== undefined) return top;
      this.#removeTop();
      this.#cancelled--;
    }
  }

  pop(): E | undefined {
    const top = this.peek();
    if (top !== undefined) this.#removeTop();
    return top;
  }

  /** Keeps the event from happening, whether it is in the queue or was taken out and is held elsewhere. */
  cancel(event: E): void {
    if (event.callback === undefined) return;
    event.callback = undefined;
    if (!event.isQueued) return;
    this.#cancelled++;
    if (this.#cancelled > 64 && this.#cancelled * 2 > this.#heap.length) this.removeIf(() => false);
  }

  /** Drops these events, and every cancelled one. */
  removeIf(isUnwanted: (event: E) => boolean): void {
    const kept = this.#heap.filter((event) => {
      event.isQueued = event.callback !== undefined && !isUnwanted(event);
      return event.isQueued;
    });
    kept.sort((a, b) => (isBefore(a, b) ? -1 : 1)); // a sorted array is a heap
    this.#heap = kept;
    this.#cancelled = 0;
  }

  #removeTop(): void {
    const heap = this.#heap;
    const top = heap[0];
    const last = heap.pop();
    const size = heap.length;
    if (top !== undefined) top.isQueued = false;
    if (last === undefined || size === 0) return;
    let at = 0;
    for (;;) {
      let childAt = at * 4 + 1;
      let child = heap[childAt];
      if (child === undefined) break;
      for (let i = childAt + 1, end = Math.min(childAt + 4, size); i < end; i++) {
        const other = heap[i];
        if (other !== undefined && isBefore(other, child)) {
          child = other;
          childAt = i;
        }
      }
      if (!isBefore(child, last)) break;
      heap[at] = child;
      at = childAt;
    }
    heap[at] = last;
  }
}

function isBefore(a: QueuedEvent, b: QueuedEvent): boolean {
  return a.timeMs < b.timeMs || (a.timeMs === b.timeMs && a.sequence < b.sequence);
}
