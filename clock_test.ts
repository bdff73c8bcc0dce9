import { assertEquals, assertThrows } from "@std/assert";
import { FakeTime } from "@std/testing/time";
import { type Clock, systemClock, VirtualClock } from "@rockpool/workflow";
import { systemRandom } from "./clock.ts";

const DAY_MS = 24 * 60 * 60 * 1000;

/** Puts a `setTimeout` in place that fires only when told to, and answers the delays that it was given. */
function stubTimeouts() {
  const real = { setTimeout, clearTimeout, now: Date.now };
  const set = new Map<number, { delayMs: number; fire: () => void }>();
  const delays: number[] = [];
  let ids = 0;
  let now = 1_000;
  Object.assign(globalThis, {
    setTimeout: (fire: () => void, delayMs: number) => {
      delays.push(delayMs);
      set.set(++ids, { delayMs, fire });
      return ids;
    },
    clearTimeout: (id: number) => void set.delete(id),
  });
  Date.now = () => now;
  return {
    delays,
    pending: () => set.size,
    /** Fires what is set, `lateMs` after its time; before it if that is negative. */
    fire(lateMs = 0) {
      for (const [id, { delayMs, fire }] of [...set]) {
        set.delete(id);
        now += delayMs + lateMs;
        fire();
      }
    },
    turnBack: (ms: number) => now -= ms,
    [Symbol.dispose]() {
      const { now, ...timeouts } = real;
      Object.assign(globalThis, timeouts);
      Date.now = now;
    },
  };
}

Deno.test("systemClock.now() reads Date.now at each call", () => {
  using time = new FakeTime(7);
  assertEquals(systemClock.now(), 7);
  time.tick(5);
  assertEquals(systemClock.now(), 12);
});

Deno.test("systemRandom() reads Math.random at each call", () => {
  const { random } = Math;
  try {
    Math.random = () => 0.25;
    assertEquals(systemRandom(), 0.25);
  } finally {
    Math.random = random;
  }
});

Deno.test("systemClock.setTimer() fires once, when it is due and not before", () => {
  using time = new FakeTime(1_000);
  let fired = 0;
  systemClock.setTimer(1_100, () => fired++);
  time.tick(99);
  assertEquals(fired, 0);
  time.tick(1);
  assertEquals(fired, 1);
  time.tick(1_000);
  assertEquals(fired, 1);
});

Deno.test("systemClock.setTimer() fires after the call when it is due already", () => {
  using time = new FakeTime(1_000);
  for (const dueAt of [1_000, 5, 0, -1, -Infinity]) {
    let fired = 0;
    systemClock.setTimer(dueAt, () => fired++);
    assertEquals(fired, 0);
    time.tick(0);
    assertEquals(fired, 1);
  }
});

Deno.test("systemClock.setTimer() does not fire before a due time that is no whole number", () => {
  using time = new FakeTime(1_000);
  let firedAt = 0;
  systemClock.setTimer(1_000.25, () => firedAt = Date.now());
  time.tick(5);
  assertEquals(firedAt, 1_001);
});

Deno.test("systemClock.setTimer() waits 30 days in parts that setTimeout can take", () => {
  using timeouts = stubTimeouts();
  let fired = 0;
  systemClock.setTimer(1_000 + 30 * DAY_MS, () => fired++);
  assertEquals(timeouts.delays, [2 ** 31 - 1]);
  timeouts.fire();
  assertEquals([fired, timeouts.delays], [0, [2 ** 31 - 1, 30 * DAY_MS - (2 ** 31 - 1)]]);
  timeouts.fire();
  assertEquals([fired, timeouts.pending()], [1, 0]);
});

Deno.test("systemClock.setTimer() fires after 30 days of fake time, and not a millisecond before", () => {
  using time = new FakeTime(0);
  let firedAt = 0;
  systemClock.setTimer(30 * DAY_MS, () => firedAt = Date.now());
  time.tick(30 * DAY_MS - 1);
  assertEquals(firedAt, 0);
  time.tick(1);
  assertEquals(firedAt, 30 * DAY_MS);
});

Deno.test("systemClock.setTimer() waits again when the timeout is early", () => {
  using timeouts = stubTimeouts();
  let fired = 0;
  systemClock.setTimer(1_100, () => fired++);
  timeouts.fire(-2);
  assertEquals([fired, timeouts.delays], [0, [100, 2]]);
  timeouts.fire(-1);
  timeouts.fire(3);
  assertEquals([fired, timeouts.delays, timeouts.pending()], [1, [100, 2, 1], 0]);
});

Deno.test("systemClock.setTimer() waits again when the machine's time was turned back", () => {
  using timeouts = stubTimeouts();
  let fired = 0;
  systemClock.setTimer(1_100, () => fired++);
  timeouts.turnBack(500);
  timeouts.fire();
  assertEquals([fired, timeouts.delays], [0, [100, 500]]);
});

Deno.test("systemClock.setTimer() never fires at Infinity", () => {
  using timeouts = stubTimeouts();
  const clear = systemClock.setTimer(Infinity, () => {
    throw new Error("unreachable");
  });
  for (let i = 0; i < 3; i++) timeouts.fire();
  clear();
  assertEquals(timeouts.pending(), 0);
});

Deno.test("systemClock.setTimer() can be cleared at any time, any number of times", () => {
  using timeouts = stubTimeouts();
  let fired = 0;
  const callback = () => fired++;
  const early = systemClock.setTimer(1_100, callback);
  early();
  early();
  assertEquals(timeouts.pending(), 0);

  const split = systemClock.setTimer(1_000 + 60 * DAY_MS, callback);
  timeouts.fire();
  assertEquals(timeouts.pending(), 1);
  split();
  assertEquals([fired, timeouts.pending()], [0, 0]);

  const late = systemClock.setTimer(0, callback);
  timeouts.fire();
  late();
  assertEquals([fired, timeouts.pending()], [1, 0]);

  const inside = systemClock.setTimer(0, () => inside());
  timeouts.fire();
  assertEquals(timeouts.pending(), 0);
});

for (const [name, clock] of [["systemClock", systemClock], ["VirtualClock", new VirtualClock()]] as [string, Clock][]) {
  Deno.test(`${name}.setTimer() throws when the due time is no number`, () => {
    for (const [dueAt, shown] of [[NaN, "NaN"], [undefined, "undefined"], ["5", '"5"'], [new Date(), "a Date"]]) {
      const error = assertThrows(() => clock.setTimer(dueAt as number, () => {}), RangeError);
      assertEquals(error.message, `Cannot set a timer: "dueAt" must be a number, got ${shown}`);
    }
  });
}

Deno.test("VirtualClock shows 0 at first, or the time it is given", () => {
  assertEquals(new VirtualClock().now(), 0);
  assertEquals(new VirtualClock({ startAt: -5.5 }).now(), -5.5);
});

Deno.test("VirtualClock throws when it is to start at no time", () => {
  for (
    const [startAt, shown] of [[NaN, "NaN"], [Infinity, "Infinity"], [-Infinity, "-Infinity"], ["0", '"0"'], [
      null,
      "null",
    ]]
  ) {
    const error = assertThrows(() => new VirtualClock({ startAt: startAt as number }), RangeError);
    assertEquals(error.message, `Cannot create a clock: "startAt" must be a finite number, got ${shown}`);
  }
});

/** A virtual clock, and what fired when. */
function virtual(startAt = 0) {
  const clock = new VirtualClock({ startAt });
  const log: string[] = [];
  const set = (name: string, dueAt: number, then = () => {}) =>
    clock.setTimer(dueAt, () => {
      log.push(`${name}@${clock.now()}`);
      then();
    });
  return { clock, log, set };
}

Deno.test("VirtualClock.advance() fires what is due in order of due times, then of setting, each at its time", () => {
  const { clock, log, set } = virtual();
  set("c", 30);
  set("a", 10);
  set("b1", 20);
  set("b2", 20);
  set("late", 31);
  clock.advance(30);
  assertEquals([log, clock.now()], [["a@10", "b1@20", "b2@20", "c@30"], 30]);
});

Deno.test("VirtualClock.advance() moves on when nothing is set", () => {
  const { clock } = virtual(100);
  clock.advance(0.5);
  assertEquals(clock.now(), 100.5);
});

Deno.test("VirtualClock.advance() fires timers that are set by timers, up to the time it goes to", () => {
  const { clock, log, set } = virtual();
  set("a", 10, () => {
    set("past", 3);
    set("now", 10);
    set("next", 15, () => set("after", 25));
  });
  clock.advance(20);
  assertEquals([log, clock.now()], [["a@10", "past@10", "now@10", "next@15"], 20]);
});

Deno.test("VirtualClock.advance() by 0 fires what is due, and does not move", () => {
  const { clock, log, set } = virtual(5);
  set("past", -Infinity);
  set("now", 5);
  set("soon", 5.1);
  clock.advance(0);
  assertEquals([log, clock.now()], [["past@5", "now@5"], 5]);
});

Deno.test("VirtualClock.advance() can be called by a timer, and time never goes back", () => {
  const { clock, log, set } = virtual();
  set("a", 10, () => clock.advance(50));
  set("b", 40);
  clock.advance(20);
  assertEquals([log, clock.now()], [["a@10", "b@40"], 60]);
});

Deno.test("VirtualClock.advance() works while the clock is held", () => {
  const { clock, log, set } = virtual();
  clock.hold();
  set("a", 10);
  clock.advance(10);
  assertEquals(log, ["a@10"]);
});

Deno.test("VirtualClock.advance() lets the error of a timer out, and can go on", () => {
  const { clock, log, set } = virtual();
  set("a", 10, () => {
    throw new Error("boo");
  });
  set("b", 10);
  assertThrows(() => clock.advance(20), Error, "boo");
  clock.advance(20);
  assertEquals([log, clock.now()], [["a@10", "b@10"], 30]);
});

Deno.test("VirtualClock.advance() throws when the distance is no time, and does not move", () => {
  const { clock } = virtual();
  for (
    const [ms, shown] of [[-1, "-1"], [NaN, "NaN"], [Infinity, "Infinity"], ["1", '"1"'], [undefined, "undefined"]]
  ) {
    const error = assertThrows(() => clock.advance(ms as number), RangeError);
    assertEquals(error.message, `Cannot advance the clock: "ms" must be a finite number from 0, got ${shown}`);
  }
  assertEquals(clock.now(), 0);
});

Deno.test("VirtualClock.setTimer() fires nothing by itself", () => {
  const { clock, log, set } = virtual();
  set("past", -1);
  set("now", 0);
  assertEquals([log, clock.now()], [[], 0]);
});

Deno.test("VirtualClock.setTimer() can be cleared at any time, any number of times", () => {
  const { clock, log, set } = virtual();
  const clears = [set("a", 1), set("b", 1, () => clears[2]()), set("c", 1), set("d", 2, () => clears[3]())];
  clears[0]();
  clears[0]();
  clock.advance(5);
  for (const clear of clears) clear();
  assertEquals(log, ["b@1", "d@2"]);
});

Deno.test("VirtualClock.release() jumps from timer to timer when the last hold is taken back", () => {
  const { clock, log, set } = virtual();
  clock.hold();
  clock.hold();
  set("month", 30 * DAY_MS, () => set("nested", 60 * DAY_MS));
  set("day", DAY_MS);
  clock.release();
  assertEquals(log, []);
  clock.release();
  assertEquals(log, [`day@${DAY_MS}`, `month@${30 * DAY_MS}`, `nested@${60 * DAY_MS}`]);
  assertEquals(clock.now(), 60 * DAY_MS);
});

Deno.test("VirtualClock.release() stops at the timer that holds the clock again, until that is taken back", () => {
  const { clock, log, set } = virtual();
  clock.hold();
  set("a", 1, () => clock.hold());
  set("b", 1);
  set("c", 2);
  clock.release();
  assertEquals(log, ["a@1"]);
  clock.release();
  assertEquals(log, ["a@1", "b@1", "c@2"]);
});

Deno.test("VirtualClock.release() finishes one timer before the next when it is called by a timer", () => {
  const { clock, log, set } = virtual();
  clock.hold();
  set("a", 1, () => {
    clock.hold();
    clock.release();
    log.push("end of a");
  });
  set("b", 2);
  clock.release();
  assertEquals(log, ["a@1", "end of a", "b@2"]);
});

Deno.test("VirtualClock.release() goes on after the error of a timer", () => {
  const { clock, log, set } = virtual();
  clock.hold();
  set("a", 1, () => {
    throw new Error("boo");
  });
  set("b", 2);
  assertThrows(() => clock.release(), Error, "boo");
  clock.hold();
  clock.release();
  assertEquals(log, ["a@1", "b@2"]);
});

Deno.test("VirtualClock.release() never reaches Infinity", () => {
  const { clock, log, set } = virtual();
  clock.hold();
  set("a", 1);
  set("never", Infinity);
  clock.release();
  assertEquals([log, clock.now()], [["a@1"], 1]);
});

Deno.test("VirtualClock.release() throws when nobody holds the clock, and a later hold counts", () => {
  const { clock, log, set } = virtual();
  const error = assertThrows(() => clock.release(), RangeError);
  assertEquals(error.message, "Cannot release the clock: nobody holds it");
  set("a", 1);
  clock.hold();
  assertEquals(log, []);
  clock.release();
  assertEquals(log, ["a@1"]);
});

Deno.test("VirtualClock touches no global and no other clock", () => {
  const { clock, set } = virtual();
  const other = new VirtualClock();
  set("a", 10);
  clock.advance(DAY_MS);
  assertEquals(other.now(), 0);
});
