import { assertEquals } from "@std/assert";
import { FakeTime } from "@std/testing/time";
import { setImmediate } from "node:timers/promises";

const DAY_MS = 86_400_000;

// This file imports the package nowhere else: each test file has modules of its own.
Deno.test("WorkflowContext.sleep() works with FakeTime that was on when the package was imported", async () => {
  using time = new FakeTime(1000);
  const { Executor } = await import("../mod.ts");
  await using executor = new Executor();
  const handle = await executor.execute(async (ctx) => {
    await ctx.sleep(30 * DAY_MS);
    return ctx.now();
  });
  while (executor.openRuns()[0]?.waitsFor[0]?.type !== "timer") await setImmediate();
  await time.tickAsync(30 * DAY_MS);
  assertEquals(await handle.result(), 1000 + 30 * DAY_MS);
});

Deno.test("FakeTime that is moved until the run has ended drives a run with an activity between its sleeps", async () => {
  using time = new FakeTime(1000);
  const { Executor } = await import("../mod.ts");
  await using executor = new Executor();
  const handle = await executor.execute(async (ctx) => {
    for (let day = 0; day < 3; day++) {
      await ctx.sleep(DAY_MS);
      await ctx.executeActivity(() => day);
    }
    return ctx.now();
  });
  while (handle.status === "running") {
    await time.tickAsync(DAY_MS);
    await setImmediate();
  }
  assertEquals(await handle.result() >= 1000 + 3 * DAY_MS, true);
});

Deno.test("WorkflowContext.sleep() works in another run after fake timers were removed in the middle of a run", async () => {
  const { Executor } = await import("../mod.ts");
  await using executor = new Executor();
  const sleep = (ctx: { sleep(ms: number): Promise<void> }, ms: number) => ctx.sleep(ms);
  {
    using _time = new FakeTime(1000);
    await executor.execute(sleep, { input: 60_000 });
    while (executor.openRuns()[0]?.waitsFor[0]?.type !== "timer") await setImmediate();
  } // its timer never fires
  const handle = await executor.execute(sleep, { input: 1 });
  assertEquals(await handle.result(), undefined);
});
