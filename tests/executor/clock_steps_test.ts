/** A clock that is set back or forward while workflows run. */

import { assert, assertEquals } from "@std/assert";
import { Executor, type ExecutorOptions, InMemoryStore, type WorkflowContext } from "@rockpool/workflow";
import { formatTimeline, toMermaid, toSvg } from "@rockpool/workflow/pictures";
import { every, type Occurrence, schedule, triggerSchedule } from "@rockpool/workflow/schedule";
import { ofType, typesOf } from "../support/executors.ts";
import { SettableClock } from "../support/settable_clock.ts";

type Ctx = WorkflowContext;

const HOUR_MS = 3_600_000;
const START = 1_000 * HOUR_MS;

function setUp(options: ExecutorOptions = {}) {
  const clock = new SettableClock(START);
  const store = new InMemoryStore({ clock });
  return { clock, store, executor: new Executor({ clock, store, ...options }) };
}

const assertAscending = (times: readonly number[]) => assertEquals(times, times.toSorted((a, b) => a - b));

Deno.test("WorkflowContext.now() never decreases when the clock is set back, also on replay and over continueAsNew", async () => {
  const times: number[] = [];
  async function ticks(ctx: Ctx<number>, run: number) {
    for (let i = 0; i < 3; i++) {
      times.push(ctx.now());
      await ctx.waitForSignal("tick");
    }
    times.push(ctx.now());
    if (run < 2) await ctx.continueAsNew(run + 1);
    await ctx.waitForSignal("end");
  }
  type Ctx<Input> = WorkflowContext<Input>;
  const { clock, store, executor } = setUp();
  await executor.execute(ticks, { id: "a", input: 1 });
  for (const stepMs of [0, -HOUR_MS, 10, -10, HOUR_MS / 2, -2 * HOUR_MS]) {
    clock.step(stepMs);
    await executor.signal("a", "tick");
    await clock.elapsed.advance(1000);
  }
  assertEquals(times.length, 8);
  assertAscending(times);
  const live = times.splice(0);
  await executor.close();
  await using next = new Executor({ clock, store, workflows: { ticks } });
  await next.recover();
  await clock.elapsed.advance(0);
  assertEquals(times, live.slice(4));
  const state = (await store.load("a"))!;
  assert(state.history.some(({ at }, i) => i > 0 && at < state.history[i - 1].at), "recorded times go back");
  for (const picture of [formatTimeline(state), toSvg(state), toMermaid(state, { kind: "gantt" })]) {
    assert(!/NaN|Infinity|undefined/.test(picture), picture);
  }
});

Deno.test("WorkflowContext.now() can be before the epoch", async () => {
  const { clock, executor } = setUp();
  clock.step(-2 * START);
  const handle = await executor.execute((ctx: Ctx) => ctx.now());
  assertEquals(await handle.result(), -START);
  await executor.close();
});

Deno.test("WorkflowContext.sleep() that begins after a step back takes its time; one that began before waits for the clock", async () => {
  const log: string[] = [];
  const { clock, executor } = setUp();
  await executor.execute(async (ctx: Ctx) => {
    await ctx.sleep(1000);
    log.push("before");
  });
  await executor.execute(async (ctx: Ctx) => {
    await ctx.waitForSignal("go");
    await ctx.sleep(1000);
    log.push("after");
  }, { id: "after" });
  await clock.elapsed.advance(0);
  clock.step(-HOUR_MS);
  await executor.signal("after", "go");
  await clock.elapsed.advance(1000);
  assertEquals(log, ["after"]);
  await clock.elapsed.advance(HOUR_MS);
  assertEquals(log, ["after", "before"]);
  await executor.close();
});

Deno.test("WorkflowContext.sleep() ends when its delay has passed after the clock is set forward", async () => {
  const { clock, executor } = setUp();
  const handle = await executor.execute((ctx: Ctx) => ctx.sleep(1000).then(() => ctx.now()));
  await clock.elapsed.advance(0);
  clock.step(HOUR_MS);
  await clock.elapsed.advance(999);
  assertEquals(handle.status, "running");
  await clock.elapsed.advance(1);
  assertEquals(await handle.result(), START + HOUR_MS + 1000);
  await executor.close();
});

Deno.test("WorkflowContext.sleep() can be as long as a number can be, again and again", async () => {
  const { clock, executor, store } = setUp();
  await executor.execute(async (ctx: Ctx) => {
    for (let i = 0; i < 3; i++) await ctx.sleep(Number.MAX_VALUE);
  }, { id: "a" });
  await clock.elapsed.runUntilIdle();
  assertEquals((await store.load("a"))!.status, "completed");
  await executor.close();
});

Deno.test("Executor.cancel() by a clock that is behind the start time does not undo the start", async () => {
  const { clock, store, executor } = setUp();
  let began = 0;
  const workflow = async function late(ctx: Ctx) {
    began++;
    await ctx.executeActivity(() => {});
    await ctx.waitForSignal("never").catch(() => {});
    await ctx.shield((ctx) => ctx.waitForSignal("cleaned up"));
    return "done";
  };
  await executor.execute(workflow, { id: "a", startAfterMs: 1000 });
  await clock.elapsed.advance(1000);
  clock.step(-HOUR_MS);
  await executor.cancel("a");
  await executor.close();
  await using next = new Executor({ clock, store, workflows: { late: workflow } });
  const [handle] = await next.recover();
  await next.signal("a", "cleaned up");
  assertEquals([await handle.result(), began], ["done", 2]);
});

Deno.test("ActivityContext.heartbeat() records details again half a timeout after the clock is set back", async () => {
  const { clock, store, executor } = setUp();
  let beat!: (details: unknown) => void;
  await executor.execute(async (ctx: Ctx) => {
    await ctx.executeActivity(
      function work(_, { heartbeat }) {
        beat = heartbeat;
        return new Promise<void>(() => {});
      },
      undefined,
      { heartbeatTimeoutMs: 1000 },
    );
  }, { id: "a" });
  await clock.elapsed.advance(0);
  beat(1);
  await clock.elapsed.advance(100);
  clock.step(-HOUR_MS);
  beat(2);
  await clock.elapsed.advance(500);
  const { history } = (await store.load("a"))!;
  assertEquals(ofType(history, "activity_heartbeat").map(({ details }) => details), [1, 2]);
  await executor.close();
});

Deno.test("schedule() begins no run early when the clock is set back", async () => {
  const { clock, executor } = setUp();
  const began: number[] = [];
  const run = (_: unknown, { triggered }: Occurrence) => void (triggered || began.push(clock.now()));
  await executor.execute(schedule(run, { rule: every(HOUR_MS), maxRuns: 20 }), { id: "s" });
  for (let i = 0; i < 2; i++) {
    await clock.elapsed.advance(1.5 * HOUR_MS);
    await executor.signal("s", triggerSchedule);
    await clock.elapsed.advance(0);
    clock.step(-HOUR_MS / 4);
    await executor.signal("s", triggerSchedule); // the schedule waits anew
    await clock.elapsed.advance(HOUR_MS);
  }
  assertEquals(began, [0, 1, 2, 3, 4].map((hours) => START + hours * HOUR_MS));
  await executor.close();
});

Deno.test("RetryPolicy: a delay that would be infinite is finite", async () => {
  const { clock, store, executor } = setUp({ random: () => 0.9 });
  await executor.execute(async (ctx: Ctx) => {
    const fails = (_: unknown, { attempt }: { attempt: number }) => {
      if (attempt < 4) throw new Error("busy");
    };
    await ctx.executeActivity(fails, null, { retry: { maxAttempts: 4, jitter: [0, Number.MAX_VALUE] } });
  }, { id: "a" });
  await clock.elapsed.runUntilIdle();
  const state = (await store.load("a"))!;
  assertEquals([state.status, typesOf(state.history).at(-1)], ["completed", "workflow_completed"]);
  await executor.close();
});
