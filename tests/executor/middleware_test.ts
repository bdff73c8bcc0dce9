/** What middleware sees of each call, and what it can change. */

import { assert, assertEquals, assertRejects, assertStrictEquals } from "@std/assert";
import {
  type ActivityContext,
  type CallChanges,
  defineUpdate,
  Executor,
  type ExecutorOptions,
  type Middleware,
  type MiddlewareCall,
  type WorkflowContext,
} from "@rockpool/workflow";
import { FaultyStore } from "@rockpool/workflow/testing";
import { gate, ofType, settle, setUp } from "../support/executors.ts";

type Ctx = WorkflowContext;

const trace = { traceparent: "00-1" };
const forever = (ctx: Ctx) => ctx.waitForSignal("end");
const echo = (value: unknown, { headers }: ActivityContext) => [value, headers];

type Visit = Extract<MiddlewareCall, { kind: "visit" }>;

/** An executor whose middleware records all calls, and visits with their ends apart from them. */
function setUpRecording(options: Partial<ExecutorOptions> = {}) {
  const calls: MiddlewareCall[] = [];
  const visits: Visit[] = [];
  const ends: unknown[] = [];
  const record: Middleware = (call, next) => {
    if (call.kind === "visit") return visits.push(call), next().then((end) => ends.push(end));
    calls.push(call);
    return next();
  };
  return { calls, visits, ends, ...setUp({ ...options, middleware: [record] }) };
}

/** An executor with one middleware that changes calls of a kind, and the errors that are reported. */
function setUpChanging(kind: MiddlewareCall["kind"], change: (call: MiddlewareCall) => unknown) {
  const reported: string[] = [];
  const middleware: Middleware[] = [(call, next) => next(call.kind === kind ? change(call) as CallChanges : undefined)];
  return { reported, ...setUp({ middleware, onError: (error) => reported.push((error as Error).message) }) };
}

Deno.test("MiddlewareCall has the name, the values, the headers and the options of each call of an executor", async () => {
  const { calls, executor } = setUpRecording();
  const labels = { customer: "7" };
  const workflow = async function order(ctx: Ctx, _: string) {
    ctx.handleQuery("find", (n: number, m: number) => n + m);
    ctx.handleUpdate("add", (n: number) => n + 1);
    await ctx.waitForSignal("end");
  };
  await executor.execute(workflow, {
    id: "a",
    input: "book",
    labels,
    headers: trace,
    signals: [{ name: "first", payload: 1, signalId: "1", senderId: "me" }],
  });
  await executor.signal("a", "go", { n: 1 }, { headers: trace, signalId: "2", senderId: "me" });
  await executor.query("a", "find", 1, 2);
  await executor.update("a", "add", 1, { headers: trace, updateId: "3" });
  await executor.describe("a", { history: true });
  await executor.cancel("a", "why");
  await executor.terminate("a").catch(() => {});
  const workflowId = "a";
  const first = { name: "first", payload: 1, headers: {}, signalId: "1", senderId: "me" };
  assertEquals(calls, [
    {
      kind: "execute",
      workflowId,
      name: "order",
      input: "book",
      labels,
      headers: trace,
      signals: [{ kind: "signal", workflowId, ...first }],
    },
    { kind: "signal", workflowId, name: "go", payload: { n: 1 }, headers: trace, signalId: "2", senderId: "me" },
    { kind: "query", workflowId, name: "find", args: [1, 2] },
    { kind: "update", workflowId, name: "add", input: 1, headers: trace, updateId: "3" },
    { kind: "describe", workflowId, history: true },
    { kind: "cancel", workflowId, reason: "why" },
    { kind: "terminate", workflowId, reason: undefined },
  ]);
  await executor.close();
});

Deno.test("MiddlewareCall has the run, the position and the context of an attempt of an activity", async () => {
  const { calls, executor } = setUpRecording();
  let context: ActivityContext | undefined;
  const order = async (ctx: Ctx) => {
    await ctx.executeActivity(
      function charge(_: number, given: ActivityContext) {
        context = given;
        if (given.attempt === 1) throw new Error("busy");
      },
      500,
      { retry: { maxAttempts: 2 } },
    );
  };
  const { runId, result } = await executor.execute(order, { id: "a", headers: trace }).then((handle) => ({
    runId: handle.runId,
    result: handle.result(),
  }));
  await result;
  const call = { kind: "activity", workflowId: "a", runId, workflowName: "order", seq: 0, name: "charge", input: 500 };
  const [, first, second] = calls as Extract<MiddlewareCall, { kind: "activity" }>[];
  assertEquals({ ...first }, { ...call, headers: trace, calledAt: 0, attempt: 1, context: first.context } as never);
  assertEquals({ ...second }, { ...call, headers: trace, calledAt: 0, attempt: 2, context: second.context } as never);
  assertStrictEquals(second.context, context);
  assertEquals(second.context.idempotencyKey, `${runId}:0`);
  await executor.close();
});

Deno.test("MiddlewareCall of kind startChild has the child and the command that starts it", async () => {
  const { calls, executor } = setUpRecording();
  const pack = (_: Ctx, item: string) => item;
  const order = (ctx: Ctx) => ctx.executeChild(pack, "shell", { id: "child", headers: { child: "1" } });
  const handle = await executor.execute(order, { id: "a", headers: trace });
  await handle.result();
  assertEquals(calls[1], {
    kind: "startChild",
    workflowId: "child",
    name: "pack",
    input: "shell",
    headers: { ...trace, child: "1" },
    parent: { workflowId: "a", runId: handle.runId, seq: 0, closePolicy: "cancel" },
  });
  await executor.close();
});

Deno.test("MiddlewareCall of a message of a workflow is a signal or a cancellation, with the headers of the run", async () => {
  const { calls, executor } = setUpRecording();
  const child = (ctx: Ctx) => ctx.waitForSignal("never");
  const parent = async (ctx: Ctx) => {
    const handle = ctx.startChild(child, undefined, { id: "child" });
    await handle.signal("go", 7);
    await handle.cancel("why");
    await handle.result().catch(() => {});
  };
  const handle = await executor.execute(parent, { id: "a", headers: trace });
  await handle.result();
  const signalId = `${handle.runId}:1`;
  assertEquals(calls.slice(2), [
    { kind: "signal", workflowId: "child", name: "go", payload: 7, headers: trace, signalId, senderId: "a" },
    { kind: "cancel", workflowId: "child", reason: "why" },
  ]);
  await executor.close();
});

Deno.test("Middleware changes the input, the labels and the headers of a start", async () => {
  const { executor, store, reported } = setUpChanging("execute", () => ({
    input: { n: 2 },
    labels: { customer: "8" },
    headers: trace,
  }));
  const read = (ctx: Ctx, input: { n: number }) => [input, ctx.labels, ctx.headers];
  const handle = await executor.execute(read, {
    id: "a",
    input: { n: 1 },
    labels: { customer: "7" },
    signals: [{ name: "s" }],
  });
  assertEquals(await handle.result() as unknown, [{ n: 2 }, { customer: "8" }, trace]);
  const { input, labels, history } = (await store.load("a"))!;
  assertEquals([input, labels], [{ n: 2 }, { customer: "8" }]);
  assertEquals(ofType(history, "signal_received")[0].headers, trace);
  assertEquals(reported, []);
  await executor.close();
});

Deno.test("Middleware changes the name, the payload and the headers of a signal", async () => {
  const { executor, store } = setUpChanging("signal", () => ({ name: "stop", payload: [2], headers: trace }));
  const handle = await executor.execute((ctx: Ctx) => ctx.waitForSignal("stop", { withSender: true }), { id: "a" });
  await executor.signal("a", "go", [1], { signalId: "1", senderId: "me" });
  const { payload, headers, signalId, senderId } = await handle.result();
  assertEquals([payload, headers, signalId, senderId], [[2], trace, "1", "me"]);
  assert(Object.isFrozen((await store.load("a"))!.history[1]));
  await executor.close();
});

Deno.test("Middleware changes the arguments of a query and its name", async () => {
  const { executor } = setUpChanging("query", () => ({ name: "sum", args: [1, 2] }));
  await executor.execute(async (ctx: Ctx) => {
    ctx.handleQuery("sum", (n: number, m: number) => n + m);
    await forever(ctx);
  }, { id: "a" });
  await settle();
  assertEquals(await executor.query<unknown>("a", "find"), 3);
  await executor.close();
});

Deno.test("Middleware changes the name, the input and the headers of an update, which its definition validates", async () => {
  const { executor, reported } = setUpChanging("update", (call) => {
    if (call.kind !== "update") return {};
    return call.name === "old" ? { name: "add" } : { input: -(call.input as number), headers: trace };
  });
  const add = defineUpdate<unknown, number>("add", {
    validate(n) {
      if (n < 0) throw new RangeError("Too small");
    },
  });
  await executor.execute(async (ctx: Ctx) => {
    ctx.handleUpdate(add, (n, { headers }) => [n, headers]);
    await forever(ctx);
  }, { id: "a" });
  await assertRejects(() => executor.update("a", add, -1), RangeError, "Too small"); // what the caller gave
  assertEquals(await executor.update<unknown>("a", "add", 1), [-1, trace]); // no definition
  assertEquals(await executor.update("a", add, 1), [1, {}]);
  assertEquals(reported, ["Cannot change the update call in middleware[0]: Too small"]);
  assertEquals(await executor.update<unknown>("a", "old", 3), [3, {}]);
  await executor.close();
});

Deno.test("Middleware changes the reason of a cancellation and of a termination", async () => {
  for (const kind of ["cancel", "terminate"] as const) {
    const { executor } = setUpChanging(kind, () => ({ reason: "changed" }));
    const handle = await executor.execute(forever, { id: "a" });
    await executor[kind]("a", "why");
    const message = kind === "cancel" ? "Canceled workflow" : "Terminated workflow";
    await assertRejects(() => handle.result(), Error, `${message} "a": changed`);
    await executor.close();
  }
});

Deno.test("Middleware changes the input and the headers of an attempt, and the history keeps what the code gave", async () => {
  const { executor, store } = setUpChanging("activity", (call) => {
    return call.kind === "activity" && { input: { n: 2 }, headers: { ...call.headers, attempt: `${call.attempt}` } };
  });
  const work = (ctx: Ctx) => ctx.executeActivity(echo, { n: 1 });
  const handle = await executor.execute(work, { id: "a", headers: trace });
  assertEquals(await handle.result() as unknown, [{ n: 2 }, { ...trace, attempt: "1" }]);
  assertEquals(ofType((await store.load("a"))!.history, "activity_started")[0].input, { n: 1 });
  await executor.close();
});

Deno.test("Middleware changes the input and the headers of a child, and the history of the parent keeps what the code gave", async () => {
  const { executor, store } = setUpChanging("startChild", () => ({ input: 2, headers: trace }));
  const child = (ctx: Ctx, n: number) => [n, ctx.headers];
  const parent = (ctx: Ctx) => ctx.executeChild(child, 1, { id: "child" });
  const handle = await executor.execute(parent, { id: "a" });
  assertEquals(await handle.result() as unknown, [2, trace]);
  const [started] = ofType((await store.load("a"))!.history, "child_started");
  assertEquals([started.input, "headers" in started], [1, false]);
  await executor.close();
});

Deno.test("Middleware changes the messages of a workflow", async () => {
  const { executor } = setUpChanging("signal", (call) => {
    if (call.kind === "signal") assertEquals(call.headers, { ...trace, own: "1" });
    return { name: "stop", payload: [2], headers: { signal: "1" } };
  });
  const child = (ctx: Ctx) => ctx.waitForSignal("stop", { withSender: true });
  const parent = async (ctx: Ctx) => {
    const handle = ctx.startChild(child);
    await handle.signal("go", [1], { headers: { own: "1" } });
    const { payload, headers } = await handle.result();
    return [payload, headers];
  };
  const handle = await executor.execute(parent, { id: "a", headers: trace });
  assertEquals(await handle.result() as unknown, [[2], { signal: "1" }]);
  await executor.close();
});

Deno.test("Middleware sees what the one around it has changed, and all changes apply", async () => {
  const seen: unknown[] = [];
  const add = (name: string): Middleware => (call, next) => {
    if (call.kind !== "signal") return next();
    seen.push(call.headers, call.payload);
    return next({ ...call, headers: { ...call.headers, [name]: "1" }, payload: name === "a" ? "new" : undefined });
  };
  const { executor } = setUp({ middleware: [add("a"), add("b")] });
  const handle = await executor.execute((ctx: Ctx) => ctx.waitForSignal("go", { withSender: true }), { id: "a" });
  await executor.signal("a", "go", "old");
  assertEquals(seen, [{}, "old", { a: "1" }, "new"]);
  const { payload, headers } = await handle.result();
  assertEquals([payload, headers], ["new", { a: "1", b: "1" }]);
  await executor.close();
});

const refused: [kind: MiddlewareCall["kind"], changes: unknown, message: string][] = [
  ["signal", { headers: { n: 7 } }, 'Cannot signal workflow "a": "headers.n" must be a string, got 7'],
  ["signal", { headers: null }, 'Cannot signal workflow "a": "headers" must be an object of strings, got null'],
  ["signal", { name: "" }, 'Cannot signal workflow "a": "signal" must be a non-empty string, got ""'],
  ["signal", { payload: () => {} }, 'Cannot store payload of signal "go": a function "payload" cannot be stored'],
  ["signal", { workflowId: "b" }, '"workflowId" stays as it is; it can change "name", "payload", "headers"'],
  ["signal", 7, '"changes" must be an object, got 7'],
  ["describe", { history: true }, '"history" stays as it is; it can change nothing'],
  ["execute", { labels: ["a"] }, 'Cannot execute workflow "b": "labels" must be an object of strings, got an Array'],
  ["execute", { name: "other" }, '"name" stays as it is; it can change "input", "headers", "labels"'],
  ["query", { args: 7 }, 'Cannot query workflow "a": "args" must be an array, got 7'],
  ["cancel", { reason: 7 }, 'Cannot cancel workflow "a": "reason" must be a string, got 7'],
  ["activity", { input: () => {} }, 'Cannot store input of activity "echo": a function "input" cannot be stored'],
  ["activity", { headers: { n: 7 } }, 'Cannot run activity "echo": "headers.n" must be a string, got 7'],
  ["activity", { name: "x" }, '"name" stays as it is; it can change "input", "headers"'],
  ["startChild", { headers: 7 }, 'Cannot start child workflow "child": "headers" must be an object of strings, got 7'],
];

for (const [kind, changes, message] of refused) {
  const value = typeof changes === "object" ? Object.keys(changes!).join() : changes;
  Deno.test(`Middleware that changes ${value} of a call of kind ${kind} wrongly is reported, and the call is made without it`, async () => {
    const { executor, reported } = setUpChanging(kind, () => changes);
    const child = (ctx: Ctx) => ctx.executeActivity(echo, 5);
    const handle = await executor.execute(async (ctx: Ctx) => {
      ctx.handleQuery("find", (n: number) => n);
      const answer = await ctx.waitForSignal("go");
      return [answer, await ctx.executeChild(child, undefined, { id: "child" })];
    }, { id: "a" });
    await settle();
    const other = await executor.execute(forever, { id: "b" });
    assertEquals(await executor.query("a", "find", 3), 3);
    assertEquals("history" in await executor.describe("a"), false);
    await executor.signal("a", "go", "payload");
    assertEquals<unknown>(await handle.result(), ["payload", [5, {}]]);
    await executor.cancel("a", "why").catch(() => {});
    await other.signal("end");
    assert(reported.length > 0);
    for (const error of reported) assert(error.startsWith(`Cannot change the ${kind} call in middleware[0]: `), error);
    assert(reported.some((error) => error.includes(message)), reported.join("\n"));
    await executor.close();
  });
}

Deno.test("Middleware does not see a call with a bad argument", async () => {
  const { calls, executor } = setUpRecording();
  await assertRejects(() => executor.signal("a", "go", () => {}), TypeError);
  await assertRejects(() => executor.execute(forever, { id: "a", headers: [] as never }), TypeError);
  await assertRejects(() => executor.cancel(""), TypeError);
  assertEquals(calls, []);
  await executor.close();
});

Deno.test("Middleware that waits gets the arguments as they were at the call", async () => {
  const go = gate();
  const { executor } = setUp({ middleware: [async (_call, next) => (await go.promise, next())] });
  const [payload, headers] = [{ n: 1 }, { n: "1" }];
  const started = executor.execute((ctx: Ctx) => ctx.waitForSignal("go", { withSender: true }), {
    id: "a",
    signals: [{ name: "go", payload, headers }],
  });
  payload.n = 2;
  headers.n = "2";
  go.open();
  const signal = await (await started).result();
  assertEquals([signal.payload, signal.headers], [{ n: 1 }, { n: "1" }]);
  await executor.close();
});

Deno.test("Middleware cannot change a call or its values in place", async () => {
  const errors: unknown[] = [];
  const spoil: Middleware = (call, next) => {
    if (call.kind === "signal") (call.payload as Date).setTime(7);
    if (call.kind === "activity") (call.input as Date).setTime(7);
    if (call.kind === "execute") (call.signals[0].payload as Date).setTime(7);
    if (call.kind === "query") (call.args as number[])[0] = 7;
    if (call.kind === "cancel") (call as { reason: unknown }).reason = 7;
    return next();
  };
  const { executor } = setUp({ middleware: [spoil], onError: (error) => errors.push(error) });
  const handle = await executor.execute(async (ctx: Ctx) => {
    ctx.handleQuery("find", (n: number) => n);
    const dates = [await ctx.waitForSignal<Date>("go"), await ctx.waitForSignal<Date>("go")];
    return [...dates, await ctx.executeActivity((date: Date) => date, dates[0])].map(Number);
  }, { id: "a", signals: [{ name: "go", payload: new Date(1) }] });
  assertEquals(await executor.query("a", "find", 3), 3);
  await executor.signal("a", "go", new Date(2));
  assertEquals<unknown>(await handle.result(), [1, 2, 1]);
  await executor.cancel("a").catch(() => {});
  assertEquals(errors.map((error) => error instanceof TypeError), [true, true]); // a call and its arguments are frozen
  await executor.close();
});

const child = (ctx: Ctx) => ctx.waitForSignal("go", { withSender: true });
const parent = (ctx: Ctx) => ctx.executeChild(child, undefined, { id: "child" });

Deno.test("Middleware gets the start of a child once, also when the parent is resumed", async () => {
  const { calls, executor, store, clock } = setUpRecording({ workflows: { parent, child } });
  await executor.execute(parent, { id: "a" });
  await settle();
  await executor.close();
  const again: string[] = [];
  const record: Middleware = (call, next) => (again.push(call.kind), next());
  await using next = new Executor({ store, clock, workflows: { parent, child }, middleware: [record] });
  await next.recover();
  await settle();
  await next.signal("child", "go");
  await (await next.handle("a")).result();
  assertEquals(calls.map(({ kind }) => kind), ["execute", "startChild"]);
  assertEquals(again, ["visit", "visit", "signal"]);
});

Deno.test("Middleware gets the start of a child when the parent is resumed, if the child was not stored", async () => {
  const store = new FaultyStore();
  const { executor, clock } = setUp({ store });
  store.before.append = ({ workflowId }) => workflowId === "child" ? new Promise(() => {}) : undefined;
  await executor.execute(parent, { id: "a" });
  await settle();
  void executor.close();
  store.before.append = undefined;
  const add: Middleware = (call, next) => next(call.kind === "startChild" ? { headers: trace } : undefined);
  await using next = new Executor({ store, clock, workflows: { parent, child }, middleware: [add] });
  await next.recover();
  await settle();
  assertEquals(ofType((await store.load("child"))!.history, "workflow_started")[0].headers, trace);
});

Deno.test("Middleware that does not call next() for the start of a child lets it fail", async () => {
  const { executor, store } = setUp({
    middleware: [(call, next) => call.kind === "startChild" ? undefined : next()],
  });
  const handle = await executor.execute(parent, { id: "a" });
  const message = 'Cannot start child workflow "child": a middleware did not call next()';
  await assertRejects(() => handle.result(), TypeError, message);
  assertEquals(await store.load("child"), null);
  await executor.close();
});

Deno.test("Middleware cannot change the outcome of the start of a child by what it returns or throws", async () => {
  for (const outcome of ["return", "throw", "early"]) {
    const middleware: Middleware = async (call, next) => {
      if (call.kind !== "startChild") return await next();
      const started = next();
      if (outcome !== "early") await started;
      if (outcome === "throw") throw new Error("own");
      return "something else";
    };
    const { executor } = setUp({ middleware: [middleware], onError: () => {} });
    const handle = await executor.execute(parent, { id: "a" });
    await settle();
    await executor.signal("child", "go");
    assertEquals((await handle.result()).name, "go");
    await executor.close();
  }
});

Deno.test("Middleware continues one trace over a child, messages, and a restart", async () => {
  const spans: string[] = [];
  /** A span for each call: its parent is the one that the headers name. */
  const tracer: Middleware = (call, next) => {
    if (!("headers" in call)) return next();
    const span = `${call.headers.traceparent ?? "request"} > ${call.kind} ${call.name}`;
    spans.push(span);
    return next({ headers: { ...call.headers, traceparent: `${call.kind} ${call.name}` } });
  };
  const ship = async function ship(ctx: Ctx) {
    await ctx.executeActivity(echo, null, { name: "pack" });
    return (await ctx.waitForSignal("go", { withSender: true })).headers.traceparent;
  };
  const order = async function order(ctx: Ctx) {
    await ctx.executeActivity(echo, null, { name: "charge" });
    const handle = ctx.startChild(ship);
    await ctx.waitForSignal("paid");
    await handle.signal("go");
    return await handle.result();
  };
  const { executor, store, clock } = setUp({ middleware: [tracer] });
  await executor.execute(order, { id: "a" });
  await settle();
  await executor.close();
  await using next = new Executor({ store, clock, workflows: { order, ship }, middleware: [tracer] });
  await next.recover();
  await next.signal("a", "paid");
  assertEquals(await (await next.handle("a")).result(), "signal go");
  assertEquals(spans, [
    "request > execute order",
    "execute order > activity charge",
    "execute order > startChild ship",
    "startChild ship > activity pack",
    "request > signal paid",
    "execute order > signal go",
  ]);
});
