/**
 * Timers in the order of due times, then of setting: an indexed binary heap.
 *
 * Setting and clearing a timer cost O(log n). A cleared timer is removed at once.
 *
 * @module
 */

/** A timer. Its `index` in the heap is -1 once it is removed. */
export interface Timer {
  readonly dueAt: number;
  readonly order: number;
  readonly callback: () => void;
  index: number;
}

function before(a: Timer, b: Timer): boolean {
  return a.dueAt < b.dueAt || (a.dueAt === b.dueAt && a.order < b.order);
}

export class TimerQueue {
  readonly #heap: Timer[] = [];
  #orders = 0;

  get size(): number {
    return this.#heap.length;
  }

  /** The timer that is due first. */
  peek(): Timer | undefined {
    return this.#heap[0];
  }

  set(dueAt: number, callback: () => void): Timer {
    const timer: Timer = { dueAt, order: this.#orders++, callback, index: this.#heap.length };
    this.#heap.push(timer);
    this.#siftUp(timer);
    return timer;
  }

  /** Removes a timer. Ignores a timer that is already removed. */
  clear(timer: Timer): void {
    const { index } = timer;
    if (index < 0) return;
    timer.index = -1;
    const last = this.#heap.pop()!;
    if (last === timer) return;
    this.#place(last, index);
    this.#siftUp(last);
    this.#siftDown(last);
  }

  /** Removes the first timer and calls it, if it is due. Returns whether it was. */
  fire(now: number): boolean {
    const timer = this.peek();
    if (timer === undefined || timer.dueAt > now) return false;
    this.clear(timer);
    timer.callback();
    return true;
  }

  #place(timer: Timer, index: number): void {
    this.#heap[index] = timer;
    timer.index = index;
  }

  #siftUp(timer: Timer): void {
    let { index } = timer;
    while (index > 0) {
      const parent = this.#heap[(index - 1) >> 1];
      if (before(parent, timer)) break;
      this.#place(parent, index);
      index = (index - 1) >> 1;
    }
    this.#place(timer, index);
  }

  #siftDown(timer: Timer): void {
    let { index } = timer;
    for (;;) {
      let child = 2 * index + 1;
      if (child >= this.#heap.length) break;
      if (child + 1 < this.#heap.length && before(this.#heap[child + 1], this.#heap[child])) {
        child++;
      }
      if (before(timer, this.#heap[child])) break;
      this.#place(this.#heap[child], index);
      index = child;
    }
    this.#place(timer, index);
  }
}
