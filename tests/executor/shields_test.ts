/** `ctx.shield()`: what it protects, from what, and who waits for it. */

import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import { CanceledError, Executor, InMemoryStore, type ScopeContext, type WorkflowContext } from "@rockpool/workflow";
import { gate, settle, setUp, typesOf } from "../support/executors.ts";
import { playEveryWay } from "../support/scenes.ts";

type Ctx = WorkflowContext;

const nothing = () => {};

/** Describes how a promise ends. */
const endOf = (promise: Promise<unknown>) => promise.then((value) => value, String);

const STOP = 'CanceledError: Canceled workflow "a": stop';
const ENOUGH = 'CanceledError: Canceled a scope of workflow "a": enough';

Deno.test("WorkflowContext.shield() is not reached by a cancellation of the workflow or of a scope around it", async () => {
  const { outcome, state } = await playEveryWay((world) => ({
    sent: [{ at: 10, cancel: "stop" }, { at: 40, signal: "go", payload: "came" }],
    async workflow(ctx: Ctx) {
      return await ctx.scope(async (ctx) => {
        const shielded = ctx.shield(async (ctx) => [
          await ctx.executeActivity(world.work("work", { at: 30 })),
          await ctx.waitForSignal("go"),
          await ctx.scope((ctx) => ctx.sleep(5).then(() => "a scope in it")),
          await ctx.sideEffect(() => 1),
          ctx.signal.aborted,
        ]);
        const open = await endOf(ctx.sleep(1000));
        return [open, await shielded, ctx.now()];
      }, { timeoutMs: 20 });
    },
  }));
  assertEquals(JSON.parse(outcome), [STOP, ["work", "came", "a scope in it", 1, false], 45]);
  assertEquals(state.status, "completed");
});

Deno.test("WorkflowContext.shield() runs in a cancelled scope, and rejects in an ended one", async () => {
  const { outcome } = await playEveryWay(() => ({
    async workflow(ctx: Ctx) {
      let called = 0;
      const [inside, late] = await ctx.scope(async (ctx) => {
        ctx.cancel("enough");
        return [await ctx.shield((ctx) => ctx.sleep(10).then(() => "ran")), ctx];
      });
      const ended = await ctx.scope((ctx) => ctx);
      const both = [await endOf(late.shield((_) => called++)), await endOf(ended.shield((_) => called++))];
      return [inside, ...both, called, ctx.now()];
    },
  }));
  assertEquals(JSON.parse(outcome), [
    "ran",
    ENOUGH,
    'CanceledError: A scope of workflow "a" has ended; use the context around it',
    0,
    10,
  ]);
});

Deno.test("WorkflowContext.shield() protects only the calls of its own context", async () => {
  const { outcome } = await playEveryWay(() => ({
    sent: [{ at: 10, cancel: "stop" }],
    workflow: (ctx: Ctx) =>
      ctx.shield(async (inner) => {
        const outside = endOf(ctx.sleep(100));
        const inside = await endOf(inner.sleep(20).then(() => "protected"));
        return [await outside, inside, await endOf(ctx.sleep(1))];
      }),
  }));
  assertEquals(JSON.parse(outcome), [STOP, "protected", STOP]);
});

Deno.test("WorkflowContext.shield() is reached by its own cancel() and its own deadline", async () => {
  const { outcome } = await playEveryWay(() => ({
    async workflow(ctx: Ctx) {
      const canceled = ctx.shield(async (ctx) => {
        ctx.scope((ctx) => ctx.sleep(5)).then(() => ctx.cancel("enough"));
        await ctx.sleep(100);
      });
      const late = ctx.shield((ctx) => ctx.scope((ctx) => ctx.sleep(100)), { timeoutMs: 10 });
      return [await endOf(canceled), await endOf(late), ctx.now()];
    },
  }));
  assertEquals(JSON.parse(outcome), [ENOUGH, 'TimeoutError: A scope of workflow "a" did not end within 10 ms', 10]);
});

Deno.test("WorkflowContext.shield() ends like a scope: what is open in it is cancelled", async () => {
  const { outcome } = await playEveryWay(() => ({
    sent: [{ at: 20, signal: "n", payload: 1 }],
    async workflow(ctx: Ctx) {
      let loser: unknown;
      await ctx.shield(async (ctx) => {
        ctx.waitForSignal("n").catch((error) => loser = String(error));
        await ctx.sleep(10);
      });
      return [loser, await ctx.waitForSignal("n")];
    },
  }));
  assertEquals(JSON.parse(outcome), ['CanceledError: A scope of workflow "a" has ended', 1]);
});

Deno.test("WorkflowContext.shield() passes waitForCanceled on, and a shield in a shield is protected from it", async () => {
  const { outcome } = await playEveryWay((world) => ({
    async workflow(ctx: Ctx) {
      return await ctx.shield(async (ctx) => {
        const results = [
          ctx.executeActivity(world.work("outer", { at: 30, ignores: true })),
          ctx.shield((ctx) => ctx.sleep(40).then(() => "protected")),
        ];
        await ctx.sleep(10);
        ctx.cancel("enough");
        return [...await Promise.all(results), ctx.now()];
      }, { waitForCanceled: true });
    },
  }));
  assertEquals(JSON.parse(outcome), ["outer", "protected", 40]);
});

Deno.test("WorkflowContext.shield() refuses a body without a parameter, and shows the form that protects", async () => {
  const { executor } = setUp();
  const handle = await executor.execute((ctx: Ctx) => ctx.shield(() => ctx.sleep(1)));
  await assertRejects(
    () => handle.result(),
    TypeError,
    'Cannot shield: "body" takes no context, so its calls would not be protected; use ctx.shield(async (ctx) => { … })',
  );
  await executor.close();
});

Deno.test("WorkflowContext.shield() and scope() refuse bad arguments", async () => {
  const { executor } = setUp();
  const body = (_: Ctx) => 1;
  const handle = await executor.execute(async (ctx: Ctx) => {
    const refused = [
      ctx.scope(null!),
      ctx.scope(body, { timeoutMs: -1 }),
      ctx.scope(body, { timeoutMs: NaN }),
      ctx.scope(body, { timeoutMs: "1h" as never }),
      ctx.scope(body, { waitForCanceled: 1 as never }),
      ctx.scope(body, { waitForCancelled: true } as never),
      ctx.scope(body, null as never),
      ctx.shield(body, { timeout: 1 } as never),
      ctx.shield("body" as never),
    ];
    const spawned = [() => ctx.spawn(null!), () => ctx.spawn(body, { timeoutMs: -1 })].map((call) =>
      String(assertThrows(call))
    );
    return [...await Promise.all(refused.map(endOf)), ...spawned];
  });
  assertEquals(await handle.result(), [
    'TypeError: Cannot run scope: "body" must be a function, got null',
    'RangeError: Cannot run scope: "timeoutMs" must be a finite number from 0, got -1',
    'RangeError: Cannot run scope: "timeoutMs" must be a finite number from 0, got NaN',
    'RangeError: Cannot run scope: "timeoutMs" must be a finite number from 0, got "1h"',
    'TypeError: Cannot run scope: "waitForCanceled" must be a boolean, got 1',
    'TypeError: Cannot run scope: "options" has no option "waitForCancelled"; did you mean "waitForCanceled"?',
    'TypeError: Cannot run scope: "options" must be an object, got null',
    'TypeError: Cannot shield: "options" has no option "timeout"; did you mean "timeoutMs"?',
    'TypeError: Cannot shield: "body" must be a function, got "body"',
    'TypeError: Cannot spawn: "body" must be a function, got null',
    'RangeError: Cannot spawn: "timeoutMs" must be a finite number from 0, got -1',
  ]);
  await executor.close();
});

// The end of the run while shields run

Deno.test("a workflow function that returns waits for its shields, and a cancellation and a deadline change nothing", async () => {
  for (const timeoutMs of [undefined, 20]) {
    const { outcome, state } = await playEveryWay((world) => ({
      timeoutMs,
      sent: timeoutMs === undefined ? [{ at: 20, cancel: "too late" }] : [],
      async workflow(ctx: Ctx) {
        ctx.shield(async (ctx) => {
          await ctx.executeActivity(world.work("cleanup", { at: 30 }));
          await ctx.sleep(10);
        });
        await ctx.sleep(10);
        return "returned in time";
      },
    }));
    assertEquals([outcome, state.status, state.updatedAt], ['"returned in time"', "completed", 40]);
    assertEquals(typesOf(state.history).includes("cancel_requested"), true);
  }
});

Deno.test("a workflow function that throws waits for its shields, and fails with its error", async () => {
  const { outcome, state } = await playEveryWay((world) => ({
    async workflow(ctx: Ctx) {
      ctx.shield((ctx) => ctx.executeActivity(world.work("cleanup", { at: 30 })));
      await ctx.sleep(10);
      throw new RangeError("no");
    },
  }));
  assertEquals([outcome, state.updatedAt], ["RangeError: no", 30]);
});

/** A run whose function has returned and whose shield waits for an activity. */
async function closingRun() {
  const store = new InMemoryStore();
  const { executor } = setUp({ store });
  const { promise, open } = gate();
  const work = async () => await promise;
  async function closing(ctx: Ctx) {
    ctx.shield((ctx) => ctx.executeActivity(work));
    await ctx.waitForSignal("return");
    return "done";
  }
  const handle = await executor.execute(closing, { id: "a" });
  await executor.signal("a", "return");
  await settle();
  assertEquals(handle.status, "running");
  return { store, executor, handle, open, closing };
}

Deno.test("Executor.terminate() ends a run whose shields are waited for", async () => {
  const { executor, handle, open } = await closingRun();
  await handle.terminate("enough");
  await assertRejects(() => handle.result(), Error, 'Terminated workflow "a": enough');
  assertEquals(handle.status, "canceled");
  open();
  await executor.close();
});

Deno.test("Executor.close() suspends a run whose shields are waited for, and recover() ends it", async () => {
  const { store, executor, handle, open, closing } = await closingRun();
  await executor.close();
  await assertRejects(() => handle.result());
  open();
  await using next = new Executor({ store, workflows: { closing } });
  const [recovered] = await next.recover();
  assertEquals(await recovered.result(), "done");
});

Deno.test("signals, updates and queries reach a run whose shields are waited for", async () => {
  const { outcome } = await playEveryWay(() => ({
    sent: [{ at: 20, signal: "s", payload: "heard" }],
    async workflow(ctx: Ctx) {
      const result = { heard: "" };
      ctx.shield(async (ctx) => void (result.heard = await ctx.waitForSignal<string>("s")));
      await ctx.sleep(10);
      return "returned";
    },
  }));
  assertEquals(outcome, '"returned"');
});

Deno.test("WorkflowContext.shield() that a branch of a cancelled workflow opens is waited for, however late it comes in the turn", async () => {
  const { outcome, state, log } = await playEveryWay((world) => ({
    sent: [{ at: 10, cancel: "stop" }],
    async workflow(ctx: Ctx) {
      const deep = async (depth: number): Promise<void> => await (depth === 0 ? ctx.sleep(1000) : deep(depth - 1));
      const cleansUp = async () => {
        try {
          await deep(20);
        } finally {
          await ctx.shield((ctx) => ctx.executeActivity(world.work("cleanup", { at: 30 })));
        }
      };
      await Promise.all([cleansUp(), ctx.sleep(1000)]); // the second one rejects first
    },
  }));
  assertEquals([outcome, state.status], [STOP, "canceled"]);
  assertEquals(log, ["cleanup begins at 10", "cleanup ends at 30"]);
});

Deno.test("WorkflowContext.shield() opened by a listener of ctx.signal runs and is waited for", async () => {
  const { outcome, state, log } = await playEveryWay((world) => ({
    sent: [{ at: 10, cancel: "stop" }],
    async workflow(ctx: Ctx) {
      const order: string[] = [];
      const end = await endOf(ctx.scope(async (ctx) => {
        ctx.signal.addEventListener("abort", () => {
          ctx.scope(() => order.push("not called")).catch((error) => order.push(error.message));
          ctx.shield((ctx) => ctx.executeActivity(world.work("cleanup", { at: 30 })));
        });
        await ctx.sleep(1000);
      }));
      return [end, ...order, ctx.now()];
    },
  }));
  assertEquals(JSON.parse(outcome), [STOP, 'Canceled workflow "a": stop', 30]);
  assertEquals([state.status, log], ["completed", ["cleanup begins at 10", "cleanup ends at 30"]]);
});

Deno.test("WorkflowContext.shield() in a run that was cancelled before its start does not run", async () => {
  const { executor } = setUp();
  let called = false;
  const handle = await executor.execute((ctx: Ctx) => ctx.shield((_) => called = true), { startAt: 1e6 });
  await handle.cancel();
  await assertRejects(() => handle.result(), CanceledError);
  assertEquals(called, false);
  await executor.close();
});

Deno.test("ScopeContext.cancel() is refused in a query handler and in a side effect", async () => {
  const { executor } = setUp();
  const handle = await executor.execute((ctx: Ctx) =>
    ctx.scope(async (ctx: ScopeContext) => {
      ctx.handleQuery("cancel", () => ctx.cancel() as never);
      ctx.handleQuery("spawn", () => ctx.spawn(nothing) as never);
      ctx.handleQuery("take", () => ctx.takeSignal("s") as never);
      const inEffect = await endOf(ctx.sideEffect(() => ctx.cancel() as never));
      await ctx.waitForSignal("end");
      return [inEffect, ctx.signal.aborted];
    }), { id: "a" });
  for (const query of ["cancel", "spawn", "take"]) {
    await assertRejects(() => executor.query("a", query), TypeError, "Cannot call the context in a query handler");
  }
  await executor.signal("a", "end");
  const message = "TypeError: Cannot call the context in a side effect: it is not called on replay";
  assertEquals(await handle.result(), [message, false]);
  await executor.close();
});

Deno.test("ScopeContext.cancel() refuses a reason that is no text", async () => {
  const { executor } = setUp();
  const handle = await executor.execute((ctx: Ctx) =>
    ctx.scope((ctx) => [String(assertThrows(() => ctx.cancel(1 as never))), ctx.signal.aborted])
  );
  assertEquals(await handle.result(), ['TypeError: Cannot cancel scope: "reason" must be a string, got 1', false]);
  await executor.close();
});

Deno.test("WorkflowContext.shield() keeps the work of a signal handler when the function returns", async () => {
  const { executor, clock } = setUp();
  const saved: string[] = [];
  const handle = await executor.execute(async (ctx: Ctx) => {
    ctx.handleSignal<string>("bare", async (mail) => {
      await ctx.sleep(1000);
      saved.push(mail);
    });
    ctx.handleSignal<string>("shielded", (mail) =>
      ctx.shield(async (ctx) => {
        await ctx.sleep(1000);
        saved.push(mail);
      }));
    await ctx.waitForSignal("close");
  });
  await Promise.all(["bare", "shielded", "close"].map((name) => handle.signal(name, name)));
  await clock.advance(1000);
  await handle.result();
  assertEquals(saved, ["shielded"]);
  await executor.close();
});
