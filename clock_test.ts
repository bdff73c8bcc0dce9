/** `systemClock` and `VirtualClock`. The file is longer than 500 lines: it is a list of independent cases, which one searches by name. */

import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import { FakeTime } from "@std/testing/time";
import {
  type Clock,
  Executor,
  InMemoryStore,
  systemClock,
  VirtualClock,
  type VirtualClockOptions,
  type WorkflowContext,
} from "@rockpool/workflow";
import { systemRandom } from "./clock.ts";
import { gate, settle, setUp } from "./tests/support/executors.ts";

const DAY_MS = 24 * 60 * 60 * 1000;

/** Replaces `setTimeout` by one that fires only in a call of `fire`, and records the delays. */
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
    /** Fires the pending timeouts, `lateMs` too late; too early if that is negative. */
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

Deno.test("systemClock.setTimer() fires after the call when it is already due", () => {
  using time = new FakeTime(1_000);
  for (const dueAt of [1_000, 5, 0, -1, -Infinity]) {
    let fired = 0;
    systemClock.setTimer(dueAt, () => fired++);
    assertEquals(fired, 0);
    time.tick(0);
    assertEquals(fired, 1);
  }
});

Deno.test("systemClock.setTimer() does not fire before a due time that is not an integer", () => {
  using time = new FakeTime(1_000);
  let firedAt = 0;
  systemClock.setTimer(1_000.25, () => firedAt = Date.now());
  time.tick(5);
  assertEquals(firedAt, 1_001);
});

Deno.test("systemClock.setTimer() waits 30 days in parts that setTimeout accepts", () => {
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

Deno.test("systemClock.setTimer() waits again when the system's time was turned back", () => {
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

Deno.test("systemClock.setTimer() can be cleared at any time, more than once", () => {
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

Deno.test("VirtualClock starts at 0, or at the given time", () => {
  assertEquals(new VirtualClock().now(), 0);
  assertEquals(new VirtualClock({ startAt: -5.5 }).now(), -5.5);
});

Deno.test("VirtualClock throws when startAt is not a finite number", () => {
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

Deno.test("VirtualClock throws when an option is unknown, or the options are no object", () => {
  for (
    const [options, message] of [
      [{ autoAdvanced: false }, '"options" has no option "autoAdvanced"; did you mean "autoAdvance"?'],
      [{ now: 5 }, '"options" has no option "now"; the options are "startAt", "autoAdvance"'],
      [{ autoAdvance: "no" }, '"autoAdvance" must be a boolean, got "no"'],
      [null, '"options" must be an object, got null'],
    ] as const
  ) {
    const error = assertThrows(() => new VirtualClock(options as unknown as VirtualClockOptions), TypeError);
    assertEquals(error.message, `Cannot create a clock: ${message}`);
  }
});

/** A virtual clock, and a log of the timers that fired. */
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

Deno.test("VirtualClock.advance() fires timers in the order of due times, then of setting, each at its time", () => {
  const { clock, log, set } = virtual();
  set("c", 30);
  set("a", 10);
  set("b1", 20);
  set("b2", 20);
  set("late", 31);
  clock.advance(30);
  assertEquals([log, clock.now()], [["a@10", "b1@20", "b2@20", "c@30"], 30]);
});

Deno.test("VirtualClock.advance() moves the clock when there is no timer", () => {
  const { clock } = virtual(100);
  clock.advance(0.5);
  assertEquals(clock.now(), 100.5);
});

Deno.test("VirtualClock.advance() fires timers that timers set, up to its target time", () => {
  const { clock, log, set } = virtual();
  set("a", 10, () => {
    set("past", 3);
    set("now", 10);
    set("next", 15, () => set("after", 25));
  });
  clock.advance(20);
  assertEquals([log, clock.now()], [["a@10", "past@10", "now@10", "next@15"], 20]);
});

Deno.test("VirtualClock.advance() by 0 fires the timers that are due, and does not move", () => {
  const { clock, log, set } = virtual(5);
  set("past", -Infinity);
  set("now", 5);
  set("soon", 5.1);
  clock.advance(0);
  assertEquals([log, clock.now()], [["past@5", "now@5"], 5]);
});

Deno.test("VirtualClock.advance() can be called by a timer, and time never moves back", () => {
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

Deno.test("VirtualClock.advance() rejects with the error of a timer, and can be called again", async () => {
  const { clock, log, set } = virtual();
  set("a", 10, () => {
    throw new Error("boo");
  });
  set("b", 10);
  await assertRejects(() => clock.advance(20), Error, "boo");
  await clock.advance(20);
  assertEquals([log, clock.now()], [["a@10", "b@10"], 30]);
});

Deno.test("VirtualClock.advance() rejects when ms is not a finite number from 0, and does not move", async () => {
  const { clock } = virtual();
  for (
    const [ms, shown] of [[-1, "-1"], [NaN, "NaN"], [Infinity, "Infinity"], ["1", '"1"'], [undefined, "undefined"]]
  ) {
    const error = await assertRejects(() => clock.advance(ms as number), RangeError);
    assertEquals(error.message, `Cannot advance the clock: "ms" must be a finite number from 0, got ${shown}`);
  }
  assertEquals(clock.now(), 0);
});

Deno.test("VirtualClock.advanceTo() moves to a time, and never back", async () => {
  const { clock, log, set } = virtual(100);
  set("a", 150);
  await clock.advanceTo(150);
  await clock.advanceTo(150);
  assertEquals([log, clock.now()], [["a@150"], 150]);
  for (const [time, shown] of [[149, "149"], [Infinity, "Infinity"], [NaN, "NaN"]]) {
    const error = await assertRejects(() => clock.advanceTo(time as number), RangeError);
    assertEquals(error.message, `Cannot advance the clock: "time" must be a finite number from 150, got ${shown}`);
  }
});

Deno.test("VirtualClock.setTimer() fires nothing by itself", () => {
  const { clock, log, set } = virtual();
  set("past", -1);
  set("now", 0);
  assertEquals([log, clock.now()], [[], 0]);
});

Deno.test("VirtualClock.setTimer() can be cleared at any time, more than once", () => {
  const { clock, log, set } = virtual();
  const clears = [set("a", 1), set("b", 1, () => clears[2]()), set("c", 1), set("d", 2, () => clears[3]())];
  clears[0]();
  clears[0]();
  clock.advance(5);
  for (const clear of clears) clear();
  assertEquals(log, ["b@1", "d@2"]);
});

Deno.test("VirtualClock.release() jumps from timer to timer after the last hold", () => {
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

Deno.test("VirtualClock.release() stops at a timer that holds the clock, until that hold is released", () => {
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

Deno.test("VirtualClock.release() can be called after the error of a timer", () => {
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

Deno.test("VirtualClock changes no global and no other clock", () => {
  const { clock, set } = virtual();
  const other = new VirtualClock();
  set("a", 10);
  clock.advance(DAY_MS);
  assertEquals(other.now(), 0);
});

const HOUR_MS = 60 * 60 * 1000;

/** An executor whose clock moves only by calls, and a workflow that counts its hours. */
function byHand() {
  const clock = new VirtualClock({ autoAdvance: false });
  const hours: number[] = [];
  const watch = async (ctx: WorkflowContext, count: number) => {
    for (let i = 0; i < count; i++) {
      await ctx.sleep(HOUR_MS);
      await ctx.executeActivity(() => void hours.push(clock.now() / HOUR_MS), undefined, { name: "count" });
    }
  };
  return { ...setUp({ clock }), clock, hours, watch };
}

Deno.test("VirtualClock.advance() fires the timers that workflows set on the way", async () => {
  const { clock, executor, hours, watch } = byHand();
  const handle = await executor.execute(watch, { input: 30 });
  await clock.advance(DAY_MS);
  assertEquals(hours, Array.from({ length: 24 }, (_, i) => i + 1));
  assertEquals([clock.now(), handle.status], [DAY_MS, "running"]);
  await clock.advance(6 * HOUR_MS);
  assertEquals([hours.length, handle.status], [30, "completed"]);
  await executor.close();
});

Deno.test("VirtualClock.advance() waits for a slow store, and not for a hold that is not working", async () => {
  const store = new InMemoryStore();
  const append = store.append.bind(store);
  const opened = gate();
  let slow = false;
  store.append = async (batch) => {
    if (slow) await opened.promise;
    await append(batch);
  };
  const clock = new VirtualClock();
  const { executor } = setUp({ store, clock });
  clock.hold();
  const handle = await executor.execute((ctx) => ctx.sleep(10));
  await clock.advance(0);
  slow = true;
  let there = false;
  const advanced = clock.advance(10).then(() => there = true);
  await settle();
  assertEquals([there, clock.now()], [false, 10]);
  opened.open();
  await advanced;
  assertEquals(handle.status, "completed");
  await executor.close();
});

Deno.test("VirtualClock.advance() moves past the timeout of an activity that never ends", async () => {
  const { clock, executor, hours } = byHand();
  const stuck = async (ctx: WorkflowContext) => {
    const retry = {
      maxAttempts: 3,
      initialIntervalMs: HOUR_MS,
      maxIntervalMs: HOUR_MS,
      jitter: false,
      backoffCoefficient: 1,
    } as const;
    const name = "stuck";
    await ctx.executeActivity(
      () => (hours.push(clock.now() / HOUR_MS), new Promise(() => {})),
      undefined,
      { name, timeoutMs: HOUR_MS, retry },
    );
  };
  const handle = await executor.execute(stuck);
  await clock.advance(DAY_MS);
  assertEquals([hours, handle.status, clock.now()], [[0, 2, 4], "failed", DAY_MS]);
  await executor.close();
});

Deno.test("VirtualClock.advance() can be awaited by an activity", async () => {
  const { executor, clock } = setUp();
  const handle = await executor.execute((ctx) => ctx.executeActivity(() => clock.advance(7), undefined, { name: "a" }));
  await handle.result();
  assertEquals(clock.now(), 7);
  await executor.close();
});

Deno.test("VirtualClock.advance() lets a clock that jumps by itself jump again, after its caller has continued", async () => {
  const { executor, clock } = setUp();
  const handle = await executor.execute((ctx) => ctx.sleep(DAY_MS));
  await clock.advance(HOUR_MS);
  assertEquals(clock.now(), HOUR_MS);
  clock.hold();
  await settle();
  assertEquals(clock.now(), HOUR_MS);
  clock.release();
  await handle.result();
  const next = await executor.execute((ctx) => ctx.sleep(DAY_MS));
  await clock.advance(HOUR_MS);
  await next.result();
  assertEquals(clock.now(), 2 * DAY_MS);
  await executor.close();
});

Deno.test("VirtualClock does not jump with autoAdvance false, even if everything is idle", async () => {
  const { clock, executor, watch } = byHand();
  const handle = await executor.execute(watch, { input: 1 });
  await settle();
  assertEquals([clock.now(), clock.idle, handle.status], [0, true, "running"]);
  await executor.close();
});

Deno.test("VirtualClock.runUntilIdle() runs everything that can run, and leaves the rest waiting", async () => {
  for (const autoAdvance of [true, false]) {
    const clock = new VirtualClock({ autoAdvance });
    const { executor } = setUp({ clock });
    const waits = await executor.execute(async (ctx) => {
      await ctx.sleep(DAY_MS);
      await ctx.waitForSignal("go");
      await ctx.sleep(DAY_MS);
    }, { id: "waits" });
    const works = await executor.execute((ctx) => ctx.executeActivity(settle)); // takes its time
    await clock.runUntilIdle();
    assertEquals([clock.now(), clock.idle, waits.status, works.status], [DAY_MS, true, "running", "completed"]);
    const sent = executor.signal("waits", "go");
    await clock.runUntilIdle(); // although the signal is not stored yet
    assertEquals([clock.now(), waits.status], [2 * DAY_MS, "completed"]);
    await sent;
    await executor.close();
  }
});

Deno.test("VirtualClock.runUntilIdle() waits for holds, and never reaches Infinity", async () => {
  const { clock, log, set } = virtual();
  set("a", 1);
  set("never", Infinity);
  clock.hold();
  const idle = clock.runUntilIdle();
  await settle();
  assertEquals([log, clock.idle], [[], false]);
  clock.release();
  await idle;
  assertEquals([log, clock.now(), clock.idle], [["a@1"], 1, true]);
});

Deno.test("VirtualClock.idle is false while there is work, or a timer to which the clock jumps", async () => {
  const { clock, set } = virtual();
  assertEquals(clock.idle, true);
  clock.hold();
  assertEquals(clock.idle, false);
  clock.release();
  const clear = set("a", 1);
  assertEquals(clock.idle, false);
  clear();
  assertEquals(clock.idle, true);
  clock.hold(true);
  const advanced = clock.advance(1);
  assertEquals(clock.idle, false);
  clock.release(true);
  await advanced;
  assertEquals(clock.idle, true);
});

Deno.test("VirtualClock.whenIdle() waits until there is no work, and does not move the clock", async () => {
  const clock = new VirtualClock({ autoAdvance: false });
  await clock.whenIdle();
  const log: string[] = [];
  clock.setTimer(5, () => {});
  clock.hold();
  clock.hold(true);
  const idle = clock.whenIdle().then(() => log.push(`idle at ${clock.now()}`));
  clock.release();
  await settle();
  const advanced = clock.advance(3).then(() => log.push("advanced"));
  clock.release(true);
  await Promise.all([idle, advanced]);
  assertEquals(log.toSorted(), ["advanced", "idle at 3"]);
});

Deno.test("VirtualClock.at() calls back at a time after the start, and the clock stands still meanwhile", async () => {
  for (const autoAdvance of [true, false]) {
    const clock = new VirtualClock({ startAt: 1_000_000, autoAdvance });
    const { executor } = setUp({ clock });
    clock.at(3 * DAY_MS, async () => {
      await settle();
      await executor.signal("order", "approval", clock.now());
    });
    const cancel = clock.at(DAY_MS, () => {
      throw new Error("unreachable");
    });
    cancel();
    const handle = await executor.execute(async (ctx) => {
      const payload = await ctx.waitForSignal("approval", { timeoutMs: 7 * DAY_MS });
      return [payload, ctx.now()];
    }, { id: "order" });
    if (!autoAdvance) {
      await clock.advance(3 * DAY_MS - 1);
      assertEquals(handle.status, "running");
      await clock.advance(1);
      assertEquals(handle.status, "completed");
    }
    assertEquals(await handle.result(), [1_000_000 + 3 * DAY_MS, 1_000_000 + 3 * DAY_MS]);
    await executor.close();
  }
});

Deno.test("VirtualClock.at() in the past calls back as soon as the clock fires timers", async () => {
  const { clock, log } = virtual(100);
  await clock.advance(50);
  clock.at(20, () => void log.push(`at ${clock.now()}`));
  await clock.advance(0);
  assertEquals(log, ["at 150"]);
});

Deno.test("VirtualClock.at() throws the error of its callback from the call that moves the clock, which can be moved again", async () => {
  const clock = new VirtualClock({ autoAdvance: false });
  const log: string[] = [];
  clock.at(10, () => {
    throw new Error("at once");
  });
  clock.at(20, () => Promise.reject(new Error("later")));
  clock.setTimer(30, () => log.push("a"));
  await assertRejects(() => clock.advance(20), Error, "at once");
  await assertRejects(() => clock.runUntilIdle(), Error, "later");
  await clock.runUntilIdle();
  assertEquals([log, clock.now()], [["a"], 30]);
});

Deno.test("VirtualClock.at() leaves the error of its callback unhandled when the clock jumps by itself", async () => {
  const { clock } = virtual();
  clock.at(10, () => Promise.reject(new Error("not handled")));
  const unhandled = new Promise<Error>((resolve) =>
    globalThis.addEventListener("unhandledrejection", (event) => {
      event.preventDefault();
      resolve(event.reason);
    }, { once: true })
  );
  clock.hold();
  clock.release();
  assertEquals((await unhandled).message, "not handled");
});

Deno.test("VirtualClock.at() throws when an argument is bad", () => {
  const { clock } = virtual();
  assertEquals(
    [[-1, () => {}], [1, "call"]].map(([ms, callback]) =>
      assertThrows(() => clock.at(ms as number, callback as () => void), Error).message
    ),
    [
      'Cannot set a callback: "ms" must be a finite number from 0, got -1',
      'Cannot set a callback: "callback" must be a function, got "call"',
    ],
  );
});

Deno.test("VirtualClock moves two executors that share it step by step", async () => {
  const { clock, executor, hours, watch } = byHand();
  const other = new Executor({ store: new InMemoryStore(), clock });
  await executor.execute(watch, { input: 3 });
  await clock.advance(HOUR_MS / 2);
  await other.execute(watch, { input: 3 });
  await clock.advance(3 * HOUR_MS);
  assertEquals(hours, [1, 1.5, 2, 2.5, 3, 3.5]);
  await Promise.all([executor.close(), other.close()]);
});

Deno.test("VirtualClock.next() moves to the next timer and fires it at once, even if the clock is held", () => {
  const clock = new VirtualClock({ startAt: 100 });
  const fired: number[] = [];
  clock.hold(true);
  clock.setTimer(300, () => fired.push(clock.now()));
  clock.setTimer(200, () => fired.push(clock.now()));
  clock.setTimer(Infinity, () => fired.push(Infinity));
  assertEquals([clock.next(), ...fired], [true, 200]);
  assertEquals([clock.next(), ...fired], [true, 200, 300]);
  assertEquals([clock.next(), clock.now()], [false, 300]);
});
