import { assertEquals, assertStrictEquals } from "@std/assert";
import { type Timer, TimerQueue } from "./timer_queue.ts";
import { seeded } from "@rockpool/workflow/testing";

const noop = () => {};

/** Removes all timers, in order of due times. */
function drain(queue: TimerQueue): Timer[] {
  const timers: Timer[] = [];
  for (let timer = queue.peek(); timer !== undefined; timer = queue.peek()) {
    queue.clear(timer);
    timers.push(timer);
  }
  return timers;
}

Deno.test("TimerQueue.peek() returns undefined when the queue is empty", () => {
  assertEquals([new TimerQueue().peek(), new TimerQueue().size], [undefined, 0]);
});

Deno.test("TimerQueue.peek() returns the timer that is due first, and does not remove it", () => {
  const queue = new TimerQueue();
  queue.set(3, noop);
  const first = queue.set(-1, noop);
  queue.set(Infinity, noop);
  assertStrictEquals(queue.peek(), first);
  assertStrictEquals(queue.peek(), first);
  assertEquals(queue.size, 3);
});

Deno.test("TimerQueue keeps the order of setting among timers with the same due time", () => {
  const queue = new TimerQueue();
  const timers = Array.from({ length: 100 }, () => queue.set(5, noop));
  assertEquals(drain(queue), timers);
});

Deno.test("TimerQueue.clear() removes a timer once, and ignores a removed timer", () => {
  const queue = new TimerQueue();
  const [a, b] = [queue.set(1, noop), queue.set(2, noop)];
  queue.clear(a);
  queue.clear(a);
  assertEquals([queue.size, a.index], [1, -1]);
  assertStrictEquals(queue.peek(), b);
  queue.clear(b);
  queue.clear(b);
  assertEquals(queue.size, 0);
});

Deno.test("TimerQueue.clear() keeps no reference to a timer", () => {
  const queue = new TimerQueue();
  const far = queue.set(1e15, noop);
  for (let i = 0; i < 1_000; i++) queue.clear(queue.set(i, noop));
  assertEquals(queue.size, 1);
  assertStrictEquals(queue.peek(), far);
});

Deno.test("TimerQueue.set() returns a timer with its callback and its time", () => {
  const timer = new TimerQueue().set(7, noop);
  assertEquals([timer.dueAt, timer.callback], [7, noop]);
});

for (const seed of [1, 2, 3, 4, 5]) {
  Deno.test(`TimerQueue behaves as a sorted array in 20,000 random operations, seed ${seed}`, () => {
    const random = seeded(seed);
    const below = (n: number) => Math.floor(random() * n);
    const queue = new TimerQueue();
    const model: Timer[] = []; // sorted by due time, then by order of setting
    const left: Timer[] = [];
    for (let step = 0; step < 20_000; step++) {
      const operation = below(10);
      const where = `seed ${seed}, step ${step}`;
      if (operation < (step % 2_000 < 1_000 ? 6 : 3)) { // grows for a while, then shrinks
        const timer = queue.set(below(200) - 100, noop);
        const at = model.findIndex(({ dueAt }) => dueAt > timer.dueAt);
        model.splice(at < 0 ? model.length : at, 0, timer);
      } else if (operation < 8) {
        const [timer] = model.splice(below(model.length), 1);
        if (timer) queue.clear(timer), left.push(timer);
      } else if (operation < 9) {
        const timer = model.shift();
        assertStrictEquals(queue.peek(), timer, where);
        if (timer) queue.clear(timer), left.push(timer);
      } else if (left.length > 0) {
        queue.clear(left[below(left.length)]);
      }
      assertStrictEquals(queue.peek(), model[0], where);
      assertEquals(queue.size, model.length, where);
    }
    const drained = drain(queue);
    assertEquals(drained.length, model.length);
    drained.forEach((timer, i) => assertStrictEquals(timer, model[i], `seed ${seed}, drained ${i}`));
  });
}
