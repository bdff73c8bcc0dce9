/** The alarm of a Durable Object, in fake time. With real alarms: `matrix/durable_objects.ts`. */

import { assertEquals } from "@std/assert";
import { FakeTime } from "@std/testing/time";
import { AlarmClock } from "./alarm_clock.ts";
import type { ObjectAlarmStorage } from "./platform.ts";

const RESUME_MS = 10_000;

/** A clock, and the alarms that it has set: times from its start. `null` is none. */
function clockOf() {
  const startedAt = Date.now();
  const set: (number | null)[] = [];
  let alarmAt: number | null = null;
  const setTo = (at: number | null) => (set.push(at && at - startedAt), alarmAt = at, Promise.resolve());
  const storage: Pick<ObjectAlarmStorage, "getAlarm" | "setAlarm" | "deleteAlarm"> = {
    getAlarm: () => Promise.resolve(alarmAt),
    setAlarm: setTo,
    deleteAlarm: () => setTo(null),
  };
  const clock = new AlarmClock({
    storage: storage as ObjectAlarmStorage,
    now: () => Date.now(),
    resumeAfterMs: () => RESUME_MS,
    isStuck: () => Promise.resolve(false),
    report: (error) => {
      throw error;
    },
  });
  return { clock, set, setTo };
}

Deno.test("AlarmClock.hold() sets one alarm, and another one when the platform has given that up", () => {
  using time = new FakeTime();
  const { clock, set } = clockOf();
  clock.hold();
  clock.release();
  clock.hold();
  assertEquals(set, [RESUME_MS]);
  time.tick(RESUME_MS + 50_000); // it is late
  clock.release();
  clock.hold();
  assertEquals(set, [RESUME_MS]);
  time.tick(20_000); // it is lost
  clock.release();
  clock.hold();
  assertEquals(set, [RESUME_MS, 80_000 + RESUME_MS]);
});

Deno.test("AlarmClock.keep() keeps an alarm, and sets another one when the platform has given that up", async () => {
  using time = new FakeTime();
  const { clock, set, setTo } = clockOf();
  setTo(Date.now() + 5_000);
  await clock.load();
  clock.keep();
  assertEquals(set, [5_000]);
  time.tick(70_000);
  clock.keep();
  assertEquals(set, [5_000, 670_000]);
});

Deno.test("AlarmClock.ring() fires the timers that are due, and sets the alarm to the next one", async () => {
  using time = new FakeTime();
  const { clock, set } = clockOf();
  const fired: string[] = [];
  clock.setTimer(Date.now() + 3_600_000, () => fired.push("an hour"));
  clock.setTimer(Date.now() + 7_200_000, () => fired.push("two hours"));
  await time.tickAsync(1_000);
  assertEquals([fired, set], [[], [3_600_000]]);
  await time.tickAsync(3_599_000);
  assertEquals(fired, []); // no timer in memory
  await clock.ring();
  assertEquals([fired, set], [["an hour"], [3_600_000, 7_200_000]]);
  await time.tickAsync(10_000);
});
