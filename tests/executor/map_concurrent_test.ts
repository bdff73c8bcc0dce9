/** `ctx.mapConcurrent()`: its limit, the order of items, failures and restarts. */

import { assertEquals, assertRejects } from "@std/assert";
import { CanceledError, type WorkflowContext } from "@rockpool/workflow";
import { crashTest } from "@rockpool/workflow/testing";
import { play } from "../support/restarts.ts";
import { setUp } from "../support/executors.ts";

type Ctx = WorkflowContext;

Deno.test("WorkflowContext.mapConcurrent() limits the items in progress and starts them in order", async () => {
  for (const limit of [1, 2, 3, 10]) {
    const begun: number[] = [];
    let running = 0, maxRunning = 0;
    const { outcome } = await play({
      workflow: (ctx: Ctx) =>
        ctx.mapConcurrent([50, 10, 40, 20, 30], limit, async (ms, index) => {
          begun.push(index);
          maxRunning = Math.max(maxRunning, ++running);
          await ctx.sleep(ms);
          running--;
          return `${index}: ${ms}`;
        }),
    });
    assertEquals(JSON.parse(outcome), ["0: 50", "1: 10", "2: 40", "3: 20", "4: 30"]); // in the order of the items
    assertEquals([begun, maxRunning], [[0, 1, 2, 3, 4], Math.min(limit, 5)], `limit ${limit}`);
  }
});

Deno.test("WorkflowContext.mapConcurrent() starts the next item as soon as one has ended", async () => {
  const log: string[] = [];
  await play({
    workflow: (ctx: Ctx) =>
      ctx.mapConcurrent([10, 100, 10, 10], 2, async (ms, index) => {
        log.push(`${index} at ${ctx.now()}`);
        await ctx.sleep(ms);
      }),
  });
  assertEquals(log, ["0 at 0", "1 at 0", "2 at 10", "3 at 20"]);
});

Deno.test("WorkflowContext.mapConcurrent() gives each item that waits for a signal one of its own, buffered or not", async () => {
  for (const isBuffered of [false, true]) {
    const { executor, clock } = setUp();
    const handle = await executor.execute(async (ctx: Ctx) => {
      if (isBuffered) await ctx.sleep(10);
      return await ctx.mapConcurrent([1, 2], 2, () => ctx.waitForSignal<string>("job"));
    }, { id: "a" });
    clock.hold(); // the signals come before the sleep ends
    for (const job of ["paint", "saw"]) await executor.signal("a", "job", job);
    clock.release();
    assertEquals((await handle.result()).toSorted(), ["paint", "saw"]);
    await executor.close();
  }
});

Deno.test("WorkflowContext.mapConcurrent() accepts any iterable, an empty one too, and bodies that return no promise", async () => {
  const { executor } = setUp();
  const handle = await executor.execute(async (ctx) => [
    await ctx.mapConcurrent([], 3, () => 1),
    await ctx.mapConcurrent(new Set("ab"), 2, (letter, index) => letter + index),
    await ctx.mapConcurrent(
      {
        *[Symbol.iterator]() {
          yield* [1, 2, 3];
        },
      },
      2,
      (n) => 2 * n,
    ), // deno-fmt-ignore
  ]);
  assertEquals(await handle.result(), [[], ["a0", "b1"], [2, 4, 6]]);
  assertEquals((await executor.describe(handle.id, { history: true })).history.length, 2);
  await executor.close();
});

Deno.test("WorkflowContext.mapConcurrent() throws the first failure, starts no more items, and waits for those in progress", async () => {
  const ended: string[] = [];
  const { outcome, state } = await play({
    workflow: (ctx: Ctx) =>
      ctx.mapConcurrent([30, 10, 20, 5, 5], 3, async (ms, index) => {
        await ctx.sleep(ms);
        ended.push(`${index} at ${ctx.now()}`);
        if (index < 2) throw new RangeError(`item ${index}`);
      }),
  });
  assertEquals(outcome, "RangeError: item 1"); // at 10; item 0 fails at 30
  assertEquals([ended, state.updatedAt], [["1 at 10", "2 at 20", "0 at 30"], 30]);
});

Deno.test("WorkflowContext.mapConcurrent() throws the first failure when bodies return no promise", async () => {
  const seen: number[] = [];
  const { executor } = setUp();
  const handle = await executor.execute((ctx) =>
    ctx.mapConcurrent([0, 1, 2], 1, (n) => {
      seen.push(n);
      if (n === 1) throw new RangeError("one");
    })
  );
  await assertRejects(() => handle.result(), RangeError, "one");
  assertEquals(seen, [0, 1]);
  await executor.close();
});

Deno.test("WorkflowContext.mapConcurrent() throws undefined when a body throws undefined", async () => {
  const { outcome } = await play({
    async workflow(ctx: Ctx) {
      let caught: unknown[] = [];
      await ctx.mapConcurrent([1], 1, () => Promise.reject(undefined)).catch((...args) => caught = args);
      return caught.length;
    },
  });
  assertEquals(outcome, "1");
});

Deno.test("WorkflowContext.mapConcurrent() starts no more items when the workflow is cancelled", async () => {
  let begun = 0;
  const { executor, clock } = setUp();
  clock.hold();
  const handle = await executor.execute((ctx) =>
    ctx.mapConcurrent([1, 2, 3], 2, () => {
      begun++;
      return ctx.sleep(1000);
    }), { id: "a" });
  await executor.cancel("a");
  await assertRejects(() => handle.result(), CanceledError);
  assertEquals(begun, 2);
  await executor.close();
});

for (const failing of [false, true]) {
  Deno.test(`WorkflowContext.mapConcurrent() has the same outcome after a process crash at any step${failing ? " when an item fails" : ""}`, async () => {
    const square = (n: number) => {
      if (failing && n === 21) throw new RangeError("21");
      return n * n;
    };
    const { undisturbed: { result, error } } = await crashTest((ctx: Ctx) =>
      ctx.mapConcurrent([50, 10, 40, 21, 33, 7], 3, async (n) => {
        await ctx.sleep(n);
        return [await ctx.executeActivity(square, n), ctx.now()];
      })
    );
    const squares = [[2500, 50], [100, 10], [1600, 40], [441, 31], [1089, 64], [49, 47]];
    assertEquals(failing ? `${error}` : result, failing ? "RangeError: 21" : squares);
  });
}
