/** What ended scopes leave in memory: nothing. A run can open scopes for ever. */

import { assert } from "@std/assert";
import type { WorkflowContext } from "@rockpool/workflow";
import { collectGarbage, macrotasks, setUp } from "../support/executors.ts";

type Ctx = WorkflowContext;

/** Each ends and leaves no event in the history. */
const rounds: Record<string, (ctx: Ctx) => Promise<unknown>> = {
  "withdrawn waits": (ctx) =>
    ctx.scope((ctx) => {
      ctx.waitForSignal("n");
      ctx.waitUntil(() => false);
      ctx.receiveSignal("m")[Symbol.asyncIterator]().next();
    }),
  "handlers of signals": (ctx) =>
    ctx.scope((ctx) => {
      ctx.handleSignal("n", () => {});
      ctx.handleOtherSignals(() => {});
    }),
  "nested scopes, shields and branches": (ctx) =>
    ctx.scope((ctx) => {
      ctx.scope((ctx) => ctx.shield((ctx) => ctx.scope((ctx) => ctx.now())));
      ctx.spawn((ctx) => ctx.waitForSignal("n"));
    }),
  "cancellations": (ctx) =>
    ctx.scope((ctx) => {
      ctx.signal.addEventListener("abort", () => {});
      const wait = ctx.waitForSignal("n").catch(() => {});
      ctx.cancel();
      return wait;
    }),
  "signals of many names": (() => {
    let names = 0;
    return (ctx) =>
      ctx.scope((ctx) => {
        ctx.waitForSignal(`wait ${names}`);
        ctx.handleSignal(`handler ${names++}`, () => {});
      });
  })(),
  "overlapping waits": (() => {
    let older: Promise<unknown> = Promise.resolve();
    let endOlder: (value: unknown) => void = () => {};
    return async (ctx) => { // the older one is withdrawn while the newer one is open
      const [before, end] = [older, endOlder];
      older = ctx.scope((ctx) => {
        ctx.waitForSignal("n");
        return new Promise((resolve) => endOlder = resolve);
      });
      end(undefined);
      await before;
    };
  })(),
};

for (const [what, round] of Object.entries(rounds)) {
  Deno.test(`WorkflowContext.scope() leaves no memory behind: ${what}`, async () => {
    const { executor } = setUp();
    let done = 0;
    let until = 1_000;
    const handle = await executor.execute((ctx: Ctx) =>
      ctx.scope(async (ctx) => {
        for (;;) {
          for (; done < until; done++) await round(ctx);
          await ctx.waitForSignal("more");
        }
      }), { id: "a" });
    const heap = async () => {
      while (done < until) await macrotasks(100);
      collectGarbage();
      await macrotasks(10);
      collectGarbage();
      return Deno.memoryUsage().heapUsed;
    };
    await heap();
    until = 3_000;
    await executor.signal("a", "more");
    const before = await heap();
    until = 10_000;
    await executor.signal("a", "more");
    const grown = await heap() - before;
    assert(grown < 7_000 * 20, `${grown} bytes in 7,000 rounds`);
    await handle.terminate();
    await handle.result().catch(() => {});
    await executor.close();
  });
}
