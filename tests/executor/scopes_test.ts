/**
 * `ctx.scope()`: what ends with it, what it waits for, and how it is cancelled. Each situation is also played with a crash at
 * every append, from every prefix of its history, dormant, and by two executors.
 */

import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import {
  type ActivityContext,
  type ActivityOptions,
  CanceledError,
  Executor,
  InMemoryStore,
  NonDeterminismError,
  type ScopeContext,
  VirtualClock,
  type WorkflowContext,
  type WorkflowEvent,
  type WorkflowState,
} from "@rockpool/workflow";
import { macrotasks, setUp, typesOf } from "../support/executors.ts";
import { playEveryWay, playOnce, type Scene, type World } from "../support/scenes.ts";

type Ctx = WorkflowContext;

const nothing = () => {};

/** Describes how a promise ends. */
const endOf = (promise: Promise<unknown>) => promise.then((value) => value, String);

const ENDED = 'CanceledError: A scope of workflow "a" has ended';

/** Lets many microtasks pass, and no macrotask. */
async function microtasks() {
  for (let i = 0; i < 50; i++) await null;
}

// The end

Deno.test("WorkflowContext.scope() answers in the same turn when nothing is open", async () => {
  const { outcome, state } = await playEveryWay(() => ({
    async workflow(ctx: Ctx) {
      const order: unknown[] = [];
      const ends = [
        ctx.scope(() => order.push("value")),
        ctx.scope(async (ctx) => {
          await ctx.sideEffect(() => 1);
          order.push("after a wait");
        }),
        ctx.scope(() => {
          throw new RangeError("thrown");
        }).catch(({ message }) => order.push(message)),
      ];
      await microtasks();
      order.push("turn ends");
      await Promise.all(ends);
      return order;
    },
  }));
  assertEquals(JSON.parse(outcome), ["value", "thrown", "turn ends", "after a wait"]);
  assertEquals(typesOf(state.history), ["workflow_started", "side_effect", "workflow_completed"]);
});

Deno.test("WorkflowContext.scope() clears timers when it ends", async () => {
  const { outcome, state } = await playEveryWay(() => ({
    async workflow(ctx: Ctx) {
      let loser: unknown;
      await ctx.scope(async (ctx) => {
        ctx.sleep(1000).catch((error) => loser = `${error} at ${ctx.now()}`);
        await ctx.sleep(10);
      });
      await ctx.sleep(5);
      return [loser, ctx.now()];
    },
  }));
  assertEquals(JSON.parse(outcome), [`${ENDED} at 10`, 15]);
  assertEquals(state.history.filter(({ type }) => type === "timer_fired").length, 2);
});

Deno.test("WorkflowContext.scope() withdraws waits for signals when it ends: they take none", async () => {
  const { outcome } = await playEveryWay(() => ({
    sent: [{ at: 20, signal: "n", payload: 1 }, { at: 30, signal: "n", payload: 2 }, {
      at: 40,
      signal: "m",
      payload: 3,
    }],
    async workflow(ctx: Ctx) {
      const losers: Promise<unknown>[] = [];
      await ctx.scope(async (ctx) => {
        losers.push(endOf(ctx.waitForSignal("n")), endOf(ctx.waitForSignal("n", { timeoutMs: 100 })));
        losers.push(endOf(ctx.receiveSignal("m")[Symbol.asyncIterator]().next()));
        losers.push(endOf(ctx.waitUntil(() => false)), endOf(ctx.waitUntil(() => false, { timeoutMs: 100 })));
        await ctx.sleep(10);
      });
      return [
        await Promise.all(losers),
        await ctx.waitForSignal("n"),
        await ctx.waitForSignal("n"),
        await ctx.waitForSignal("m"),
      ];
    },
  }));
  assertEquals(JSON.parse(outcome), [Array(5).fill(ENDED), 1, 2, 3]);
});

Deno.test("WorkflowContext.scope() stops loops over signals when it ends, and gives back what they have not read", async () => {
  const { outcome } = await playEveryWay(() => ({
    sent: [1, 2, 3].map((payload) => ({ at: payload, signal: "n", payload })),
    async workflow(ctx: Ctx) {
      const got: unknown[] = [];
      let end: unknown;
      await ctx.scope(async (ctx) => {
        const loop = async () => {
          for await (const n of ctx.receiveSignal("n")) {
            got.push(n);
            await ctx.sleep(100);
          }
        };
        loop().catch((error) => end = String(error));
        await ctx.sleep(10);
      });
      return [got, end, await ctx.waitForSignal("n"), ctx.takeSignal("n")?.payload];
    },
  }));
  assertEquals(JSON.parse(outcome), [[1], ENDED, 2, 3]);
});

Deno.test("WorkflowContext.scope() aborts activities when it ends, and does not wait for them", async () => {
  const { outcome, state, log } = await playEveryWay((world) => ({
    async workflow(ctx: Ctx) {
      let loser: unknown;
      await ctx.scope(async (ctx) => {
        ctx.executeActivity(world.work("heeds", { at: 100 })).catch((error) => loser = String(error));
        ctx.executeActivity(world.work("ignores", { at: 100, ignores: true }));
        await ctx.sleep(10);
      });
      await ctx.sleep(5);
      return [loser, ctx.now()];
    },
  }));
  assertEquals(JSON.parse(outcome), [ENDED, 15]);
  assertEquals(log, ["heeds begins at 0", "ignores begins at 0", "heeds aborted at 10"]);
  assertEquals(typesOf(state.history).filter((type) => type === "activity_failed"), []);
});

for (
  const [policy, status, canceled] of [
    ["cancel", "canceled", ["child cleans up at 10"]],
    ["terminate", "canceled", []],
    ["abandon", "completed", []],
  ] as const
) {
  Deno.test(`WorkflowContext.scope() closes a child with the policy ${policy} when it ends`, async () => {
    const { outcome, states, log } = await playEveryWay((world) => {
      async function child(ctx: Ctx) {
        try {
          await ctx.sleep(50);
        } catch (error) {
          world.note("child cleans up");
          throw error;
        }
      }
      return {
        workflows: { child },
        async workflow(ctx: Ctx) {
          let loser: unknown;
          await ctx.scope(async (ctx) => {
            ctx.executeChild(child, undefined, { id: "b", parentClosePolicy: policy })
              .catch((error) => loser = String(error));
            await ctx.sleep(10);
          });
          await ctx.sleep(5);
          const { now } = ctx;
          await ctx.sleep(100);
          return [loser, now.call(ctx)];
        },
      };
    }, { prefixes: true });
    assertEquals(JSON.parse(outcome), [ENDED, 115]);
    assertEquals(states.find(({ workflowId }) => workflowId === "b")?.status, status);
    assertEquals(log, canceled);
  });
}

Deno.test("WorkflowContext.scope() cancels nested scopes when it ends, and waits for their shields", async () => {
  const { outcome, log } = await playEveryWay((world) => ({
    async workflow(ctx: Ctx) {
      const order: string[] = [];
      await ctx.scope(async (ctx) => {
        for (const name of ["one", "two"]) {
          ctx.scope((ctx) =>
            ctx.scope(async (ctx) => {
              try {
                await ctx.sleep(1000);
              } finally {
                await ctx.shield((ctx) => ctx.executeActivity(world.work(name, { at: name === "one" ? 30 : 40 })));
                order.push(name);
              }
            })
          );
        }
        await ctx.sleep(10);
        order.push("body ends");
      });
      return [...order, ctx.now()];
    },
  }));
  assertEquals(JSON.parse(outcome), ["body ends", "one", "two", 40]);
  assertEquals(log, ["one begins at 10", "two begins at 10", "one ends at 30", "two ends at 40"]);
});

Deno.test("WorkflowContext.scope() waits for a shield that a loser opens in its finally", async () => {
  const { outcome } = await playEveryWay((world) => ({
    async workflow(ctx: Ctx) {
      const order: string[] = [];
      await ctx.scope(async (ctx) => {
        const loser = async () => {
          try {
            await ctx.waitForSignal("never");
          } finally {
            for (const at of [20, 30]) { // the second one begins while the scope waits for the first one only
              await ctx.shield((ctx) => ctx.executeActivity(world.work("cleanup", { at })));
              await microtasks();
            }
            order.push("cleaned up");
          }
        };
        loser().catch(nothing);
        await ctx.sleep(10);
      });
      return [...order, ctx.now()];
    },
  }));
  assertEquals(JSON.parse(outcome), ["cleaned up", 30]);
});

Deno.test("WorkflowContext.scope() that cancels itself and returns waits for what its losers clean up", async () => {
  const { outcome } = await playEveryWay((world) => ({
    async workflow(ctx: Ctx) {
      const order: string[] = [];
      const answer = await ctx.scope(async (ctx) => {
        const loser = async () => {
          try {
            await ctx.waitForSignal("never");
          } finally {
            await ctx.shield((ctx) => ctx.executeActivity(world.work("cleanup", { at: 20 })));
            order.push("cleaned up");
          }
        };
        loser().catch(nothing);
        await ctx.sleep(10);
        ctx.cancel();
        return "answer";
      });
      return [...order, answer, ctx.now()];
    },
  }));
  assertEquals(JSON.parse(outcome), ["cleaned up", "answer", 20]);
});

Deno.test("a workflow function that returns cancels its open scopes and waits for them", async () => {
  const { outcome, state, log } = await playEveryWay((world) => ({
    async workflow(ctx: Ctx) {
      ctx.scope(async (ctx) => {
        try {
          await ctx.sleep(1000);
        } catch (error) {
          world.note(String(error));
          await ctx.shield((ctx) => ctx.executeActivity(world.work("cleanup", { at: 30 })));
        }
      });
      await ctx.sleep(10);
      return "done";
    },
  }));
  assertEquals([outcome, state.updatedAt], ['"done"', 30]);
  assertEquals(log, [`${ENDED} at 10`, "cleanup begins at 10", "cleanup ends at 30"]);
});

Deno.test("a workflow function that returns without open scopes ends at once, whatever is in flight", async () => {
  const { outcome, state } = await playEveryWay((world) => ({
    async workflow(ctx: Ctx) {
      void ctx.executeActivity(world.work("ignores", { at: 100, ignores: true }));
      void ctx.sleep(50);
      await ctx.sleep(10);
      return "done";
    },
  }));
  assertEquals([outcome, state.updatedAt], ['"done"', 10]);
});

// Cancellation

Deno.test("ScopeContext.cancel() rejects open and new waits with its reason, and the body goes on", async () => {
  const { outcome } = await playEveryWay((world) => ({
    async workflow(ctx: Ctx) {
      const outside = ctx.sleep(20).then(() => "not reached");
      const inside = await ctx.scope(async (ctx) => {
        const open = [
          ctx.sleep(100),
          ctx.executeActivity(world.work("work", { at: 100 })),
          ctx.waitForSignal("never"),
          ctx.waitUntil(() => false),
          ctx.receiveSignal("never")[Symbol.asyncIterator]().next(),
          ctx.scope((ctx) => ctx.sleep(100)),
          ctx.mapConcurrent([1, 2], 1, () => ctx.sleep(100)),
        ];
        await ctx.sleep(10);
        const before = ctx.signal.aborted;
        ctx.cancel("enough");
        ctx.cancel("a second one does nothing");
        return [
          before,
          ctx.signal.aborted,
          ...await Promise.all([...open, ...open.map(() => ctx.sleep(1))].map(endOf)),
        ];
      });
      return [new Set(inside).size, inside[0], inside[1], inside[2], await outside, ctx.signal.aborted, ctx.now()];
    },
  }));
  const reason = 'CanceledError: Canceled a scope of workflow "a": enough';
  assertEquals(JSON.parse(outcome), [3, false, true, reason, "not reached", false, 20]);
});

/** Every way to wait. */
const waits: Record<string, (ctx: ScopeContext) => Promise<unknown>> = {
  "sleep()": (ctx) => ctx.sleep(1),
  "executeActivity()": (ctx) => ctx.executeActivity(nothing),
  "sideEffect()": (ctx) => ctx.sideEffect(() => 1),
  "executeChild()": (ctx) => ctx.executeChild((ctx: Ctx) => ctx.sleep(1)),
  "startChild()": (ctx) => ctx.startChild((ctx: Ctx) => ctx.sleep(1)).result(),
  "waitForSignal()": (ctx) => ctx.waitForSignal("s"),
  "waitForSignal(timeoutMs)": (ctx) => ctx.waitForSignal("s", { timeoutMs: 1 }),
  "receiveSignal()": (ctx) => ctx.receiveSignal("s")[Symbol.asyncIterator]().next(),
  "waitUntil()": (ctx) => ctx.waitUntil(() => true),
  "mapConcurrent()": (ctx) => ctx.mapConcurrent([1], 1, () => ctx.sleep(1)),
  "scope()": (ctx) => ctx.scope(() => "called"),
};

for (const [how, wait] of Object.entries(waits)) {
  Deno.test(`WorkflowContext.${how} rejects in a cancelled scope, and takes no signal`, async () => {
    const { executor, store } = setUp();
    const handle = await executor.execute(async (ctx: Ctx) => {
      await ctx.waitForSignal("go");
      const inside = await ctx.scope((ctx) => {
        ctx.cancel("enough");
        return endOf(wait(ctx));
      });
      const ended = await ctx.scope((ctx) => () => endOf(wait(ctx))).then((late) => late());
      return [inside, ended, ctx.takeSignal("s")?.payload];
    }, { id: "a" });
    await executor.signal("a", "s", "unread");
    await executor.signal("a", "go");
    const canceled = 'CanceledError: Canceled a scope of workflow "a": enough';
    assertEquals(await handle.result(), [canceled, `${ENDED}; use the context around it`, "unread"]);
    assertEquals(typesOf((await store.load("a"))!.history).length, 4);
    await executor.close();
  });
}

Deno.test("WorkflowContext.scope() that is cancelled answers with what its body returns, and fails with what it throws", async () => {
  const { outcome } = await playEveryWay(() => ({
    async workflow(ctx: Ctx) {
      const ways: ((ctx: ScopeContext) => unknown)[] = [
        (ctx) => ctx.cancel(),
        (ctx) => ctx.sleep(100),
      ];
      const results: unknown[] = [];
      for (const cancel of ways) {
        const body = (after: () => unknown) => async (ctx: ScopeContext) => {
          await Promise.resolve(cancel(ctx)).catch(nothing);
          return after();
        };
        const fail = () => {
          throw new RangeError("own error");
        };
        results.push(await endOf(ctx.scope(body(() => "answer"), { timeoutMs: 10 })));
        results.push(await endOf(ctx.scope(body(fail), { timeoutMs: 10 })));
      }
      return results;
    },
  }));
  const two = ["answer", "RangeError: own error"];
  assertEquals(JSON.parse(outcome), [...two, ...two]);
});

Deno.test("ScopeContext.cancel() without a reason says which workflow it is", async () => {
  const { executor } = setUp();
  const handle = await executor.execute((ctx: Ctx) =>
    ctx.scope(async (ctx) => {
      ctx.cancel();
      await ctx.sleep(1);
    }), { id: "a" });
  const error = await assertRejects(() => handle.result(), CanceledError, 'Canceled a scope of workflow "a"');
  assertEquals([error.reason, handle.status], [undefined, "failed"]);
  await executor.close();
});

Deno.test("WorkflowContext.scope() with timeoutMs is cancelled with a TimeoutError at its deadline", async () => {
  const { outcome, state } = await playEveryWay((world) => ({
    async workflow(ctx: Ctx) {
      const error = await ctx.scope((ctx) => ctx.executeActivity(world.work("slow", { at: 100 })), { timeoutMs: 10 })
        .catch((error) => error);
      return [error.name, error.message, error.timeoutMs, ctx.now()];
    },
  }));
  const message = 'A scope of workflow "a" did not end within 10 ms';
  assertEquals(JSON.parse(outcome), ["TimeoutError", message, 10, 10]);
  assertEquals(typesOf(state.history), [
    "workflow_started",
    "timer_started",
    "activity_started",
    "timer_fired",
    "workflow_completed",
  ]);
});

Deno.test("WorkflowContext.scope() that ends in time clears its deadline", async () => {
  const { outcome, state } = await playEveryWay(() => ({
    async workflow(ctx: Ctx) {
      await ctx.scope((ctx) => ctx.sleep(10), { timeoutMs: 20 });
      await ctx.sleep(100);
      return ctx.now();
    },
  }));
  assertEquals(outcome, "110");
  assertEquals(state.history.filter(({ type }) => type === "timer_fired").length, 2);
});

Deno.test("WorkflowContext.scope() with timeoutMs: 0 is cancelled in the next turn", async () => {
  const { outcome } = await playEveryWay(() => ({
    async workflow(ctx: Ctx) {
      const ended = await ctx.scope(() => "at once", { timeoutMs: 0 });
      return [ended, await endOf(ctx.scope((ctx) => ctx.waitForSignal("never"), { timeoutMs: 0 })), ctx.now()];
    },
  }));
  assertEquals(JSON.parse(outcome), ["at once", 'TimeoutError: A scope of workflow "a" did not end within 0 ms', 0]);
});

Deno.test("a cancellation of the workflow reaches every scope with its own reason, and no later deadline replaces it", async () => {
  const { outcome, state } = await playEveryWay(() => ({
    sent: [{ at: 10, cancel: "stop" }],
    async workflow(ctx: Ctx) {
      const end = await ctx.scope(
        (ctx) =>
          ctx.scope(async (ctx) => {
            const open = await endOf(ctx.sleep(100));
            await ctx.shield((ctx) => ctx.sleep(50)); // beyond the deadlines
            return [open, await endOf(ctx.sleep(1)), ctx.signal.aborted];
          }, { timeoutMs: 30 }),
        { timeoutMs: 20 },
      );
      return [end, ctx.signal.aborted, ctx.now()];
    },
  }));
  const reason = 'CanceledError: Canceled workflow "a": stop';
  assertEquals(JSON.parse(outcome), [[reason, reason, true], true, 60]);
  assertEquals(state.history.filter(({ type }) => type === "timer_fired").length, 1);
});

Deno.test("a nested deadline and a cancellation of the scope around it in the same turn: the first one is the reason", async () => {
  const { outcome } = await playEveryWay(() => ({
    async workflow(ctx: Ctx) {
      const results: unknown[] = [];
      for (const first of ["inner", "outer"] as const) {
        await ctx.scope(async (outer) => {
          await outer.scope(async (inner) => {
            const open = inner.sleep(100);
            inner.signal.addEventListener("abort", () => outer.cancel("by the listener"));
            if (first === "outer") outer.cancel("outer");
            else inner.cancel("inner");
            results.push(await endOf(open), await endOf(outer.sleep(1)));
          });
        });
      }
      return results;
    },
  }));
  const by = (reason: string) => `CanceledError: Canceled a scope of workflow "a": ${reason}`;
  assertEquals(JSON.parse(outcome), [by("inner"), by("by the listener"), by("outer"), by("outer")]);
});

for (const canceled of [false, true]) {
  const status = canceled ? "canceled" : "failed";
  const when = canceled ? "the run was cancelled" : "only a scope was cancelled";
  Deno.test(`a CanceledError that leaves the workflow function ends it as ${status} when ${when}`, async () => {
    const { outcome, state } = await playEveryWay(() => ({
      sent: canceled ? [{ at: 20, cancel: "stop" }] : [],
      workflow: (ctx: Ctx) =>
        ctx.scope(async (ctx) => {
          await ctx.sleep(10);
          if (!canceled) ctx.cancel("enough");
          await ctx.sleep(100);
        }),
    }));
    const message = canceled ? 'Canceled workflow "a": stop' : 'Canceled a scope of workflow "a": enough';
    assertEquals([outcome, state.status], [`CanceledError: ${message}`, status]);
  });
}

Deno.test("WorkflowContext.scope() opened in a cancelled scope or in an ended one rejects without calling its body", async () => {
  const { outcome } = await playEveryWay(() => ({
    async workflow(ctx: Ctx) {
      const called: string[] = [];
      const [canceled, late] = await ctx.scope(async (ctx) => {
        ctx.cancel("enough");
        return [await endOf(ctx.scope(() => called.push("cancelled"))), ctx];
      });
      const ended = await endOf(late.scope(() => called.push("ended")));
      const uncanceled = await ctx.scope((ctx) => ctx);
      return [canceled, ended, await endOf(uncanceled.scope(() => called.push("ended"))), called];
    },
  }));
  const reason = 'CanceledError: Canceled a scope of workflow "a": enough';
  assertEquals(JSON.parse(outcome), [reason, reason, `${ENDED}; use the context around it`, []]);
});

// waitForCanceled

Deno.test("waitForCanceled: a cancelled activity settles with its real result, and the scope ends after it", async () => {
  const { outcome, log } = await playEveryWay((world) => ({
    async workflow(ctx: Ctx) {
      const charge = world.work("charge", { at: 30, ignores: true });
      const options = { timeoutMs: 10, waitForCanceled: true };
      const result = await ctx.scope((ctx) => ctx.executeActivity(charge), options);
      return [result, ctx.now()];
    },
  }));
  assertEquals(JSON.parse(outcome), ["charge", 30]);
  assertEquals(log, ["charge begins at 0", "charge ends at 30"]);
});

Deno.test("waitForCanceled: nested scopes inherit it, and can leave it", async () => {
  const { outcome } = await playEveryWay((world) => ({
    async workflow(ctx: Ctx) {
      const work = (at: number) => world.work("work", { at, ignores: true });
      return await ctx.scope(async (ctx) => {
        const both = [
          ctx.scope((ctx) => ctx.executeActivity(work(30))),
          ctx.scope((ctx) => ctx.executeActivity(work(40)), { waitForCanceled: false }),
        ].map((end) => endOf(end).then((end) => `${end} at ${ctx.now()}`));
        await ctx.sleep(10);
        ctx.cancel("enough");
        return await Promise.all(both);
      }, { waitForCanceled: true });
    },
  }));
  const reason = 'CanceledError: Canceled a scope of workflow "a": enough';
  assertEquals(JSON.parse(outcome), ["work at 30", `${reason} at 10`]);
});

Deno.test("waitForCanceled: an activity that heeds its signal settles with what it throws", async () => {
  const { outcome, state, log } = await playEveryWay((world) => ({
    async workflow(ctx: Ctx) {
      const heeds = world.work("heeds", { at: 1000 });
      const retry = { maxAttempts: 5 };
      return await endOf(
        ctx.scope((ctx) => ctx.executeActivity(heeds, undefined, { retry }), { timeoutMs: 10, waitForCanceled: true }),
      );
    },
  }));
  assertStringIncludes(outcome, "TimeoutError");
  assertEquals(log, ["heeds begins at 0", "heeds aborted at 10"]);
  assertEquals(typesOf(state.history).includes("activity_attempt_failed"), false); // no further attempt
});

Deno.test("waitForCanceled: a branch whose activity rejects with the reason of its deadline is cut off, and does not fail its scope", async () => {
  const { outcome } = await playEveryWay((world) => ({
    async workflow(ctx: Ctx) {
      const heeds = world.work("heeds", { at: 1000 });
      return await ctx.scope(async (ctx) => {
        ctx.spawn((ctx) => ctx.executeActivity(heeds));
        const error = await ctx.executeActivity(heeds).catch((error) => error);
        return [error === ctx.signal.reason, await endOf(ctx.sleep(1000))];
      }, { timeoutMs: 10, waitForCanceled: true });
    },
  }));
  assertEquals(JSON.parse(outcome), [true, 'TimeoutError: A scope of workflow "a" did not end within 10 ms']);
});

Deno.test("waitForCanceled: an activity that fails after it was cancelled is not retried", async () => {
  const { outcome, state } = await playEveryWay((world) => ({
    async workflow(ctx: Ctx) {
      const fails = world.work("fails", { at: 30, ignores: true, fails: true });
      const body = (ctx: Ctx) => ctx.executeActivity(fails, undefined, { retry: { maxAttempts: 5 } });
      return [await endOf(ctx.scope(body, { timeoutMs: 10, waitForCanceled: true })), ctx.now()];
    },
  }));
  assertEquals(JSON.parse(outcome), ["RangeError: fails failed", 30]);
  assertEquals(typesOf(state.history).includes("activity_attempt_failed"), false);
});

Deno.test("waitForCanceled: an activity that is backing off fails at once with the reason", async () => {
  const { outcome, log } = await playEveryWay((world) => ({
    async workflow(ctx: Ctx) {
      const fails = world.work("fails", { fails: true });
      const body = (ctx: Ctx) => ctx.executeActivity(fails, undefined, { retry: { initialIntervalMs: 100 } });
      return [await endOf(ctx.scope(body, { timeoutMs: 10, waitForCanceled: true })), ctx.now()];
    },
  }));
  assertEquals(JSON.parse(outcome), ['TimeoutError: A scope of workflow "a" did not end within 10 ms', 10]);
  assertEquals(log, ["fails begins at 0", "fails ends at 0"]);
});

Deno.test("waitForCanceled: a second attempt that has begun is waited for, and runs again after a crash", async () => {
  const { outcome } = await playEveryWay((world) => ({
    async workflow(ctx: Ctx) {
      const second = world.work("charge", { at: 50, ignores: true });
      async function charge(_: unknown, context: Parameters<typeof second>[1]) {
        if (context.attempt === 1) throw new Error("busy");
        return await second(_, context);
      }
      const body = (ctx: Ctx) => ctx.executeActivity(charge, undefined, { retry: { initialIntervalMs: 10 } });
      return [await endOf(ctx.scope(body, { timeoutMs: 30, waitForCanceled: true })), ctx.now()];
    },
  }));
  assertEquals(JSON.parse(outcome), ["charge", 50]);
});

Deno.test("waitForCanceled: an activity that is cancelled in the turn in which it was issued fails with the reason", async () => {
  const { outcome, log, state } = await playOnce((world) => ({
    async workflow(ctx: Ctx) {
      await ctx.sleep(10);
      const end = await ctx.scope(async (ctx) => {
        const work = ctx.executeActivity(world.work("work"));
        ctx.cancel("enough");
        return await endOf(work);
      }, { waitForCanceled: true });
      return [end, ctx.now()];
    },
  }));
  assertEquals(JSON.parse(outcome), ['CanceledError: Canceled a scope of workflow "a": enough', 10]);
  assertEquals(log, []);
  const [failed] = state.history.flatMap((event) => event.type === "activity_failed" ? [event] : []);
  assertEquals(failed.attempt, 0);
});

Deno.test("waitForCanceled: an activity that waits for a slot fails at once with the reason", async () => {
  const { outcome, log } = await playOnce((world) => ({
    maxConcurrentActivities: 1,
    async workflow(ctx: Ctx) {
      const first = ctx.executeActivity(world.work("first", { at: 50, ignores: true }));
      const second = await endOf(
        ctx.scope((ctx) => ctx.executeActivity(world.work("second")), { timeoutMs: 10, waitForCanceled: true }),
      );
      return [second, ctx.now(), await first];
    },
  }));
  assertEquals(JSON.parse(outcome), ['TimeoutError: A scope of workflow "a" did not end within 10 ms', 10, "first"]);
  assertEquals(log, ["first begins at 0", "first ends at 50"]);
});

Deno.test("waitForCanceled: an activity that waits for a slot after a crash runs, because it may have begun before", async () => {
  const scene = (world: World) => ({
    maxConcurrentActivities: 1,
    async workflow(ctx: Ctx) {
      const body = (ctx: Ctx) => ctx.executeActivity(world.work("charge", { at: 80, ignores: true }));
      const charged = ctx.scope(body, { timeoutMs: 20, waitForCanceled: true });
      await ctx.sleep(10);
      const other = ctx.executeActivity(world.work("other", { at: 50, ignores: true }));
      return [await endOf(charged), ctx.now(), await other];
    },
  });
  const { outcome, state } = await playEveryWay((world) => ({ ...scene(world), maxConcurrentActivities: 2 }));
  assertEquals(JSON.parse(outcome), ["charge", 80, "other"]);
  // The recovery begins with the activity that was issued first: let it find the slot taken.
  const at = state.history.findIndex(({ type }) => type === "timer_fired");
  for (let length = at; length < state.history.length; length++) {
    const played = await playOnce(scene, { from: { ...state, history: state.history.slice(0, length) } });
    assertEquals(played.outcome, outcome);
  }
});

/** Options of an activity that ends at 60 and is cancelled at 10; and how it ends. */
const LIMITS: Record<string, [options: ActivityOptions, end: string]> = {
  "its timeoutMs": [{ timeoutMs: 30 }, 'TimeoutError: Activity "work" timed out after 30 ms in attempt 1 at 30'],
  "its timeoutMs, without a further attempt": [
    { timeoutMs: 30, retry: { maxAttempts: 3 } },
    'TimeoutError: Activity "work" timed out after 30 ms in attempt 1 at 30',
  ],
  "its totalTimeoutMs": [{ totalTimeoutMs: 30 }, 'TimeoutError: Activity "work" timed out after 30 ms in total at 30'],
  "its heartbeatTimeoutMs": [
    { heartbeatTimeoutMs: 15 },
    'TimeoutError: Activity "work" timed out after 15 ms without a heartbeat in attempt 1 at 15',
  ],
  "its heartbeats": [{ heartbeatTimeoutMs: 30 }, "work at 60"],
};

for (const [what, [options, end]] of Object.entries(LIMITS)) {
  Deno.test(`waitForCanceled: a cancelled activity is still subject to ${what}`, async () => {
    const { outcome } = await playOnce((world) => {
      const inner = world.work("work", { at: 60, ignores: true });
      const work = async (input: unknown, context: ActivityContext) => {
        for (const at of [20, 40]) world.until(at).then(() => context.heartbeat()).catch(nothing);
        return await inner(input, context);
      };
      return {
        workflow: async (ctx: Ctx) => {
          const body = (ctx: Ctx) => ctx.executeActivity(work, undefined, options);
          return `${await endOf(ctx.scope(body, { timeoutMs: 10, waitForCanceled: true }))} at ${ctx.now()}`;
        },
      };
    });
    assertEquals(JSON.parse(outcome), end);
  });
}

Deno.test("waitForCanceled: an atMostOnce activity whose process died fails with activity_interrupted", async () => {
  const scene = (world: World) => ({
    async workflow(ctx: Ctx) {
      const charge = world.work("charge", { at: 50, ignores: true });
      const body = (ctx: Ctx) => ctx.executeActivity(charge, undefined, { atMostOnce: true });
      return await endOf(ctx.scope(body, { timeoutMs: 10, waitForCanceled: true }).catch(({ code }) => code));
    },
  });
  const { outcome, state } = await playOnce(scene);
  assertEquals(outcome, '"charge"');
  for (const length of [3, 4]) { // before and after the deadline
    const played = await playOnce(scene, { from: { ...state, history: state.history.slice(0, length) } });
    assertEquals([played.outcome, played.log], ['"activity_interrupted"', []]);
  }
});

Deno.test("waitForCanceled: a cancelled activity whose process died runs again with its signal aborted from the start", async () => {
  const scene = (world: World) => ({
    async workflow(ctx: Ctx) {
      async function charge(_: unknown, { signal, attempt }: ActivityContext) {
        world.note(`attempt ${attempt}, aborted: ${signal.aborted}`);
        await world.until(50);
        return `${signal.reason}`;
      }
      return await ctx.scope((ctx) => ctx.executeActivity(charge), { timeoutMs: 10, waitForCanceled: true });
    },
  });
  const { outcome, state } = await playOnce(scene);
  const played = await playOnce(scene, { from: { ...state, history: state.history.slice(0, 4) } });
  assertEquals(typesOf(state.history)[3], "timer_fired");
  assertEquals([played.outcome, played.log], [outcome, ["attempt 1, aborted: true at 10"]]);
  assertStringIncludes(outcome, "did not end within 10 ms");
});

for (
  const [policy, end] of [
    ["cancel", 'CanceledError: Canceled workflow "b": its parent "a" does not need it any more at 30'],
    ["terminate", 'WorkflowError: Terminated workflow "b": its parent "a" does not need it any more at 10'],
    ["abandon", 'TimeoutError: A scope of workflow "a" did not end within 10 ms at 10'],
  ] as const
) {
  Deno.test(`waitForCanceled: a cancelled child with the policy ${policy} settles with its end`, async () => {
    const { outcome } = await playEveryWay((world) => {
      async function child(ctx: Ctx) {
        try {
          await ctx.sleep(100);
        } finally {
          await ctx.shield((ctx) => ctx.executeActivity(world.work("cleanup", { at: 30 })));
        }
      }
      return {
        workflows: { child },
        async workflow(ctx: Ctx) {
          const body = (ctx: Ctx) => ctx.executeChild(child, undefined, { id: "b", parentClosePolicy: policy });
          const end = `${await endOf(ctx.scope(body, { timeoutMs: 10, waitForCanceled: true }))} at ${ctx.now()}`;
          await ctx.sleep(200);
          return end;
        },
      };
    }, { prefixes: true });
    assertEquals(JSON.parse(outcome), end);
  });
}

Deno.test("waitForCanceled: a cancelled child that completes all the same settles with its result", async () => {
  const { outcome } = await playEveryWay(() => {
    async function child(ctx: Ctx) {
      await ctx.sleep(100).catch(nothing);
      await ctx.shield((ctx) => ctx.sleep(20));
      return "completed";
    }
    return {
      workflows: { child },
      workflow: async (ctx: Ctx) => {
        const body = (ctx: Ctx) => ctx.executeChild(child, undefined, { id: "b" });
        return [await ctx.scope(body, { timeoutMs: 10, waitForCanceled: true }), ctx.now()];
      },
    };
  }, { prefixes: true });
  assertEquals(JSON.parse(outcome), ["completed", 30]);
});

Deno.test("waitForCanceled: a cancellation of the workflow waits as well", async () => {
  const { outcome, state } = await playEveryWay((world) => ({
    sent: [{ at: 10, cancel: "stop" }],
    workflow: async (ctx: Ctx) => {
      const charge = world.work("charge", { at: 30, ignores: true });
      const end = await ctx.scope((ctx) => ctx.executeActivity(charge), { waitForCanceled: true });
      return [end, await endOf(ctx.sleep(1)), ctx.now()];
    },
  }));
  assertEquals(JSON.parse(outcome), ["charge", 'CanceledError: Canceled workflow "a": stop', 30]);
  assertEquals(state.status, "completed");
});

// The history

/** Resumes every prefix of a history with other code. Returns the outcomes, each once. */
async function resumedWith(state: WorkflowState, make: (world: World) => Scene, from = 1): Promise<string[]> {
  const outcomes = new Set<string>();
  for (let length = from; length < state.history.length; length++) {
    const { outcome } = await playOnce(make, { from: { ...state, history: state.history.slice(0, length) } });
    outcomes.add(outcome);
  }
  return [...outcomes];
}

Deno.test("WorkflowContext.scope() without a deadline can be put around code of runs in flight, and taken away", async () => {
  type Around = (ctx: Ctx, body: (ctx: Ctx) => Promise<unknown>) => Promise<unknown>;
  const scene = (around: Around) => (world: World) => ({
    sent: [{ at: 15, signal: "s", payload: 1 }],
    workflow: (ctx: Ctx) =>
      around(ctx, async (ctx) => {
        const work = ctx.executeActivity(world.work("work", { at: 10 }));
        await ctx.sleep(5);
        return [await work, await ctx.waitForSignal("s"), await ctx.sideEffect(() => 2), ctx.now()];
      }),
  });
  const bare = scene((ctx, body) => body(ctx));
  const inScope = scene((ctx, body) => ctx.scope(body));
  const nested = scene((ctx, body) => ctx.shield((ctx) => ctx.scope(body, { waitForCanceled: true })));
  const { state, outcome } = await playOnce(bare);
  for (const other of [inScope, nested]) assertEquals(await resumedWith(state, other), [outcome]);
  assertEquals(await resumedWith((await playOnce(nested)).state, bare), [outcome]);
});

Deno.test("a run with a shield that was recorded before there were scopes still replays", async () => {
  const events: WorkflowEvent[] = [
    { type: "workflow_started", at: 0, workflowName: "scene" },
    { type: "timer_started", at: 0, seq: 0, dueAt: 2_000 },
    { type: "cancel_requested", at: 10, reason: "stop" },
    { type: "compensation_started", at: 10, seq: 1, name: "undo" },
    { type: "timer_started", at: 10, seq: 2, dueAt: 20 },
    { type: "timer_fired", at: 20, seq: 2 },
    { type: "activity_started", at: 20, seq: 3, name: "release" },
    { type: "activity_completed", at: 21, seq: 3, attempt: 1, result: "release" },
    { type: "timer_started", at: 21, seq: 4, dueAt: 30 },
    { type: "timer_fired", at: 30, seq: 4 },
    { type: "workflow_canceled", at: 30, error: { name: "CanceledError", message: "" } },
  ];
  const scene = (world: World) => ({
    workflow: async (ctx: Ctx) => {
      ctx.addCompensation(async () => {
        await ctx.sleep(10);
        await ctx.executeActivity(world.work("release"));
        await ctx.shield((ctx) => ctx.sleep(9));
      }, { name: "undo" });
      await ctx.sleep(2_000);
    },
  });
  const state = { workflowId: "a", runId: "run", workflowName: "scene", status: "running", history: events } as const;
  assertEquals(await resumedWith(state as never, scene, 3), ['CanceledError: Canceled workflow "a": stop']);
});

/** Resumes the first events of a run with other code. Returns the error with which it diverges. */
async function divergence(was: (ctx: Ctx) => unknown, is: (ctx: Ctx) => unknown): Promise<NonDeterminismError> {
  const { state } = await playOnce(() => ({ workflow: was }));
  const store = new InMemoryStore();
  const { workflowId, runId, history } = state;
  await store.append({ workflowId, runId, expectedLength: 0, events: history.slice(0, -1) });
  await using executor = new Executor({ store, clock: new VirtualClock({ startAt: 100 }), workflows: { scene: is } });
  const [handle] = await executor.recover();
  return await assertRejects(() => handle.result(), NonDeterminismError);
}

Deno.test("NonDeterminismError teaches that a deadline of a scope was added, removed or moved", async () => {
  const work = function work() {};
  const bare = (ctx: Ctx) => ctx.scope((ctx) => ctx.executeActivity(work));
  const late = (ctx: Ctx) => ctx.scope((ctx) => ctx.executeActivity(work), { timeoutMs: 1000 });
  const added = await divergence(bare, late);
  assertEquals([added.expected, added.actual, added.position], ['activity "work"', "sleep or timeout", 0]);
  assertStringIncludes(
    added.message,
    'Likely edit: a sleep or timeout was inserted before activity "work", or replaced it',
  );
  assertStringIncludes(added.message, "called at late");
  const removed = await divergence(late, bare);
  assertEquals([removed.expected, removed.actual, removed.position], ["sleep or timeout", 'activity "work"', 0]);
  assertStringIncludes(
    removed.message,
    'sleep or timeout was removed or moved: the history has activity "work" at position 1',
  );
});

Deno.test("WorkflowContext.patched() lets a deadline be added to runs in flight", async () => {
  const scene = (patched: boolean) => (world: World) => ({
    async workflow(ctx: Ctx) {
      const timeoutMs = patched && ctx.patched("deadline") ? 20 : undefined;
      const run = (ctx: Ctx) => ctx.executeActivity(world.work("work", { at: 10 }));
      return await ctx.scope(run, { timeoutMs });
    },
  });
  const { state, outcome } = await playOnce(scene(false));
  assertEquals(await resumedWith(state, scene(true)), [outcome]);
});

Deno.test("a scope that is cancelled or ends after a wait for something else suspends its run with an error that teaches", async () => {
  const foreign = () => macrotasks(5);
  const cases: Record<string, (ctx: Ctx) => unknown> = {
    "an end of a scope": (ctx) =>
      ctx.scope(async (ctx) => {
        void ctx.waitForSignal("never");
        await foreign();
      }),
    "a cancellation of a scope": (ctx) =>
      ctx.scope(async (ctx) => {
        foreign().then(() => ctx.cancel());
        await ctx.waitForSignal("never");
      }),
    "a sleep or timeout": (ctx) => foreign().then(() => ctx.scope(nothing, { timeoutMs: 1 })),
  };
  for (const [what, workflow] of Object.entries(cases)) {
    const { executor, store } = setUp();
    const handle = await executor.execute(workflow, { id: "a" });
    const error = await assertRejects(() => handle.result(), NonDeterminismError);
    assertStringIncludes(
      error.message,
      `its code asked for ${what} after it waited for something other than its context`,
    );
    assertEquals((await store.load("a"))!.status, "running");
    await executor.close();
  }
});

// Many scopes

type Body = (ctx: Ctx, i: number, go: Promise<unknown>) => Promise<unknown>;

const crowds: Record<string, Body> = {
  "a losing timer": (ctx) => ctx.scope((ctx) => Promise.race([ctx.sideEffect(() => 1), ctx.sleep(1000)])),
  "a losing wait for a signal": (ctx, i) =>
    ctx.scope((ctx) => Promise.race([ctx.waitForSignal("n"), ctx.sleep(i % 7)])),
  "a losing condition": (ctx, _, go) => ctx.scope((ctx) => Promise.race([ctx.waitUntil(() => false), go])),
  "a deadline": (ctx) => ctx.scope((ctx) => ctx.waitForSignal("n"), { timeoutMs: 5 }).catch(nothing),
  "a branch": (ctx, i) =>
    ctx.scope(async (ctx) => {
      ctx.spawn((ctx) => ctx.waitForSignal("n"));
      await ctx.sleep(i % 7);
    }),
  "a cancellation": (ctx, _, go) =>
    ctx.scope(async (ctx) => {
      const open = [ctx.waitForSignal("n"), ctx.sleep(1000)];
      await go;
      ctx.cancel();
      await Promise.allSettled(open);
    }),
};

for (const [what, scope] of Object.entries(crowds)) {
  Deno.test(`WorkflowContext.scope() is open 10,000 times at once, with ${what} each`, async () => {
    const { executor, clock } = setUp();
    const handle = await executor.execute(async (ctx: Ctx) => {
      const go = ctx.waitForSignal("go");
      await Promise.all(Array.from({ length: 10_000 }, (_, i) => scope(ctx, i, go)));
    }, { id: "a" });
    await executor.signal("a", "go");
    await handle.result();
    assert(clock.now() < 1000, "a timer of an ended scope has fired");
    await executor.close();
  });
}

// Outcomes on their way

for (
  const [what, options, compensated, expected] of [
    ["is dropped", {}, false, 'CanceledError: Canceled a scope of workflow "a": enough'],
    ["settles its wait with waitForCanceled", { waitForCanceled: true }, false, "charged"],
    [
      "is recorded once in a run with compensations",
      {},
      true,
      'CanceledError: Canceled a scope of workflow "a": enough',
    ],
  ] as const
) {
  Deno.test(`ScopeContext.cancel() while the outcome of an activity is on its way: it ${what}`, async () => {
    const { executor, store } = setUp();
    const charge = () => {
      executor.signal("a", "cancel"); // is stored together with the outcome, and before it
      return "charged";
    };
    const log: unknown[] = [];
    const handle = await executor.execute(async (ctx: Ctx) => {
      if (compensated) ctx.addCompensation(() => void log.push("undone"));
      log.push(
        await ctx.scope(async (ctx) => {
          const charged = endOf(ctx.executeActivity(charge));
          await ctx.waitForSignal("cancel");
          ctx.cancel("enough");
          return await charged;
        }, options),
      );
      await ctx.sleep(10);
      throw new RangeError("no");
    }, { id: "a" });
    await assertRejects(() => handle.result(), RangeError);
    assertEquals(log, compensated ? [expected, "undone"] : [expected]);
    const types = typesOf((await store.load("a"))!.history).filter((type) => /^(signal|activity)/.test(type));
    assertEquals(types, ["activity_started", "signal_received", "activity_completed"]);
    await executor.close();
  });
}

Deno.test("WorkflowContext.scope() in a handler of signals ends with each call", async () => {
  const { outcome } = await playEveryWay((world) => ({
    sent: [1, 2, 3].map((payload) => ({ at: payload * 10, signal: "n", payload })),
    async workflow(ctx: Ctx) {
      const ends: unknown[] = [];
      ctx.handleSignal<number>("n", async (n) => {
        const work = world.work(`work ${n}`, { at: n === 2 ? 1000 : 10 * n + 3 });
        ends.push(await endOf(ctx.scope((ctx) => ctx.executeActivity(work), { timeoutMs: 5 })));
      });
      await ctx.waitUntil(() => ends.length === 3);
      return ends;
    },
  }));
  assertEquals(JSON.parse(outcome), [
    "work 1",
    'TimeoutError: A scope of workflow "a" did not end within 5 ms',
    "work 3",
  ]);
});

Deno.test("a promise of the scope around it that is awaited in a scope is not reached by a deadline", async () => {
  const { outcome } = await playEveryWay(() => ({
    async workflow(ctx: Ctx) {
      const outer = ctx.sleep(50).then(() => "outer");
      const end = await ctx.scope(async (_ctx) => await outer, { timeoutMs: 10 });
      return [end, ctx.now()];
    },
  }));
  assertEquals(JSON.parse(outcome), ["outer", 50]);
});

Deno.test("ScopeContext.cancel() adds no property to the context", async () => {
  const { executor } = setUp();
  const handle = await executor.execute((ctx: Ctx) =>
    ctx.scope((ctx) => {
      const before = Object.keys(ctx);
      ctx.cancel("enough");
      return { before, after: Object.keys(ctx), isHidden: !("reason" in ctx) };
    })
  );
  const { before, after, isHidden } = await handle.result();
  assertEquals([after, isHidden], [before, true]);
  await executor.close();
});
