import { assertEquals } from "@std/assert";
import { FakeTime } from "@std/testing/time";
import { setImmediate } from "node:timers/promises";

// This file imports the package nowhere else: each test file has modules of its own.
Deno.test("WorkflowContext.sleep() works with FakeTime that was on when the package was imported", async () => {
  using time = new FakeTime(1000);
  const { Executor } = await import("../mod.ts");
  await using executor = new Executor();
  const handle = await executor.execute(async (ctx) => {
    await ctx.sleep(30 * 86_400_000);
    return ctx.now();
  });
  while (executor.openRuns()[0]?.waitsFor[0]?.type !== "timer") await setImmediate();
  await time.tickAsync(30 * 86_400_000);
  assertEquals(await handle.result(), 1000 + 30 * 86_400_000);
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
