/** `ctx.spawn()`, `ctx.handleSignal()` and `ctx.handleOtherSignals()`: branches that end with their scope, and fail it. */

import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import {
  type ActivityContext,
  defineSignal,
  type ReceivedSignal,
  type ScopeContext,
  type WorkflowContext,
} from "@rockpool/workflow";
import { crashTest, replace } from "@rockpool/workflow/testing";
import { setUp } from "../support/executors.ts";
import { playEveryWay } from "../support/scenes.ts";

type Ctx = WorkflowContext;

/** Describes how a promise ends. */
const endOf = (promise: Promise<unknown>) => promise.then((value) => value, String);

async function child(ctx: Ctx) {
  await ctx.sleep(1000);
}

/** Waits until it is cancelled, and rejects with the reason. */
const listen = (_: undefined, { signal }: ActivityContext) =>
  new Promise<void>((_, reject) => {
    if (signal.aborted) reject(signal.reason);
    else signal.addEventListener("abort", () => reject(signal.reason));
  });

const ENDED = 'CanceledError: A scope of workflow "a" has ended';

Deno.test("WorkflowContext.spawn() calls its body at once, and ends the branch with its scope", async () => {
  const { outcome } = await playEveryWay(() => ({
    async workflow(ctx: Ctx) {
      const order: unknown[] = [];
      await ctx.scope(async (ctx) => {
        ctx.spawn(async (ctx) => {
          order.push("begins");
          for (;;) {
            await ctx.sleep(4);
            order.push(ctx.now());
          }
        });
        order.push("goes on");
        await ctx.sleep(10);
      });
      return [...order, ctx.now()];
    },
  }));
  assertEquals(JSON.parse(outcome), ["begins", "goes on", 4, 8, 10]);
});

Deno.test("WorkflowContext.spawn() of the workflow ends with its function, and its cleanup is waited for", async () => {
  const { outcome, state, log } = await playEveryWay((world) => ({
    async workflow(ctx: Ctx) {
      ctx.spawn(async (ctx) => {
        try {
          await ctx.waitForSignal("never");
        } finally {
          await ctx.shield((ctx) => ctx.executeActivity(world.work("cleanup", { at: 30 })));
        }
      });
      return await ctx.sleep(10).then(() => "done");
    },
  }));
  assertEquals([outcome, state.updatedAt, log.at(-1)], ['"done"', 30, "cleanup ends at 30"]);
});

for (const where of ["workflow", "scope"] as const) {
  Deno.test(`WorkflowContext.spawn() that fails makes its ${where} fail with its error, and cancels what is open in it`, async () => {
    const { outcome, log } = await playEveryWay((world) => ({
      async workflow(ctx: Ctx) {
        const body = async (ctx: Ctx) => {
          ctx.spawn(async (ctx) => {
            await ctx.sleep(10);
            throw new RangeError("the branch");
          });
          const other = await endOf(ctx.executeActivity(world.work("other", { at: 1000 })));
          world.note(String(other));
          return "not the result";
        };
        if (where === "workflow") return await body(ctx);
        return [await endOf(ctx.scope(body)), ctx.now()];
      },
    }));
    const error = "RangeError: the branch";
    assertEquals(outcome, where === "workflow" ? error : JSON.stringify([error, 10]));
    assertEquals(log, ["other begins at 0", "other aborted at 10", `${ENDED} at 10`]);
  });
}

Deno.test("WorkflowContext.spawn() that throws at once fails its scope", async () => {
  const { outcome } = await playEveryWay(() => ({
    workflow: async (ctx: Ctx) =>
      await endOf(ctx.scope(async (ctx) => {
        ctx.spawn(() => {
          throw new RangeError("at once");
        });
        return await endOf(ctx.sleep(10));
      })),
  }));
  assertEquals(outcome, '"RangeError: at once"');
});

Deno.test("WorkflowContext.spawn() that fails in the turn in which the body ends fails its scope", async () => {
  const { outcome } = await playEveryWay(() => ({
    async workflow(ctx: Ctx) {
      const ends: unknown[] = [];
      for (let delay = 0; delay < 6; delay++) {
        for (const branchDelay of [0, 1, 3]) {
          ends.push(
            await endOf(ctx.scope(async (ctx) => {
              const go = ctx.sleep(1);
              const after = async (count: number) => {
                await go;
                for (let i = 0; i < count; i++) await null;
              };
              ctx.spawn(async () => {
                await after(branchDelay);
                throw new RangeError("the branch");
              });
              await after(delay);
            })),
          );
        }
      }
      return [...new Set(ends)];
    },
  }), { prefixes: true, twoExecutors: true });
  assertEquals(JSON.parse(outcome), ["RangeError: the branch"]);
});

Deno.test("WorkflowContext.spawn() whose own context cancels it has not failed; any other error of it has", async () => {
  const { outcome } = await playEveryWay(() => ({
    async workflow(ctx: Ctx) {
      const own = await endOf(ctx.scope(async (ctx) => {
        let branch!: ScopeContext;
        ctx.spawn(async (ctx) => {
          branch = ctx;
          await ctx.sleep(1000);
        });
        await ctx.sleep(10);
        branch.cancel("stop this branch");
        await ctx.sleep(10);
        return "goes on";
      }));
      const nested = await endOf(ctx.scope(async (ctx) => {
        ctx.spawn((ctx) =>
          ctx.scope(async (ctx) => {
            ctx.cancel("an inner scope");
            await ctx.sleep(1);
          })
        );
        await ctx.sleep(10);
      }));
      const late = await endOf(ctx.scope(async (ctx) => {
        ctx.spawn((ctx) => ctx.sleep(1000), { timeoutMs: 5 });
        await ctx.sleep(10);
      }));
      return [own, nested, late, ctx.now()];
    },
  }));
  assertEquals(JSON.parse(outcome), [
    "goes on",
    'CanceledError: Canceled a scope of workflow "a": an inner scope',
    'TimeoutError: A scope of workflow "a" did not end within 5 ms',
    25,
  ]);
});

for (
  const [what, wait] of Object.entries({
    "an activity that rejects with the reason": (ctx: Ctx) => ctx.executeActivity(listen),
    "a child": (ctx: Ctx) => ctx.executeChild(child),
  })
) {
  Deno.test(`WorkflowContext.spawn() whose own context cancels it has not failed when it waits for ${what}`, async () => {
    const { undisturbed: { result } } = await crashTest(async (ctx: Ctx) => {
      let branch!: ScopeContext;
      ctx.spawn((ctx) => wait(branch = ctx), { waitForCanceled: true });
      await ctx.sleep(10);
      branch.cancel("stop this branch");
      await ctx.sleep(10);
      return "goes on";
    }, { workflows: { child }, activities: [replace(listen, listen)] }); // a fake does not hold up the time
    assertEquals(result, "goes on");
  });
}

Deno.test("WorkflowContext.spawn() of two branches: the first error counts", async () => {
  const { outcome } = await playEveryWay(() => ({
    async workflow(ctx: Ctx) {
      for (const ms of [20, 10]) {
        ctx.spawn(async (ctx) => {
          await ctx.sleep(ms).catch(() => {});
          throw new RangeError(`after ${ms}`);
        });
      }
      await ctx.sleep(1000);
    },
  }));
  assertEquals(outcome, "RangeError: after 10");
});

Deno.test("WorkflowContext.spawn() that fails while it is cut off fails its scope, whatever the body has returned", async () => {
  const { outcome } = await playEveryWay(() => ({
    workflow: (ctx: Ctx) => {
      ctx.spawn(async (ctx) => {
        await ctx.waitForSignal("never").catch(() => {});
        throw new RangeError("cleanup failed");
      });
      return "done";
    },
  }));
  assertEquals(outcome, "RangeError: cleanup failed");
});

Deno.test("WorkflowContext.spawn() fails a run with compensations, which run after every branch has ended", async () => {
  const { outcome, log } = await playEveryWay((world) => ({
    async workflow(ctx: Ctx) {
      ctx.addCompensation((ctx) => ctx.executeActivity(world.work("undo")), { name: "undo" });
      ctx.spawn((ctx) => ctx.executeActivity(world.work("charge", { at: 30, ignores: true })));
      ctx.spawn(async (ctx) => {
        await ctx.sleep(10);
        throw new RangeError("no");
      });
      await ctx.waitForSignal("never");
    },
  }));
  assertEquals(outcome, "RangeError: no");
  assertEquals(log, ["charge begins at 0", "charge ends at 30", "undo begins at 30", "undo ends at 30"]);
});

Deno.test("WorkflowContext.spawn() in a cancelled scope or an ended one does nothing", async () => {
  const { outcome } = await playEveryWay(() => ({
    async workflow(ctx: Ctx) {
      let calls = 0;
      const late = await ctx.scope((ctx) => {
        ctx.cancel("enough");
        ctx.spawn(() => void calls++);
        return ctx;
      });
      late.spawn(() => void calls++);
      (await ctx.scope((ctx) => ctx)).spawn(() => void calls++);
      await ctx.sleep(10);
      return calls;
    },
  }));
  assertEquals(outcome, "0");
});

Deno.test("WorkflowContext.spawn() in a shield is protected with it", async () => {
  const { outcome } = await playEveryWay(() => ({
    sent: [{ at: 10, cancel: "stop" }],
    async workflow(ctx: Ctx) {
      return await ctx.shield(async (ctx) => {
        let count = 0;
        ctx.spawn(async (ctx) => {
          for (;;) await ctx.sleep(4).then(() => count++);
        });
        await ctx.sleep(25);
        return count;
      });
    },
  }));
  assertEquals(outcome, "6");
});

Deno.test("a cancelled workflow cuts off its branches, and is canceled", async () => {
  const { outcome, state } = await playEveryWay(() => ({
    sent: [{ at: 10, cancel: "stop" }],
    async workflow(ctx: Ctx) {
      ctx.spawn((ctx) => ctx.sleep(1000));
      ctx.handleSignal("s", () => {});
      await ctx.waitForSignal("never");
    },
  }));
  assertEquals([outcome, state.status], ['CanceledError: Canceled workflow "a": stop', "canceled"]);
});

Deno.test("a run that is cancelled fails with the error of a branch that throws another one", async () => {
  const { outcome, state } = await playEveryWay(() => ({
    sent: [{ at: 10, cancel: "stop" }],
    async workflow(ctx: Ctx) {
      ctx.spawn(async (ctx) => {
        await ctx.sleep(1000).catch(() => {});
        throw new RangeError("cleanup failed");
      });
      await ctx.shield((ctx) => ctx.sleep(20));
    },
  }));
  assertEquals([outcome, state.status], ["RangeError: cleanup failed", "failed"]);
});

// handleSignal

Deno.test("WorkflowContext.handleSignal() calls its handler for one signal at a time, in order of arrival", async () => {
  const { outcome } = await playEveryWay(() => ({
    sent: [1, 2, 3].map((payload) => ({ at: payload, signal: "n", payload })),
    async workflow(ctx: Ctx) {
      const order: unknown[] = [];
      await ctx.sleep(2); // the first ones are buffered
      ctx.handleSignal<number>("n", async (n, { name, signalId, sentAt, senderId }) => {
        order.push(`${n} begins`);
        await ctx.sleep(10);
        order.push(`${n} ends`, [name, typeof signalId, sentAt === n, senderId ?? "nobody"]);
      });
      await ctx.sleep(100);
      return order;
    },
  }));
  const of = (n: number) => [`${n} begins`, `${n} ends`, ["n", "string", true, "nobody"]];
  assertEquals(JSON.parse(outcome), [1, 2, 3].flatMap(of));
});

Deno.test("WorkflowContext.handleSignal() fails its scope with what the handler throws", async () => {
  const { outcome } = await playEveryWay(() => ({
    sent: [{ at: 10, signal: "n", payload: 1 }, { at: 20, signal: "n", payload: 2 }],
    async workflow(ctx: Ctx) {
      const end = await endOf(ctx.scope((ctx) => {
        ctx.handleSignal("n", (n) => {
          throw new RangeError(`handler of ${n}`);
        });
        return ctx.sleep(1000);
      }));
      return [end, await ctx.waitForSignal("n"), ctx.now()]; // the next one is not lost
    },
  }));
  assertEquals(JSON.parse(outcome), ["RangeError: handler of 1", 2, 20]);
});

Deno.test("WorkflowContext.handleSignal() that its scope cuts off has taken its signal, and gives the others back", async () => {
  const { outcome } = await playEveryWay(() => ({
    sent: [1, 2].map((payload) => ({ at: payload, signal: "n", payload })),
    async workflow(ctx: Ctx) {
      const order: unknown[] = [];
      await ctx.scope(async (ctx) => {
        ctx.handleSignal("n", async (n) => {
          order.push(n);
          await ctx.sleep(1000);
          order.push("not reached");
        });
        await ctx.sleep(10);
      });
      return [...order, ctx.takeSignal("n")?.payload, ctx.takeSignal("n") === undefined];
    },
  }));
  assertEquals(JSON.parse(outcome), [1, 2, true]);
});

Deno.test("WorkflowContext.handleSignal() beside a loop: both get every signal", async () => {
  const { outcome } = await playEveryWay(() => ({
    sent: [1, 2].map((payload) => ({ at: payload, signal: "n", payload })),
    async workflow(ctx: Ctx) {
      const got: unknown[] = [];
      for (const by of ["first", "second"]) ctx.handleSignal("n", (n) => void got.push([by, n]));
      await ctx.sleep(10);
      return got;
    },
  }));
  assertEquals(JSON.parse(outcome), [["first", 1], ["second", 1], ["first", 2], ["second", 2]]);
});

Deno.test("WorkflowContext.handleSignal() takes a definition, and refuses bad arguments", async () => {
  const { executor } = setUp();
  const add = defineSignal<number>("add");
  const handle = await executor.execute(async (ctx: Ctx) => {
    let sum = 0;
    const refused = [
      () => ctx.handleSignal(0 as never, () => {}),
      () => ctx.handleSignal("", () => {}),
      () => ctx.handleSignal("s", null!),
      () => ctx.handleOtherSignals("handler" as never),
    ].map((call) => assertThrows(call, TypeError).message);
    ctx.handleSignal(add, (n) => void (sum += n));
    await ctx.waitUntil(() => sum === 3);
    return refused;
  }, { id: "a" });
  for (const n of [1, 2]) await executor.signal("a", add, n);
  assertEquals(await handle.result(), [
    'Cannot handle signal: "signal" must be a non-empty string, got 0',
    'Cannot handle signal: "signal" must be a non-empty string, got ""',
    'Cannot handle signal "s": "handler" must be a function, got null',
    'Cannot handle other signals: "handler" must be a function, got "handler"',
  ]);
  await executor.close();
});

Deno.test("WorkflowContext.handleOtherSignals() gets what nobody else waits for, and what nobody has read", async () => {
  const { outcome } = await playEveryWay(() => ({
    sent: [
      { at: 1, signal: "early", payload: "buffered" },
      { at: 11, signal: "handled", payload: "not for it" },
      { at: 12, signal: "waited", payload: "not for it" },
      { at: 13, signal: "waited", payload: "nobody waits any more" },
      { at: 14, signal: "unknown", payload: 1 },
    ],
    async workflow(ctx: Ctx) {
      const others: unknown[] = [];
      const handled: unknown[] = [];
      await ctx.sleep(10);
      ctx.handleSignal("handled", (payload) => void handled.push(payload));
      ctx.handleOtherSignals(({ name, payload }: ReceivedSignal) => void others.push([name, payload]));
      handled.push(await ctx.waitForSignal("waited"));
      await ctx.sleep(10);
      return [others, handled];
    },
  }));
  assertEquals(JSON.parse(outcome), [
    [["early", "buffered"], ["waited", "nobody waits any more"], ["unknown", 1]],
    ["not for it", "not for it"],
  ]);
});

Deno.test("WorkflowContext.handleOtherSignals() gives back what it has not handled when its scope ends, in order", async () => {
  const { outcome } = await playEveryWay(() => ({
    sent: [
      { at: 1, signal: "s", payload: 1 },
      { at: 2, signal: "s", payload: 2 },
      { at: 3, signal: "t", payload: 3 },
      { at: 4, signal: "s", payload: 4 },
    ],
    async workflow(ctx: Ctx) {
      const taken: unknown[] = [];
      await ctx.scope(async (ctx) => {
        ctx.handleOtherSignals(async ({ payload }) => {
          taken.push(payload);
          await ctx.sleep(1000);
        });
        await ctx.sleep(10);
      });
      const rest = ["s", "s", "t"].map((name) => ctx.takeSignal(name)?.payload);
      return [taken, rest, ctx.takeSignal("s") === undefined];
    },
  }));
  assertEquals(JSON.parse(outcome), [[1], [2, 4, 3], true]);
});

Deno.test("WorkflowContext.handleOtherSignals() gives back to a loop and to a wait that began meanwhile", async () => {
  const { outcome } = await playEveryWay(() => ({
    sent: ["s", "t", "s"].map((signal, i) => ({ at: i + 1, signal, payload: i })),
    async workflow(ctx: Ctx) {
      const got: unknown[] = [];
      const other = ctx.scope(async (ctx) => {
        ctx.handleOtherSignals(() => ctx.sleep(1000)); // takes the first one
        await ctx.sleep(10);
      });
      await ctx.sleep(5);
      ctx.handleSignal("s", (n) => void got.push(["loop", n]));
      ctx.waitForSignal("t").then((n) => got.push(["wait", n]));
      await other;
      await ctx.sleep(10);
      return got;
    },
  }));
  assertEquals(JSON.parse(outcome), [["wait", 1], ["loop", 2]]);
});

Deno.test("WorkflowContext.handleOtherSignals() gets what the last loop of a name leaves unread, in order of arrival", async () => {
  const { outcome } = await playEveryWay(() => ({
    sent: [1, 2, 3, 4].map((n) => ({ at: n * 10, signal: "s", payload: n })),
    async workflow(ctx: Ctx) {
      const others: unknown[] = [];
      ctx.handleOtherSignals(async ({ payload }) => {
        others.push(payload);
        await ctx.sleep(43);
      });
      await ctx.sleep(25); // it handles the first, and has not read the second
      await ctx.scope(async (ctx) => {
        ctx.receiveSignal("s")[Symbol.asyncIterator](); // gets the third and the fourth, and does not read them
        await ctx.sleep(25);
      });
      await ctx.sleep(200);
      return others;
    },
  }));
  assertEquals(JSON.parse(outcome), [1, 2, 3, 4]);
});

Deno.test("signals that a handler has not seen are carried over by continueAsNew", async () => {
  const { executor } = setUp();
  const handle = await executor.execute(async function workflow(ctx: WorkflowContext<number>, n: number) {
    if (n === 1) {
      await ctx.sleep(1); // they arrive after the start
      return [ctx.takeSignal("s")?.payload, ctx.takeSignal("t")?.payload];
    }
    ctx.handleOtherSignals(() => ctx.sleep(1e6));
    await ctx.waitForSignal("go");
    return await ctx.continueAsNew(1);
  }, { id: "a", input: 0 });
  for (const [name, payload] of [["taken", 0], ["s", 1], ["t", 2], ["go", 3]] as const) {
    await executor.signal("a", name, payload);
  }
  assertEquals(await handle.result(), [1, 2]);
  await executor.close();
});

Deno.test("Executor.openRuns() names the signals that a handler waits for", async () => {
  const { executor } = setUp();
  const handle = await executor.execute(async (ctx: Ctx) => {
    ctx.handleSignal("s", () => {});
    await ctx.waitForSignal("end");
  }, { id: "a" });
  const [{ waitsFor }] = executor.openRuns();
  assertEquals(waitsFor, [{ type: "signal", name: "s" }, { type: "signal", name: "end" }]);
  await handle.cancel();
  await assertRejects(() => handle.result());
  await executor.close();
});
