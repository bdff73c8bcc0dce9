/** Hooks and middleware as pure functions; how an executor uses them is in `executor_test.ts`. */

import { assertEquals, assertInstanceOf, assertRejects, assertStrictEquals, assertThrows } from "@std/assert";
import { applyMiddleware } from "@rockpool/workflow/hooks";
import {
  composeHooks,
  type Hooks,
  type Middleware,
  type MiddlewareCall,
  type RunInfo,
  type WorkflowStartedEvent,
} from "@rockpool/workflow";

const event: WorkflowStartedEvent = { type: "workflow_started", at: 1, workflowName: "w" };
const run: RunInfo = { workflowId: "a", runId: "1", workflowName: "w" };

/** Calls composed hooks with the start of a workflow. */
const tell = (...sets: Hooks[]): unknown => composeHooks(...sets).workflowStarted!(event, run);

const throwing = (error: unknown) => ({
  workflowStarted: () => {
    throw error;
  },
});

Deno.test("composeHooks() calls every set in order, with the event and the run", () => {
  const log: unknown[] = [];
  const set = (name: string): Hooks => ({ workflowStarted: (...told) => log.push(name, told) });
  assertEquals(tell(set("a"), {}, set("b")), undefined);
  assertEquals(log, ["a", [event, run], "b", [event, run]]);
});

Deno.test("composeHooks() has the hooks that any set has, and no others", () => {
  const hooks = composeHooks({ signalReceived() {} }, { activityFailed() {}, signalReceived: undefined }, {});
  assertEquals(Object.keys(hooks).sort(), ["activityFailed", "signalReceived"]);
  assertEquals(composeHooks(), {});
});

Deno.test("composeHooks() knows every hook", () => {
  const names: Record<keyof Hooks, true> = {
    workflowStarted: true,
    workflowCompleted: true,
    workflowFailed: true,
    workflowCanceled: true,
    cancelRequested: true,
    activityStarted: true,
    activityCompleted: true,
    activityFailed: true,
    activityAttemptFailed: true,
    activityHeartbeat: true,
    timerStarted: true,
    timerFired: true,
    signalReceived: true,
    updateRequested: true,
    updateAccepted: true,
    updateRejected: true,
    updateCompleted: true,
    childStarted: true,
    childCompleted: true,
    childFailed: true,
    sideEffect: true,
    compensationStarted: true,
    patched: true,
    workflowReplayed: true,
    messagesUnhandled: true,
  };
  const set = Object.fromEntries(Object.keys(names).map((name) => [name, () => {}]));
  assertEquals(Object.keys(composeHooks(set)).sort(), Object.keys(names).sort());
});

Deno.test("composeHooks() calls the methods of a class, inherited ones too, on their object", () => {
  class Counter implements Hooks {
    count = 0;
    workflowStarted() {
      this.count++;
    }
  }
  class Heir extends Counter {}
  const heir = new Heir();
  tell(heir);
  assertEquals(heir.count, 1);
});

Deno.test("composeHooks() can be composed again", () => {
  const log: string[] = [];
  const set = (name: string): Hooks => ({ workflowStarted: () => log.push(name) });
  tell(composeHooks(set("a"), set("b")), set("c"));
  assertEquals(log, ["a", "b", "c"]);
});

Deno.test("composeHooks() calls the others when one throws, and throws its error", () => {
  const log: string[] = [];
  const error = new Error("boo");
  const thrown = assertThrows(() => tell(throwing(error), { workflowStarted: () => log.push("b") }));
  assertEquals(log, ["b"]);
  assertStrictEquals(thrown, error);
});

Deno.test("composeHooks() throws what is no error as well", () => {
  let thrown: unknown = "nothing";
  try {
    tell(throwing(undefined));
  } catch (error) {
    thrown = error;
  }
  assertEquals(thrown, undefined);
});

Deno.test("composeHooks() throws an AggregateError when several throw", () => {
  const errors = [new Error("a"), "b"];
  const error = assertThrows(() => tell(throwing(errors[0]), {}, throwing(errors[1])), AggregateError);
  assertEquals([error.message, error.errors], ['2 hooks "workflowStarted" threw', errors]);
});

Deno.test("composeHooks() waits for all when one returns a promise, and rejects with the error of the only one that failed", async () => {
  const log: string[] = [];
  const error = new Error("late");
  const slow: Hooks = {
    async workflowStarted() {
      await null;
      log.push("slow");
    },
  };
  const failing: Hooks = { workflowStarted: () => Promise.reject(error) };
  assertStrictEquals(await assertRejects(async () => await tell(failing, slow)), error);
  assertEquals(log, ["slow"]);
  assertEquals(await tell(slow), undefined);
});

Deno.test("composeHooks() rejects with an AggregateError of what was thrown and what was rejected", async () => {
  const told = tell({ workflowStarted: () => Promise.reject("rejected") }, throwing("thrown"));
  const error = await assertRejects(async () => await told, AggregateError);
  assertEquals(error.errors, ["thrown", "rejected"]);
});

Deno.test("composeHooks() waits for promises of others too", async () => {
  const thenable = { then: (_: unknown, reject: (reason: unknown) => void) => reject("foreign") };
  const told = tell({ workflowStarted: () => thenable });
  assertInstanceOf(told, Promise);
  assertEquals(await told.catch((reason) => reason), "foreign");
});

Deno.test("composeHooks() does not wait for a value that is no promise", () => {
  for (const answer of [null, undefined, 5, { then: 5 }, "then"]) {
    assertEquals(tell({ workflowStarted: () => answer }), undefined);
  }
});

const call: MiddlewareCall = { kind: "query", workflowId: "a" };

/** Applies middleware, and returns everything that it did. */
async function apply(middleware: Middleware[], body: () => unknown = () => "answer") {
  let calls = 0;
  const reported: unknown[] = [];
  const [outcome] = await Promise.allSettled([
    applyMiddleware(
      middleware,
      call,
      async () => {
        calls++;
        return await body();
      },
      (error) => reported.push(error),
    ),
  ]);
  const result: { value?: unknown; reason?: unknown } = outcome.status === "fulfilled"
    ? { value: outcome.value }
    : { reason: outcome.reason };
  return { ...result, calls, reported };
}

const fail = (reason: unknown) => () => {
  throw reason;
};
const through: Middleware = (_call, next) => next();

Deno.test("applyMiddleware() returns what the body returns, without middleware or with one that only calls next", async () => {
  for (const middleware of [[], [through], [through, through]]) {
    assertEquals(await apply(middleware), { value: "answer", calls: 1, reported: [] });
    assertEquals(await apply(middleware, fail("no")), { reason: "no", calls: 1, reported: [] });
  }
});

Deno.test("applyMiddleware() puts the first middleware outermost", async () => {
  const log: string[] = [];
  const noting = (name: string): Middleware => async (_call, next) => {
    log.push(`before ${name}`);
    const answer = await next();
    log.push(`after ${name}`);
    return `${name}(${answer})`;
  };
  const { value } = await apply([noting("a"), noting("b")], () => (log.push("body"), "x"));
  assertEquals([value, log], ["a(b(x))", ["before a", "before b", "body", "after b", "after a"]]);
});

Deno.test("applyMiddleware() gives every middleware the call", async () => {
  const told: unknown[] = [];
  const noting: Middleware = (call, next) => (told.push(call), next());
  await apply([noting, noting]);
  assertEquals(told, [call, call]);
});

Deno.test("applyMiddleware() makes the call once, however often next is called", async () => {
  const eager: Middleware = async (_call, next) => {
    const answers = await Promise.all([next(), next()]);
    return [...answers, await next()];
  };
  let n = 0;
  assertEquals(await apply([eager, through], () => ++n), { value: [1, 1, 1], calls: 1, reported: [] });
});

Deno.test("applyMiddleware() lets a middleware return without making the call", async () => {
  assertEquals(await apply([through, () => "cached"]), { value: "cached", calls: 0, reported: [] });
});

Deno.test("applyMiddleware() lets a middleware return a value instead of a failure", async () => {
  const forgiving: Middleware = (_call, next) => next().catch(() => "default");
  assertEquals(await apply([forgiving], fail("no")), { value: "default", calls: 1, reported: [] });
});

Deno.test("applyMiddleware() does not report a failure that is passed on, by a throw or not", async () => {
  const rethrowing: Middleware = async (_call, next) => {
    try {
      return await next();
    } catch (error) {
      throw error;
    }
  };
  const error = new Error("no");
  assertEquals(await apply([rethrowing, through, rethrowing], fail(error)), { reason: error, calls: 1, reported: [] });
});

for (
  const [when, middleware] of [
    ["before the call", () => fail("own")()],
    ["before the call, by a promise", () => Promise.reject("own")],
    ["while the call is made", (_call, next) => (next(), fail("own")())],
    ["after the call", async (_call, next) => (await next().catch(() => {}), fail("own")())],
    ["instead of a failure", (_call, next) => next().then(fail("own"), fail("own"))],
  ] as [string, Middleware][]
) {
  Deno.test(`applyMiddleware() reports an error of a middleware's own ${when}, and ignores the middleware`, async () => {
    for (const others of [[], [through]]) {
      const around = [...others, middleware, ...others];
      assertEquals(await apply(around), { value: "answer", calls: 1, reported: ["own"] });
      assertEquals(await apply(around, fail("no")), { reason: "no", calls: 1, reported: ["own"] });
    }
  });
}

Deno.test("applyMiddleware() reports an error that was thrown before the call, although the call fails with the same", async () => {
  assertEquals(await apply([fail("no")], fail("no")), { reason: "no", calls: 1, reported: ["no"] });
});

Deno.test("applyMiddleware() reports each middleware that throws, and ignores it", async () => {
  const shout: Middleware = async (_call, next) => `${await next()}!`;
  assertEquals(await apply([fail("a"), shout, fail("b"), shout]), {
    value: "answer!!",
    calls: 1,
    reported: ["b", "a"],
  });
});

Deno.test("applyMiddleware() reports a middleware that is no function, and ignores it", async () => {
  const { value, reported } = await apply([undefined as unknown as Middleware, null as unknown as Middleware, through]);
  assertEquals(value, "answer");
  assertEquals(reported.map((error) => error instanceof TypeError), [true, true]);
});

Deno.test("applyMiddleware() leaves no rejection unhandled when a middleware ignores a failure", async () => {
  const careless: Middleware = (_call, next) => {
    next();
    return "early";
  };
  assertEquals(await apply([careless], fail("no")), { value: "early", calls: 1, reported: [] });
});

Deno.test("applyMiddleware() returns the result when the reporter throws, and does not report twice", async () => {
  let reports = 0;
  const report = () => {
    reports++;
    throw new Error("from the reporter");
  };
  await assertRejects(
    () => applyMiddleware([fail("own")], call, () => Promise.resolve(1), report),
    Error,
    "from the reporter",
  );
  assertEquals(reports, 1);
});
