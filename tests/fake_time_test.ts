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
