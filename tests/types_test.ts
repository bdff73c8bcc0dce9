/**
 * The types of what a caller holds: the executor, its handles, the definitions, and the functions of the test kit. The
 * compiler checks these tests: nothing in them runs.
 *
 * @module
 */

import type {
  ActivityFunction,
  ActivityOptions,
  CallHeaders,
  ChildHandle,
  DescribeOptions,
  ExecuteArgs,
  ExecuteOptions,
  Executor,
  ExecutorOptions,
  InputArgs,
  Labels,
  Middleware,
  MiddlewareCall,
  QueryDefinition,
  RunInfo,
  SignalDefinition,
  SignalOptions,
  StartSignal,
  UpdateDefinition,
  Workflow,
  WorkflowContext,
  WorkflowDescription,
  WorkflowEvent,
  WorkflowFunction,
  WorkflowHandle,
} from "@rockpool/workflow";
import { activity, defineSignal, defineUpdate } from "@rockpool/workflow";
import { type Occurrence, schedule, type ScheduleInfo, type ScheduleRule } from "@rockpool/workflow/schedule";
import { crashTest, simulate } from "@rockpool/workflow/testing";
import { assertType, compiles, type Same } from "./support/compile_time.ts";

interface Order {
  readonly id: string;
  readonly items: readonly string[];
}
interface MutableOrder {
  id: string;
  items: string[];
}

Deno.test("Executor.execute() checks the payloads of its signals against their definitions", () => {
  compiles((executor: Executor) => {
    const order = (_ctx: WorkflowContext, order: Order) => order.id;
    const none = (_ctx: WorkflowContext) => {};
    const input = { id: "a", items: [] };
    const paid = defineSignal<{ by: string }>("paid");
    const note = defineSignal<string | undefined>("note");
    executor.execute(order, {
      input,
      signals: [{ name: paid, payload: { by: "card" }, signalId: "1", senderId: "me" }],
    });
    executor.execute(none, { signals: [{ name: note }, { name: "any", payload: 7 }, { name: "any" }] });
    const signals: StartSignal[] = [];
    executor.execute(none, { onConflict: "join", signals });
    const options: ExecuteOptions<Order> = { input, signals: [{ name: paid, payload: { by: "card" } }] };
    executor.executeMany(order, [{ input, signals: [{ name: note, payload: "x" }] }, {
      input,
      signals: options.signals,
    }]);
    // @ts-expect-error -- the payload is required
    executor.execute(none, { signals: [{ name: paid }] });
    // @ts-expect-error -- of another type
    executor.execute(none, { signals: [{ name: note }, { name: paid, payload: { by: 7 } }] });
    // @ts-expect-error -- no option of a signal
    executor.execute(none, { signals: [{ name: note, id: "1" }] });
  });
});

Deno.test("Executor.execute() checks the input against the workflow's parameter", () => {
  compiles((executor: Executor) => {
    const order = (_ctx: WorkflowContext, order: Order) => order.id;
    executor.execute(order, { input: { id: "a", items: [] } });
    // @ts-expect-error -- the input is required
    executor.execute(order);
    // @ts-expect-error -- the input is required
    executor.execute(order, {});
    // @ts-expect-error -- the input is required
    executor.execute(order, { input: undefined });
    // @ts-expect-error -- of another type
    executor.execute(order, { input: 7 });
    // @ts-expect-error -- a property too many
    executor.execute(order, { input: { id: "a", items: [], more: 1 } });
    // @ts-expect-error -- an option that is misspelt
    executor.execute(order, { input: { id: "a", items: [] }, ID: "a" });
    executor.execute((_ctx: WorkflowContext, n?: number) => n);
    executor.execute((_ctx: WorkflowContext, n?: number) => n, { id: "a" });
    executor.execute((_ctx: WorkflowContext, n?: number) => n, { input: undefined });
    executor.execute((_ctx: WorkflowContext, n: number | null) => n, { input: null });
    executor.execute(() => 7);
    executor.executeMany(order, [{ input: { id: "a", items: [] } }]);
    // @ts-expect-error -- the input is required
    executor.executeMany(order, [{ id: "a" }]);
  });
});

Deno.test("Executor.execute() gives a function that declares no context the one of its input", () => {
  compiles((executor: Executor) => {
    executor.execute(async (ctx, order: Order) => await ctx.continueAsNew(order), { input: { id: "a", items: [] } });
    // @ts-expect-error -- it continues with another shape
    executor.execute(async (ctx, order: Order) => await ctx.continueAsNew({ wrong: order }), {
      input: { id: "a", items: [] },
    });
    executor.execute(async (ctx) => await ctx.continueAsNew());
    executor.execute(async (ctx: WorkflowContext<void>) => await ctx.continueAsNew());
    executor.execute(async (ctx, n = 3) => n > 0 ? await ctx.continueAsNew(n - 1) : n, { input: 7 });
  });
});

Deno.test("WorkflowContext.continueAsNew() with another workflow takes its input", () => {
  compiles(async (ctx: WorkflowContext<Order>, other: WorkflowContext) => {
    const next = (_ctx: WorkflowContext<number>, n: number) => n;
    const free = (_ctx: WorkflowContext) => 1;
    ctx.continueAsNew(7, { workflow: next });
    other.continueAsNew(7, { workflow: next, canceled: false });
    ctx.continueAsNew(undefined, { workflow: free });
    ctx.continueAsNew({ id: "a", items: [] }, { canceled: false });
    // @ts-expect-error -- the other workflow takes a number
    ctx.continueAsNew({ id: "a", items: [] }, { workflow: next });
    // @ts-expect-error -- a context without an input continues as itself with nothing
    other.continueAsNew(7, { canceled: false });
    // @ts-expect-error -- an unknown option
    await ctx.continueAsNew({ id: "a", items: [] }, { cancelled: false });
  });
});

Deno.test("Executor.execute() refuses a workflow whose context is that of another input", () => {
  compiles((executor: Executor) => {
    // @ts-expect-error -- it would continue with a number
    executor.execute((ctx: WorkflowContext<number>, _order: Order) => ctx.continueAsNew(1), {
      input: { id: "a", items: [] },
    });
    // @ts-expect-error -- it would continue without items
    executor.execute((ctx: WorkflowContext<{ id: string }>, { id }: Order) => ctx.continueAsNew({ id }), {
      input: { id: "a", items: [] },
    });
  });
});

Deno.test("Executor.execute() refuses a workflow that would change its frozen input", () => {
  compiles((executor: Executor) => {
    const input = { id: "a", items: ["shell"] };
    // @ts-expect-error -- its input is declared mutable
    executor.execute((_ctx: WorkflowContext, order: MutableOrder) => order.items.push("pearl"), { input });
    // @ts-expect-error -- where no type is declared, it is readonly
    executor.execute((_ctx, order) => order.items.push("pearl"), { input });
    executor.execute((_ctx, order) => order.items.toSorted(), { input });
    executor.execute((_ctx: WorkflowContext, order: Order) => order.items.toSorted(), { input });
  });
});

Deno.test("WorkflowHandle.result() returns a deeply readonly value", () => {
  compiles(async (executor: Executor) => {
    const handle = await executor.execute(async () => await Promise.resolve([3, 1]));
    assertType<Same<typeof handle, WorkflowHandle<readonly number[]>>>();
    // @ts-expect-error -- the result is frozen
    (await handle.result()).sort();
    const found = await executor.handle<number[]>("a");
    assertType<Same<typeof found, WorkflowHandle<readonly number[]>>>();
    const many = await executor.executeMany(() => [1], [{}, {}]);
    assertType<Same<typeof many, WorkflowHandle<readonly number[]>[]>>();
    const handles: WorkflowHandle[] = [handle, found, ...many];
    return handles;
  });
});

Deno.test("WorkflowContext.signalWorkflow() and ChildHandle.signal() need the payload of the definition; children take a retry policy", () => {
  compiles((
    ctx: WorkflowContext,
    child: ChildHandle,
    add: SignalDefinition<string[]>,
    stop: SignalDefinition<undefined>,
  ) => {
    assertType<Same<ReturnType<typeof ctx.signalWorkflow>, Promise<void>>>();
    ctx.signalWorkflow("a", add, ["shell"]);
    child.signal(add, ["shell"]);
    // @ts-expect-error -- the payload is required
    ctx.signalWorkflow("a", add);
    // @ts-expect-error -- the payload is required
    child.signal(add);
    // @ts-expect-error -- of another type
    ctx.signalWorkflow("a", add, 7);
    ctx.signalWorkflow("a", stop);
    // @ts-expect-error -- it has none
    ctx.signalWorkflow("a", stop, 7);
    ctx.signalWorkflow("a", "by name");
    ctx.signalWorkflow("a", "by name", { any: "payload" });
    // @ts-expect-error -- the receiver is required
    ctx.signalWorkflow(add, ["shell"]);
    ctx.cancelWorkflow("a");
    assertType<Same<typeof child.started, Promise<void>>>();
    const double = (_ctx: WorkflowContext, n: number) => 2 * n;
    ctx.executeChild(double, 1, { retry: { maxAttempts: 3, isRetryable: (error) => error instanceof RangeError } });
    // @ts-expect-error -- a name of a retry policy that is misspelt
    ctx.executeChild(double, 1, { retry: { attempts: 3 } });
    ctx.cancelWorkflow("a", "reason");
  });
});

Deno.test("Executor.signal() needs the payload that the definition says", () => {
  compiles((
    executor: Executor,
    add: SignalDefinition<string[]>,
    stop: SignalDefinition<undefined>,
    any: SignalDefinition,
  ) => {
    executor.signal("a", add, ["shell"]);
    executor.signal("a", add, ["shell"] as readonly string[], { senderId: "user-7" });
    // @ts-expect-error -- the payload is required
    executor.signal("a", add);
    // @ts-expect-error -- of another type
    executor.signal("a", add, 7);
    // @ts-expect-error -- an option that is misspelt
    executor.signal("a", add, ["shell"], { sender: "user-7" });
    executor.signal("a", stop);
    executor.signal("a", stop, undefined, { senderId: "user-7" });
    // @ts-expect-error -- it has none
    executor.signal("a", stop, 7);
    executor.signal("a", any);
    executor.signal("a", any, 7);
    // @ts-expect-error -- a name that is a definition
    executor.signal("a", { name: add });
    // @ts-expect-error -- an object is no definition
    executor.signal("a", { name: "add", payload: ["shell"] });
    executor.signal("a", "by name");
    executor.signal("a", "by name", { any: "payload" });
  });
});

Deno.test("Executor.query() and update() check arguments, and return readonly answers", () => {
  compiles(async (
    executor: Executor,
    find: QueryDefinition<string[], [prefix: string, limit?: number]>,
    add: UpdateDefinition<string[], { items: string[] }>,
    count: UpdateDefinition<number, undefined>,
  ) => {
    const found = await executor.query("a", find, "s");
    assertType<Same<typeof found, readonly string[]>>();
    // @ts-expect-error -- an argument is required
    executor.query("a", find);
    // @ts-expect-error -- of another type
    executor.query("a", find, 7);
    const unknown = await executor.query("a", "by name", 1, 2);
    assertType<Same<typeof unknown, unknown>>();
    const items = await executor.update("a", add, { items: ["shell"] });
    assertType<Same<typeof items, readonly string[]>>();
    await executor.update("a", add, { items } as const, { updateId: "7" });
    // @ts-expect-error -- the input is required
    executor.update("a", add);
    // @ts-expect-error -- of another type
    executor.update("a", add, 7);
    const counted = await executor.update("a", count);
    assertType<Same<typeof counted, number>>();
  });
});

Deno.test("Executor.describe() has the history if the options ask for it", () => {
  compiles(async (executor: Executor, options: DescribeOptions) => {
    const short = await executor.describe("a");
    assertType<Same<typeof short, WorkflowDescription>>();
    assertType<Same<typeof short.history, readonly WorkflowEvent[] | undefined>>();
    const whole = await executor.describe("a", { history: true });
    const history: readonly WorkflowEvent[] = whole.history;
    const either = await executor.describe("a", options);
    assertType<Same<typeof either.history, readonly WorkflowEvent[] | undefined>>();
    const none = await executor.describe("a", { history: false });
    assertType<Same<typeof none.history, readonly WorkflowEvent[] | undefined>>();
    // @ts-expect-error -- an option that is misspelt
    executor.describe("a", { histroy: true });
    // @ts-expect-error -- a description is not changed
    short.status = "running";
    return history;
  });
});

Deno.test("an option that can be left out can be undefined", () => {
  const { id, signal, senderId, store }: ExecuteOptions & SignalOptions & ExecutorOptions = {};
  const options: [ExecuteOptions, SignalOptions, ExecutorOptions] = [{ id, signal }, { senderId }, { store }];
  compiles(() => options);
});

Deno.test("ExecutorOptions.workflows takes workflows of every input", () => {
  const typed: Workflow<Order> = (_ctx, { id }) => id;
  const options: ExecutorOptions = {
    workflows: {
      typed,
      plain: (ctx: WorkflowContext) => ctx.sleep(1),
      ordered: (_ctx: WorkflowContext, order: Order) => order.id,
      renewed: (ctx: WorkflowContext<Order>, order: Order) => ctx.continueAsNew(order),
      forever: (ctx: WorkflowContext<void>) => ctx.continueAsNew(),
      inferred: (ctx) => ctx.sleep(1),
      constant: () => 7,
    },
  };
  // @ts-expect-error -- no function
  const wrong: ExecutorOptions = { workflows: { a: 7 } };
  compiles(() => [options, wrong]);
});

Deno.test("MiddlewareCall has what its kind has", () => {
  compiles((call: MiddlewareCall, next: Parameters<Middleware>[1]) => {
    switch (call.kind) {
      case "execute":
        assertType<Same<typeof call.labels, Labels>>();
        return next({ input: 1, labels: {}, headers: { ...call.headers, a: "b" } });
      case "signal":
        assertType<Same<typeof call.senderId, string | undefined>>();
        return next({ name: call.name.toUpperCase(), payload: [call.payload] });
      case "query":
        return next({ args: call.args.slice(1) });
      case "update":
        return next({ input: [call.input], headers: undefined });
      case "cancel":
      case "terminate":
        return next({ reason: call.reason });
      case "activity":
        return call.context.signal.aborted ? undefined : next({ headers: call.context.headers });
      case "startChild":
        return next({ headers: { ...call.headers, parent: call.parent.workflowId } });
      case "visit":
        assertType<Same<typeof call.run, RunInfo>>();
        return next();
      default:
        assertType<Same<typeof call.kind, "describe">>();
        // @ts-expect-error -- a description has no name
        return next({ name: call.name });
    }
  });
  compiles((next: Parameters<Middleware>[1]) => {
    // @ts-expect-error -- not a text
    next({ headers: { n: 7 } });
    // @ts-expect-error -- nothing that a middleware can change
    next({ workflowId: "b" });
    const middleware: Middleware[] = [(_call: unknown, next: () => Promise<unknown>) => next()];
    return middleware;
  });
});

Deno.test("The option headers takes texts by name, which receivers read", () => {
  compiles((executor: Executor) => {
    const headers: CallHeaders = { traceparent: "00-1" };
    executor.execute(() => {}, { headers, signals: [{ name: "s", headers }] });
    executor.signal("a", "s", undefined, { headers });
    executor.update("a", "u", undefined, { headers });
    // @ts-expect-error -- not a text
    executor.execute(() => {}, { headers: { n: 7 } });
    return async (ctx: WorkflowContext) => {
      ctx.handleUpdate("u", (n: number, { headers, updateId }) => `${n} ${headers.traceparent} ${updateId}`);
      await ctx.executeChild(() => {}, undefined, { headers: ctx.headers });
      await ctx.signalWorkflow("b", "s", undefined, { headers });
      // @ts-expect-error -- an option that is misspelt
      await ctx.signalWorkflow("b", "s", undefined, { header: headers });
      // @ts-expect-error -- they do not change
      ctx.headers.a = "b";
    };
  });
});

Deno.test("activity() keeps the type of its function", () => {
  compiles(() => {
    const listOf = activity(<T>(value: T) => [value], { retry: {} });
    const list: string[] = listOf("a");
    // @ts-expect-error -- an option that is misspelt
    activity(() => list, { retries: {} });
    // @ts-expect-error -- a name of a retry policy that is misspelt
    activity(() => list, { retry: { attempts: 3 } });
    return async (ctx: WorkflowContext) => {
      const numbers = await ctx.executeActivity(listOf, 5);
      assertType<Same<typeof numbers, readonly number[]>>();
    };
  });
});

Deno.test("defineUpdate() gives the validation a readonly input", () => {
  compiles(() => {
    const add = defineUpdate<number, string[]>("add", {
      validate(items) {
        // @ts-expect-error -- the input is frozen
        items.sort();
      },
    });
    assertType<Same<typeof add, UpdateDefinition<number, string[]>>>();
    // @ts-expect-error -- an option that is misspelt
    defineUpdate("add", { valdiate: () => {} });
    const definitions: UpdateDefinition<unknown, never>[] = [add];
    return definitions;
  });
});

Deno.test("schedule() makes a workflow of the scheduled workflow's input", () => {
  compiles((executor: Executor, rule: ScheduleRule) => {
    const report = (_ctx: WorkflowContext, { input }: Occurrence<{ readonly team: string }>) => input.team;
    const nightly = schedule(report, { rule });
    assertType<Same<typeof nightly, Workflow<{ readonly team: string }, ScheduleInfo>>>();
    executor.execute(nightly, { input: { team: "billing" } });
    // @ts-expect-error -- of another type
    executor.execute(nightly, { input: 7 });
    const hourly = schedule(() => {}, { rule });
    executor.execute(hourly);
    // @ts-expect-error -- an option that is misspelt
    schedule(report, { rule, maxRun: 7 });
    return executor.execute(schedule((_ctx: WorkflowContext, { dueAt }: Occurrence) => dueAt, { rule }));
  });
});

Deno.test("crashTest() and simulate() check the input against the workflow's parameter", () => {
  compiles(async () => {
    const order = async (ctx: WorkflowContext<Order>, order: Order): Promise<string[]> =>
      order.id === "" ? await ctx.continueAsNew(order) : [order.id];
    const { undisturbed } = await crashTest(order, { input: { id: "a", items: [] } });
    const result: string[] | undefined = undisturbed.result;
    // @ts-expect-error -- the input is required
    crashTest(order);
    // @ts-expect-error -- of another type
    crashTest(order, { input: 7 });
    simulate({ workflow: order, input: { id: "a", items: [] } });
    // @ts-expect-error -- of another type
    simulate({ workflow: order, input: 7 });
    return result;
  });
});

Deno.test("A generic helper takes any workflow or activity, and keeps their types", () => {
  compiles(async (executor: Executor, ctx: WorkflowContext) => {
    async function start<Input, Returned>(workflow: WorkflowFunction<Input, Returned>, ...args: ExecuteArgs<Input>) {
      return await executor.execute(workflow, ...args);
    }
    async function logged<Input, Returned>(
      activity: ActivityFunction<Input, Returned>,
      ...args: InputArgs<Input, ActivityOptions>
    ) {
      return await ctx.executeActivity(activity, ...args);
    }
    const handle = await start((_ctx: WorkflowContext, n: number) => [n], { input: 7 });
    const started: readonly number[] = await handle.result();
    const done: string = await logged((n: number) => `${n}`, 7, { timeoutMs: 1 });
    // @ts-expect-error -- of another type
    logged((n: number) => n, "7");
    return [started, done];
  });
});
