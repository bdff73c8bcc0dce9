/** Schedules: due times, overlapping and late runs, and restarts. The file is longer than 500 lines: it is a list of independent cases, which one searches by name. */

import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import {
  CanceledError,
  Executor,
  InMemoryStore,
  VirtualClock,
  type WorkflowContext,
  WorkflowError,
} from "@rockpool/workflow";
import {
  every,
  type Occurrence,
  pauseSchedule,
  resumeSchedule,
  schedule,
  type ScheduleInfo,
  scheduleInfo,
  type ScheduleOptions,
  type ScheduleRule,
  triggerSchedule,
} from "@rockpool/workflow/schedule";
import { crashTest, seeded } from "@rockpool/workflow/testing";
import { settle, setUp } from "../tests/support/executors.ts";

type Ctx = WorkflowContext;

const [HOUR_MS, DAY_MS] = [3_600_000, 86_400_000];

/** A scheduled workflow that takes some time, and notes when which run begins and ends. */
function worker(ms: number | ((dueAt: number) => number)) {
  const lines: string[] = [];
  async function work(ctx: Ctx, { dueAt, triggered }: Occurrence) {
    const name = triggered ? "trigger" : `${dueAt}`;
    lines.push(`${name} begins at ${ctx.now()}`);
    try {
      await ctx.sleep(typeof ms === "number" ? ms : ms(dueAt));
      lines.push(`${name} ends at ${ctx.now()}`);
    } catch (error) {
      lines.push(`${name} is cancelled at ${ctx.now()}`);
      throw error;
    }
  }
  return { work, lines };
}

/** Runs a schedule of every second from 0 on until it is over; answers what its runs noted. */
async function play(options: Partial<ScheduleOptions>, ms: number | ((dueAt: number) => number)): Promise<string[]> {
  const { work, lines } = worker(ms);
  const { executor } = setUp();
  const handle = await executor.execute(schedule(work, { rule: every(1000), endAt: 3000, ...options }), { id: "a" });
  const { runs, recent, nextAt, skipped } = await handle.result();
  assertEquals([runs, recent.length, nextAt], [lines.filter((line) => line.includes("begins")).length, runs, null]);
  const { rule, maxRuns, endAt = 3000 } = options;
  if (rule === undefined && maxRuns === undefined) assertEquals(runs + skipped, Math.floor(endAt / 1000) + 1);
  await executor.close();
  return lines;
}

/** Does something at a time of the virtual clock, which stands still meanwhile. */
function at(clock: VirtualClock, time: number, action: () => Promise<unknown>): void {
  clock.setTimer(time, () => {
    clock.hold();
    action().finally(() => clock.release());
  });
}

Deno.test("schedule() runs a workflow at the times of its rule until there are no more", async () => {
  assertEquals(await play({ maxRuns: 2 }, 100), [
    "0 begins at 0",
    "0 ends at 100",
    "1000 begins at 1000",
    "1000 ends at 1100",
  ]);
  const none = { nextRun: () => null };
  assertEquals(await play({ rule: none }, 100), []);
  assertEquals((await play({ endAt: 999 }, 100)).length, 2);
});

Deno.test("schedule() skips a run that is due while the previous one is in flight", async () => {
  const lines = await play({}, (dueAt) => dueAt === 0 ? 2000 : 500);
  assertEquals(lines, ["0 begins at 0", "0 ends at 2000", "3000 begins at 3000", "3000 ends at 3500"]);
});

Deno.test("schedule() queues a run that is due while the previous one is in flight, with overlap queue", async () => {
  const lines = await play({ overlap: "queue" }, (dueAt) => dueAt === 0 ? 2500 : 100);
  assertEquals(lines.filter((line) => line.includes("begins")), [
    "0 begins at 0",
    "1000 begins at 2500",
    "2000 begins at 2600",
    "3000 begins at 3000",
  ]);
});

Deno.test("schedule() skips a run that has been queued for longer than catchUpMs", async () => {
  const lines = await play({ overlap: "queue", catchUpMs: 500 }, (dueAt) => dueAt === 0 ? 2500 : 100);
  assertEquals(lines.filter((line) => line.includes("begins")), [
    "0 begins at 0",
    "2000 begins at 2500",
    "3000 begins at 3000",
  ]);
});

Deno.test("schedule() cancels the previous run and waits for its end, with overlap cancel-previous", async () => {
  const lines = await play({ overlap: "cancel-previous", endAt: 2000 }, (dueAt) => dueAt === 1000 ? 100 : 1500);
  assertEquals(lines, [
    "0 begins at 0",
    "0 is cancelled at 1000",
    "1000 begins at 1000",
    "1000 ends at 1100",
    "2000 begins at 2000",
    "2000 ends at 3500", // the last one is left to end
  ]);
});

Deno.test("schedule() runs what is due at the same time, with overlap allow, and leaves the runs when it ends", async () => {
  const { work, lines } = worker(2500);
  const { executor, store, clock } = setUp();
  const options = { rule: every(1000), overlap: "allow", maxRuns: 3 } as const;
  const handle = await executor.execute(schedule(work, options), { id: "a" });
  const { recent } = await handle.result();
  assertEquals([clock.now(), recent.map(({ status }) => status)], [2000, ["started", "started", "started"]]);
  await Promise.all(recent.map(async ({ id }) => (await executor.handle(id)).result()));
  assertEquals(lines.filter((line) => line.includes("ends")).length, 3);
  assertEquals(await store.count({ idPrefix: "a:", status: "completed" }), 3);
  await executor.close();
});

Deno.test("schedule() names a run after its time, and gives it the input of the schedule", async () => {
  const got: Occurrence<string>[] = [];
  const work = (_: Ctx, occurrence: Occurrence<string>) => void got.push(occurrence);
  const { executor, store } = setUp({ startAt: Date.UTC(2026, 4, 1, 1) });
  const rule = every(DAY_MS, { offsetMs: 2 * HOUR_MS });
  await (await executor.execute(schedule(work, { rule, maxRuns: 1 }), { id: "nightly", input: "x" })).result();
  const dueAt = Date.UTC(2026, 4, 1, 2);
  assertEquals(got, [{ scheduleId: "nightly", dueAt, triggered: false, input: "x" }]);
  const [{ workflowId }] = await store.list({ idPrefix: "nightly:" });
  assertEquals(workflowId, "nightly:2026-05-01T02:00:00.000Z");
  await executor.close();
});

Deno.test("schedule() makes the rule from its input, if the rule is a function", async () => {
  const { work, lines } = worker(0);
  const { executor } = setUp();
  const tenants = schedule<number>(work, { rule: (ms) => every(ms), maxRuns: 2 });
  const handles = await executor.executeMany(tenants, [{ id: "a", input: 700 }, { id: "b", input: 900 }]);
  for (const handle of handles) await handle.result();
  assertEquals(lines.filter((line) => line.includes("begins")).toSorted(), [
    "0 begins at 0",
    "0 begins at 0",
    "700 begins at 700",
    "900 begins at 900",
  ]);
  await executor.close();
});

Deno.test("schedule() continues when a run fails, is cancelled, takes too long or cannot be started", async () => {
  const { executor, store, clock } = setUp();
  await store.save({ workflowId: "a:1970-01-01T00:00:04.000Z", status: "running" });
  async function work(ctx: Ctx, { dueAt }: Occurrence) {
    if (dueAt === 1000) throw new RangeError("it is one o'clock");
    if (dueAt > 1000) await ctx.sleep(2000);
  }
  at(clock, 2500, () => executor.cancel("a:1970-01-01T00:00:02.000Z", "enough"));
  const options = { rule: every(1000), maxRuns: 5, timeoutMs: 600 };
  const { recent } = await (await executor.execute(schedule(work, options), { id: "a" })).result();
  assertEquals(recent.toReversed().map(({ status, error }) => [status, error]), [
    ["completed", undefined],
    ["failed", "it is one o'clock"],
    ["canceled", 'Canceled workflow "a:1970-01-01T00:00:02.000Z": enough'],
    ["failed", 'Timed out workflow "a:1970-01-01T00:00:03.000Z" after 600 ms'],
    [
      "failed",
      'Cannot execute workflow "a:1970-01-01T00:00:04.000Z": it is running already; pass onConflict "join" for its handle, or recover() if its process is gone',
    ],
  ]);
  await executor.close();
});

Deno.test("schedule() reports its next run, the number of runs and the last ten of them", async () => {
  const { work } = worker(10);
  const { executor, clock } = setUp();
  const infos: unknown[] = [];
  for (const time of [500, 20_500]) {
    at(clock, time, async () => infos.push(await executor.query("a", scheduleInfo)));
  }
  const handle = await executor.execute(schedule(work, { rule: every(1000), endAt: 21_000 }), { id: "a" });
  await handle.result();
  const run = (second: number) => {
    const id = `a:${new Date(second * 1000).toISOString()}`;
    return { id, dueAt: second * 1000, status: "completed" };
  };
  assertEquals(infos, [
    { nextAt: 1000, paused: false, runs: 1, skipped: 0, recent: [run(0)] },
    { nextAt: 21_000, paused: false, runs: 21, skipped: 0, recent: Array.from({ length: 10 }, (_, i) => run(20 - i)) },
  ]);
  await executor.close();
});

Deno.test("schedule() counts the runs that it skips, and writes them to the log", async () => {
  const lines: unknown[] = [];
  const note = (message: string, fields?: object) => void lines.push([message, fields]);
  const logger = { debug: note, info: note, warn: note, error: note };
  const { work } = worker((dueAt) => dueAt === 0 ? 2500 : 10);
  const { executor, clock } = setUp({ logger, newRunId: (id) => `run of ${id}` });
  at(clock, 100, () => executor.signal("a", triggerSchedule)); // the first run is in flight
  at(clock, 3500, () => executor.signal("a", pauseSchedule));
  at(clock, 6500, () => executor.signal("a", resumeSchedule));
  const handle = await executor.execute(schedule(work, { rule: every(1000), endAt: 8000 }), { id: "a" });
  const { runs, skipped } = await handle.result();
  assertEquals([runs, skipped], [4, 6]); // 0, 3000, 7000, 8000
  const fields = { workflowId: "a", runId: "run of a", workflowName: "schedule of work" };
  assertEquals(lines, [
    ["Skipped 1 of the runs that were due", { ...fields, skipped: 1 }],
    ["Skipped 2 of the runs that were due", { ...fields, skipped: 3 }],
    ["Skipped 3 of the runs that were due", { ...fields, skipped: 6 }],
  ]);
  await executor.close();
});

Deno.test("schedule() counts at most 1,000 skipped runs at a time, and does not ask its rule more often", async () => {
  const { work } = worker(HOUR_MS);
  const { executor } = setUp();
  let asked = 0;
  const everyMs = every(1);
  const rule = { nextRun: (after: Date) => (asked++, everyMs.nextRun(after)) };
  const handle = await executor.execute(schedule(work, { rule, maxRuns: 3 }), { id: "a" });
  const { skipped } = await handle.result();
  assertEquals([skipped, asked], [2000, 2003]);
  await executor.close();
});

Deno.test("schedule() skips what is due between pauseSchedule and resumeSchedule", async () => {
  const { work, lines } = worker(10);
  const { executor, clock } = setUp();
  at(clock, 1500, () => executor.signal("a", pauseSchedule));
  at(clock, 2500, async () => {
    const { paused, nextAt } = await executor.query("a", scheduleInfo);
    assertEquals([paused, nextAt], [true, null]);
  });
  at(clock, 4500, () => executor.signal("a", resumeSchedule));
  await (await executor.execute(schedule(work, { rule: every(1000), endAt: 6000 }), { id: "a" })).result();
  assertEquals(lines.filter((line) => line.includes("begins")).map((line) => line.split(" ")[0]), [
    "0",
    "1000",
    "5000",
    "6000",
  ]);
  await executor.close();
});

Deno.test("schedule() runs at once on triggerSchedule, also in a pause, and keeps the time of the next run", async () => {
  const { work, lines } = worker(10);
  const { executor, store, clock } = setUp();
  at(clock, 300, () => executor.signal("a", triggerSchedule));
  at(clock, 1300, () => executor.signal("a", pauseSchedule));
  at(clock, 1500, () => executor.signal("a", triggerSchedule));
  at(clock, 2500, () => executor.signal("a", resumeSchedule));
  await (await executor.execute(schedule(work, { rule: every(1000), maxRuns: 5 }), { id: "a" })).result();
  assertEquals(lines.filter((line) => line.includes("begins")), [
    "0 begins at 0",
    "trigger begins at 300",
    "1000 begins at 1000",
    "trigger begins at 1500",
    "3000 begins at 3000",
  ]);
  assert(await store.load("a:1970-01-01T00:00:00.300Z:trigger-1") !== null);
  await executor.close();
});

const triggered: [overlap: NonNullable<ScheduleOptions["overlap"]>, begins: string[]][] = [
  ["skip", ["0 begins at 0", "5000 begins at 5000"]],
  ["queue", ["0 begins at 0", "trigger begins at 800", "trigger begins at 1600", "5000 begins at 5000"]],
  ["cancel-previous", ["0 begins at 0", "trigger begins at 300", "trigger begins at 600", "5000 begins at 5000"]],
  ["allow", ["0 begins at 0", "trigger begins at 300", "trigger begins at 600", "5000 begins at 5000"]],
];
for (const [overlap, begins] of triggered) {
  Deno.test(`schedule() lets overlap ${overlap} decide on a trigger while a run is in flight`, async () => {
    const { work, lines } = worker(800);
    const { executor, clock } = setUp();
    for (const time of [300, 600]) at(clock, time, () => executor.signal("a", triggerSchedule));
    const handle = await executor.execute(schedule(work, { rule: every(5000), overlap, endAt: 5000 }), { id: "a" });
    await handle.result();
    assertEquals(lines.filter((line) => line.includes("begins")), begins);
    await executor.close();
  });
}

/** Starts a schedule at 0, has no process from 1.5 s to `backAt`, and returns the runs that are due and begin then. */
async function afterDowntime(options: Partial<ScheduleOptions>, backAt: number): Promise<string[]> {
  const { work, lines } = worker(10);
  const everySecond = schedule(work, { rule: every(1000), ...options });
  const store = new InMemoryStore();
  const clock = new VirtualClock();
  const first = new Executor({ store, clock });
  await first.execute(everySecond, { id: "a" });
  await new Promise<void>((resolve) =>
    clock.setTimer(1500, () => {
      clock.hold();
      first.close().then(resolve);
    })
  );
  lines.length = 0;
  clock.advance(backAt - clock.now());
  const next = new Executor({ store, clock, workflows: { "schedule of work": everySecond, work } });
  const [handle] = await next.recover();
  clock.release();
  const { runs, skipped } = await handle.result() as ScheduleInfo;
  const { endAt = 0 } = options;
  if (endAt < 1_000_000) assertEquals(runs + skipped, Math.floor(endAt / 1000) + 1);
  await next.close();
  return lines.filter((line) => line.includes("begins"));
}

Deno.test("schedule() runs the first run that was due while no process was there, with overlap skip", async () => {
  assertEquals(await afterDowntime({ endAt: 6000 }, 4700), [
    "2000 begins at 4700",
    "5000 begins at 5000",
    "6000 begins at 6000",
  ]);
});

Deno.test("schedule() runs the last run that was due while no process was there to its end, with overlap cancel-previous", async () => {
  assertEquals(await afterDowntime({ overlap: "cancel-previous", endAt: 5000 }, 4700), [
    "2000 begins at 4700", // its time was recorded before
    "4000 begins at 4700",
    "5000 begins at 5000",
  ]);
  assertEquals(await afterDowntime({ overlap: "cancel-previous", catchUpMs: 2000, endAt: 4000 }, 4700), [
    "4000 begins at 4700",
  ]);
});

Deno.test("schedule() runs all runs that were due while no process was there, with overlap queue or allow", async () => {
  const endAt = 5000;
  const last = "5000 begins at 5000";
  assertEquals(await afterDowntime({ overlap: "queue", endAt }, 4700), [
    "2000 begins at 4700",
    "3000 begins at 4710",
    "4000 begins at 4720",
    last,
  ]);
  assertEquals(await afterDowntime({ overlap: "allow", endAt }, 4700), [
    "2000 begins at 4700",
    "3000 begins at 4700",
    "4000 begins at 4700",
    last,
  ]);
});

Deno.test("schedule() skips a run that was due longer ago than catchUpMs", async () => {
  const catchUpMs = 1700;
  assertEquals(await afterDowntime({ overlap: "queue", catchUpMs, endAt: 4500 }, 4700), [
    "3000 begins at 4700",
    "4000 begins at 4710",
  ]);
  assertEquals(await afterDowntime({ catchUpMs: 0, endAt: 5000 }, 4700), ["5000 begins at 5000"]);
  // one hour by default
  const back = 10 * HOUR_MS + 500;
  assertEquals((await afterDowntime({ overlap: "allow", endAt: back - 500 }, back)).length, 3600);
  assertEquals(await afterDowntime({ overlap: "allow", endAt: 9 * HOUR_MS }, back), []);
});

Deno.test("schedule() uses a changed rule from the run after the one that it waits for", async () => {
  const { work, lines } = worker(10);
  const { executor, store, clock } = setUp();
  const rules = { old: every(1000), new: every(1000, { offsetMs: 100 }) };
  await executor.execute(schedule(work, { rule: rules.old }), { id: "a" });
  await new Promise<void>((resolve) => at(clock, 1500, () => executor.close().then(() => (clock.hold(), resolve()))));
  const changed = schedule(work, { rule: rules.new, endAt: 4000 });
  const next = new Executor({ store, clock, workflows: { "schedule of work": changed } });
  const [handle] = await next.recover();
  clock.release();
  await handle.result();
  assertEquals(lines.filter((line) => line.includes("begins")).map((line) => line.split(" ")[0]), [
    "0",
    "1000",
    "2000",
    "2100",
    "3100",
  ]);
  await next.close();
});

Deno.test("Executor.cancel() ends a schedule, and its run if parentClosePolicy does not say otherwise", async () => {
  for (const [parentClosePolicy, status] of [[undefined, "canceled"], ["abandon", "completed"]] as const) {
    const { work } = worker(500);
    const { executor, store, clock } = setUp();
    at(clock, 1200, () => executor.cancel("a", "enough"));
    const handle = await executor.execute(schedule(work, { rule: every(1000), parentClosePolicy }), { id: "a" });
    await assertRejects(() => handle.result(), CanceledError, "enough");
    const run = await executor.handle("a:1970-01-01T00:00:01.000Z");
    await run.result().catch(() => {});
    assertEquals((await store.load(run.id))!.status, status);
    await executor.close();
  }
});

Deno.test("Executor.cancel() ends a schedule that waits, is paused, or begins its last run", async () => {
  for (const time of [500, 1000, 2500]) {
    const { work } = worker(1000);
    const { executor, clock } = setUp();
    if (time === 500) at(clock, 100, () => executor.signal("a", pauseSchedule));
    at(clock, time, () => executor.cancel("a"));
    const options = { rule: every(2000), maxRuns: 2, overlap: "cancel-previous" } as const;
    const handle = await executor.execute(schedule(work, options), { id: "a" });
    await assertRejects(() => handle.result(), CanceledError);
    await executor.close();
  }
});

const badRules: [what: string, rule: ScheduleRule, got: string][] = [
  ["the same time", { nextRun: (after) => after }, "1969-12-31T23:59:59.999Z"],
  ["no valid time", { nextRun: () => new Date(NaN) }, "an invalid Date"],
  ["no Date", { nextRun: () => undefined as never }, "undefined"],
];
for (const [what, rule, got] of badRules) {
  Deno.test(`schedule() fails when its rule returns ${what}`, async () => {
    const { executor } = setUp();
    const handle = await executor.execute(schedule(() => {}, { rule }), { id: "a" });
    const error = await assertRejects(() => handle.result(), RangeError);
    assertEquals(
      error.message,
      `Cannot run schedule "a": its rule was asked for a time after 1969-12-31T23:59:59.999Z, got ${got}`,
    );
    await executor.close();
  });
}

Deno.test("schedule() refuses bad arguments", () => {
  const rule = every(1);
  const bad: [options: unknown, message: string][] = [
    [undefined, '"options" must be an object, got undefined'],
    [{}, '"rule" must be an object with nextRun() or a function that makes one, got undefined'],
    [{ rule, overlap: "no" }, '"overlap" must be one of "skip", "queue", "cancel-previous", "allow", got "no"'],
    [{ rule, catchUpMs: -1 }, '"catchUpMs" must be a finite number from 0, got -1'],
    [{ rule, endAt: NaN }, '"endAt" must be a finite number, got NaN'],
    [{ rule, maxRuns: 0 }, '"maxRuns" must be an integer from 1, got 0'],
    [{ rule, maxRun: 7 }, '"options" has no option "maxRun"; did you mean "maxRuns"?'],
    [{ rule, Overlap: "skip" }, '"options" has no option "Overlap"; did you mean "overlap"?'],
    [{ rule, timeout: 7 }, '"options" has no option "timeout"; did you mean "timeoutMs"?'],
    [{ rule, timeoutMs: 0 }, '"timeoutMs" must be a finite number above 0, got 0'],
    [
      { rule, parentClosePolicy: "no" },
      '"parentClosePolicy" must be one of "cancel", "terminate", "abandon", got "no"',
    ],
    [
      { rule, overlap: "allow", parentClosePolicy: "cancel" },
      'with "overlap" "allow", "parentClosePolicy" can only be "abandon"',
    ],
  ];
  for (const [options, message] of bad) {
    assertThrows(() => schedule(() => {}, options as ScheduleOptions), Error, `Cannot make a schedule: ${message}`);
  }
  assertThrows(() => schedule("x" as never, { rule }), TypeError, '"workflow" must be a function, got "x"');
});

for (const overlap of ["skip", "queue", "cancel-previous", "allow"] as const) {
  Deno.test(`schedule() with overlap ${overlap} has the same outcome wherever its process dies`, async () => {
    const act = (dueAt: number) => {
      if (dueAt === 2000) throw new RangeError("two");
    };
    const work = async (ctx: Ctx, { dueAt }: Occurrence) => {
      await ctx.sleep(dueAt === 1000 ? 1500 : 300);
      await ctx.executeActivity(act, dueAt);
    };
    const { undisturbed } = await crashTest(schedule(work, { rule: every(1000), overlap, endAt: 6000 }), {
      workflows: { work },
      signals: [
        { atMs: 1200, name: triggerSchedule },
        { atMs: 3100, name: pauseSchedule },
        { atMs: 4100, name: resumeSchedule },
      ],
    });
    assertEquals(undisturbed.state.status, "completed");
  });
}

Deno.test("schedule() runs each day of a year once, whenever it is stopped, and keeps its history short", async () => {
  for (let seed = 1; seed <= 10; seed++) {
    const random = seeded(seed);
    const days = new Map<number, number>();
    const count = (dueAt: number) => void days.set(dueAt, (days.get(dueAt) ?? 0) + 1);
    const work = async (ctx: Ctx, { dueAt }: Occurrence) => {
      await ctx.sleep(HOUR_MS);
      await ctx.executeActivity(count, dueAt, { atMostOnce: true });
      if (dueAt % (7 * DAY_MS) === 0) throw new Error("it is a bad day");
    };
    const daily = schedule(work, { rule: every(DAY_MS), maxRuns: 365 });
    const store = new InMemoryStore();
    const clock = new VirtualClock();
    const options = { store, clock, workflows: { daily, work } };
    let executor = new Executor(options);
    await executor.execute(daily, { id: "a" });
    let longest = 0;
    for (let stop = 0; stop < 30; stop++) {
      await new Promise<void>((resolve) =>
        clock.setTimer(clock.now() + random() * 15 * DAY_MS, () => {
          clock.hold();
          resolve();
        })
      );
      for (let turns = Math.floor(random() * 5); turns > 0; turns--) await null;
      await executor.close();
      longest = Math.max(longest, (await store.load("a"))!.history.length);
      executor = new Executor(options);
      await executor.recover();
      clock.release();
    }
    const { runs } = await (await executor.handle<{ runs: number }>("a")).result();
    assertEquals([runs, days.size, Math.max(...days.values())], [365, 365, 1], `seed ${seed}`);
    assertEquals([...days.keys()].toSorted((a, b) => a - b)[364], 364 * DAY_MS, `seed ${seed}`);
    assert(longest < 520, `${longest} events`);
    await executor.close();
  }
});

Deno.test("schedule() loses no signal when it continues as new", async () => {
  const { work } = worker(0);
  const { executor, store } = setUp();
  const handle = await executor.execute(schedule(work, { rule: every(1e12), overlap: "queue", maxRuns: 251 }), {
    id: "a",
  });
  await settle();
  for (let i = 0; i < 250; i += 5) {
    await Promise.all([1, 2, 3, 4, 5].map(() => executor.signal("a", triggerSchedule)));
  }
  assertEquals((await handle.result()).runs, 251);
  assertEquals(await store.count({ idPrefix: "a:" }), 251);
  await executor.close();
});

Deno.test("schedule() answers its query and refuses signals after it has ended", async () => {
  const { work } = worker(0);
  const { executor } = setUp();
  await (await executor.execute(schedule(work, { rule: every(1000), maxRuns: 1 }), { id: "a" })).result();
  assertEquals((await executor.query("a", scheduleInfo)).runs, 1);
  const error = await assertRejects(() => executor.signal("a", triggerSchedule), WorkflowError);
  assertEquals(error.code, "not_found");
  await executor.close();
});
