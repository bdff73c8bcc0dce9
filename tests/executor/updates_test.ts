/** Queries and updates: what a workflow answers while it runs and after it has ended. */

import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import {
  CanceledError,
  defineQuery,
  defineSignal,
  defineUpdate,
  Executor,
  InMemoryStore,
  type WorkflowContext,
  WorkflowError,
} from "@rockpool/workflow";
import { FaultyStore } from "@rockpool/workflow/testing";
import { gate, settle, setUp, typesOf } from "../support/executors.ts";

type Ctx = WorkflowContext;

const add = defineUpdate<number, number>("add", {
  validate(n) {
    if (!(n > 0)) throw new RangeError(`Cannot add ${n}`);
  },
});
const total = defineQuery<number>("total");
const scaled = defineQuery<number, [factor: number, plus?: number]>("scaled");
const finish = defineSignal<string>("finish");

const remembered: number[] = [];
const remember = (n: number) => void remembered.push(n);

async function counter(ctx: Ctx) {
  let sum = 0;
  ctx.handleQuery(total, () => sum);
  ctx.handleQuery(scaled, (factor, plus = 0) => sum * factor + plus);
  ctx.handleUpdate(add, async (n) => {
    await ctx.executeActivity(remember, n);
    if (n === 13) throw new TypeError("No luck");
    return sum += n;
  }, {
    validate(n) {
      if (sum + n > 100) throw new RangeError(`Cannot add ${n} to ${sum}`);
    },
  });
  return `${await ctx.waitForSignal(finish)}: ${sum}`;
}

async function restarted({ store, clock, executor }: ReturnType<typeof setUp>) {
  await executor.close();
  const next = new Executor({ store, clock, workflows: { counter } });
  return { executor: next, handles: await next.recover() };
}

Deno.test("Executor.update() answers what the handler returns, and queries see the change", async () => {
  const { executor, store } = setUp();
  const handle = await executor.execute(counter, { id: "a" });
  assertEquals([await executor.update("a", add, 5), await executor.update("a", add, 2)], [5, 7]);
  assertEquals([await executor.query("a", total), await executor.query("a", scaled, 2, 1)], [7, 15]);
  await executor.signal("a", finish, "done");
  assertEquals(await handle.result(), "done: 7");
  const types = typesOf((await store.load("a"))!.history);
  assertEquals(types.slice(0, 5), [
    "workflow_started",
    "update_accepted",
    "activity_started",
    "activity_completed",
    "update_completed",
  ]);
  assertEquals([await executor.query("a", total), (await executor.describe("a")).status], [7, "completed"]);
  await executor.close();
});

Deno.test("Executor.update() records nothing when a validation refuses the input", async () => {
  const { executor, store } = setUp();
  await executor.execute(counter, { id: "a" });
  await executor.update("a", add, 99);
  const before = (await store.load("a"))!.history.length;
  await assertRejects(() => executor.update("a", add, -1), RangeError, "Cannot add -1");
  await assertRejects(() => executor.update("a", add, 2), RangeError, "Cannot add 2 to 99");
  assertEquals((await store.load("a"))!.history.length, before);
  await executor.close();
});

Deno.test("Executor.update() throws what the handler throws, and the workflow continues", async () => {
  const before = setUp();
  await before.executor.execute(counter, { id: "a" });
  await assertRejects(() => before.executor.update("a", add, 13, { updateId: "u" }), TypeError, "No luck");
  assertEquals(await before.executor.update("a", add, 1), 1);
  const { executor } = await restarted(before);
  await assertRejects(() => executor.update("a", add, 13, { updateId: "u" }), TypeError, "No luck");
  await executor.close();
});

Deno.test("Executor.update() with the same updateId answers once, during the run, after a restart and after the end", async () => {
  remembered.length = 0;
  const before = setUp();
  await before.executor.execute(counter, { id: "a" });
  const ask = (executor: Executor) => executor.update("a", add, 4, { updateId: "u" });
  assertEquals(await Promise.all([ask(before.executor), ask(before.executor)]), [4, 4]);
  assertEquals(await ask(before.executor), 4);
  const { executor, handles } = await restarted(before);
  assertEquals([await ask(executor), await executor.query("a", total)], [4, 4]);
  await executor.signal("a", finish, "x");
  await handles[0].result();
  assertEquals([await ask(executor), remembered], [4, [4]]);
  await executor.close();
});

Deno.test("Executor.update() is answered after a restart between its acceptance and its answer", async () => {
  const opened = gate();
  const slow = () => opened.promise;
  async function waits(ctx: Ctx) {
    ctx.handleUpdate<string, number>("slow", async (n) => {
      await ctx.executeActivity(slow);
      return `answer ${n}`;
    });
    await ctx.waitForSignal("finish");
  }
  const { executor, store, clock } = setUp();
  await executor.execute(waits, { id: "a" });
  const first = executor.update("a", "slow", 1, { updateId: "u" });
  first.catch(() => {});
  await settle();
  await executor.close();
  const error = await assertRejects(() => first, WorkflowError);
  assertEquals(error.code, "closed");
  opened.open();
  const next = new Executor({ store, clock, workflows: { waits } });
  await next.recover();
  assertEquals(await next.update("a", "slow", 1, { updateId: "u" }), "answer 1");
  assertEquals(typesOf((await store.load("a"))!.history).filter((type) => type.startsWith("update")).length, 2);
  await next.close();
});

Deno.test("Executor.update() is answered once when answers of the store are lost", async () => {
  remembered.length = 0;
  const store = new FaultyStore();
  const { executor } = setUp({ store });
  await executor.execute(counter, { id: "a" });
  let lost = 0;
  store.after.append = () => {
    if (lost++ % 2 === 0) throw new Error("lost");
  };
  assertEquals([await executor.update("a", add, 5), await executor.update("a", add, 6)], [5, 11]);
  store.after.append = undefined;
  const { history } = (await store.load("a"))!;
  assertEquals(typesOf(history).filter((type) => type.startsWith("update_")).length, 4);
  assertEquals(remembered, [5, 6]);
  await executor.close();
});

Deno.test("Executor.update() runs handlers in the order of acceptance", async () => {
  async function logs(ctx: Ctx) {
    const log: string[] = [];
    ctx.handleUpdate<void, string>("log", (line) => void log.push(line));
    await ctx.waitUntil(() => log.length === 50);
    return log;
  }
  const { executor } = setUp();
  const handle = await executor.execute(logs, { id: "a" });
  const lines = Array.from({ length: 50 }, (_, i) => `line ${i}`);
  await Promise.all(lines.map((line) => executor.update("a", "log", line)));
  assertEquals(await handle.result(), lines);
  await executor.close();
});

Deno.test("Executor.update() rejects when the workflow ends before the answer", async () => {
  async function ends(ctx: Ctx) {
    ctx.handleUpdate("never", () => ctx.sleep(1e9).then(() => 1));
    await ctx.waitForSignal("finish");
  }
  const { executor, clock } = setUp();
  clock.hold();
  await executor.execute(ends, { id: "a" });
  const update = executor.update("a", "never");
  await settle();
  await executor.signal("a", "finish");
  const error = await assertRejects(() => update, WorkflowError, "it ended before it had answered");
  assertEquals(error.code, "update_interrupted");
  await executor.close();
});

Deno.test("Executor.update() rejects with the error of the workflow as its cause when the workflow fails before the answer", async () => {
  const bank = Promise.withResolvers<void>();
  async function pays(ctx: Ctx) {
    ctx.handleUpdate("receipt", () => ctx.waitForSignal("never"));
    await ctx.executeActivity(async () => {
      await bank.promise;
      throw new RangeError("Declined");
    });
  }
  await using executor = new Executor({ logger: { ...console, warn() {} } });
  await executor.execute(pays, { id: "a" });
  const early = executor.update("a", "receipt");
  bank.resolve();
  for (const update of [() => early, () => executor.update("a", "receipt")]) {
    const error = await assertRejects(update, WorkflowError);
    assertEquals([error.code, `${error.cause}`], ["not_found", "RangeError: Declined"]);
  }
});

for (const middleware of [[], [async (_call: unknown, next: () => unknown) => await next()]]) {
  const how = middleware.length > 0 ? " through middleware" : "";

  Deno.test(`Executor.update() and signal()${how} are on their way before a virtual clock moves, though nobody awaits them`, async () => {
    const { executor, clock } = setUp({ middleware });
    const handle = await executor.execute(async (ctx: Ctx) => {
      const log: unknown[] = [];
      ctx.handleUpdate("u", () => ["update", log.push(["update", ctx.now()])]);
      await ctx.sleep(3);
      await ctx.sleep(4);
      log.push(["timer", ctx.now()]);
      await ctx.waitForSignal("s");
      log.push(["signal", ctx.now()]);
      await ctx.sleep(5);
      return log;
    }, { id: "a" });
    const answers: unknown[] = [];
    clock.at(5, () => void executor.update("a", "u").then(() => answers.push(clock.now())));
    clock.at(9, () => void executor.signal("a", "s").then(() => answers.push(clock.now())));
    assertEquals(await handle.result(), [["update", 5], ["timer", 7], ["signal", 9]]);
    assertEquals(answers, [5, 9]);
    await executor.close();
  });
}

const unanswered: [what: string, prepare: (executor: Executor) => Promise<unknown>, code: string, message: string][] = [
  ["an unknown workflow", () => Promise.resolve(), "not_found", 'Cannot update workflow "a": it does not exist'],
  [
    "a finished workflow",
    async (executor) => await (await executor.execute(() => 1, { id: "a" })).result(),
    "not_found",
    'Cannot update workflow "a": its status is "completed"',
  ],
];
for (const [what, prepare, code, message] of unanswered) {
  Deno.test(`Executor.update() rejects ${what}`, async () => {
    const { executor } = setUp();
    await prepare(executor);
    const error = await assertRejects(() => executor.update("a", add, 1), WorkflowError, message);
    assertEquals(error.code, code);
    await executor.close();
  });
}

Deno.test("Executor.query() answers from a replay when the workflow is not live, and changes nothing", async () => {
  const { executor, store, clock } = setUp();
  remembered.length = 0;
  await executor.execute(counter, { id: "a" });
  await executor.update("a", add, 8);
  await executor.close();
  const before = await store.load("a");
  const other = new Executor({ store, clock, workflows: { counter } });
  assertEquals([await other.query("a", total), await other.query("a", scaled, 3)], [8, 24]);
  assert(await store.load("a") === before);
  assertEquals(remembered, [8]);
  const withoutCode = new Executor({ store });
  const error = await assertRejects(() => withoutCode.query("a", total), WorkflowError, "no workflow is registered as");
  assertEquals(error.code, "unknown_workflow");
});

Deno.test("Executor.query() says what to do when a finished workflow has no name", async () => {
  const { executor, store } = setUp();
  await (await executor.execute((ctx: Ctx) => ctx.handleQuery("seven", () => 7), { id: "a" })).result();
  const error = await assertRejects(() => executor.query("a", "seven"), WorkflowError);
  const why =
    'no workflow is registered as "anonymous"; its function has no name: give it one, or pass it to the executor';
  assertEquals([error.code, error.message], ["unknown_workflow", `Cannot query workflow "a": ${why} in "workflows"`]);
  const workflows = { anonymous: (ctx: Ctx) => ctx.handleQuery("seven", () => 7) };
  assertEquals(await new Executor({ store, workflows }).query("a", "seven"), 7);
});

for (const name of ["status", "result", "input", "history", "state"]) {
  Deno.test(`Executor.query() has no reserved names: a workflow answers "${name}"`, async () => {
    const { executor } = setUp();
    const named = (ctx: Ctx) => ctx.handleQuery(name, () => 7);
    await (await executor.execute(named, { id: "a" })).result();
    assertEquals(await executor.query("a", name), 7);
    assertEquals((await executor.describe("a")).status, "completed");
  });
}

Deno.test("Executor.query() answers a copy", async () => {
  const list = [1];
  const { executor } = setUp();
  await executor.execute((ctx: Ctx) => {
    ctx.handleQuery("list", () => list);
    return ctx.waitForSignal("x");
  }, { id: "a" });
  const answer = await executor.query("a", "list") as number[];
  assertThrows(() => answer.push(2), TypeError);
  list.push(3);
  assertEquals(answer, [1]);
  await executor.close();
});

Deno.test("Executor.query() lists the handlers in its error when there is no such handler", async () => {
  const { executor } = setUp();
  await executor.execute(counter, { id: "a" });
  const error = await assertRejects(() => executor.query("a", "toatl"), WorkflowError);
  assertEquals(
    [error.code, error.message],
    [
      "not_found",
      'Cannot query workflow "a": it has no handler for "toatl"; it has "total", "scaled"',
    ],
  );
  await executor.close();
});

const forbidden: [what: string, body: (ctx: Ctx) => unknown][] = [
  ["an activity", (ctx) => ctx.executeActivity(() => 1)],
  ["a sleep", (ctx) => ctx.sleep(1)],
  ["a wait", (ctx) => ctx.waitForSignal("x")],
  ["a signal loop", (ctx) => ctx.receiveSignal("x")[Symbol.asyncIterator]()],
  ["a random number", (ctx) => ctx.random()],
  ["a patch", (ctx) => ctx.patched("x")],
  ["a compensation", (ctx) => ctx.addCompensation(() => {})],
  ["a side effect", (ctx) => ctx.sideEffect(() => 1)],
  ["an async answer", () => Promise.reject(new Error("unheard"))],
];
for (const [what, body] of forbidden) {
  Deno.test(`Executor.query() refuses a handler that uses ${what}, and does not harm the run`, async () => {
    const { executor, store } = setUp();
    const handle = await executor.execute((ctx: Ctx) => {
      ctx.handleQuery("bad", () => body(ctx));
      return ctx.waitForSignal("x");
    }, { id: "a" });
    await assertRejects(() => executor.query("a", "bad"), TypeError);
    assertEquals((await store.load("a"))!.history.length, 1);
    await executor.signal("a", "x", 1);
    assertEquals(await handle.result(), 1);
    await executor.close();
  });
}

Deno.test("WorkflowContext.handleUpdate() handles updates that were accepted before its call, also on replay", async () => {
  async function late(ctx: Ctx) {
    const got: number[] = [];
    ctx.handleUpdate<void, number>("n", (n) => void got.push(n));
    await ctx.waitForSignal("go");
    return got;
  }
  const { executor, store, clock } = setUp();
  await executor.execute(late, { id: "a" });
  await executor.update("a", "n", 1);
  await executor.close();
  // The new code registers the handler only after the signal.
  async function later(ctx: Ctx) {
    const got: number[] = [];
    await ctx.waitForSignal("go");
    ctx.handleUpdate<void, number>("n", (n) => void got.push(n));
    return got;
  }
  const next = new Executor({ store, clock, workflows: { late: later } });
  const [handle] = await next.recover();
  await next.signal("a", "go");
  assertEquals(await handle.result(), [1]);
  await next.close();
});

Deno.test("WorkflowContext.handleUpdate() handlers are reached by a cancellation of the workflow", async () => {
  const { executor } = setUp();
  await executor.execute(async (ctx: Ctx) => {
    ctx.handleUpdate("wait", () => ctx.waitForSignal("never"));
    await ctx.waitForSignal("finish").catch(() => {});
    await ctx.shield((ctx) => ctx.sleep(1));
  }, { id: "a" });
  const update = executor.update("a", "wait");
  update.catch(() => {});
  await settle();
  await executor.cancel("a", "stop");
  await assertRejects(() => update, CanceledError, "stop");
  await executor.close();
});

Deno.test("Executor.query() and update() refuse bad arguments at the call", async () => {
  const executor = new Executor({ store: new InMemoryStore() });
  const calls: [call: () => Promise<unknown>, message: string][] = [
    [() => executor.query("", "x"), 'Cannot query workflow: "id" must be a non-empty string, got ""'],
    [() => executor.query("a", 7 as never), 'Cannot query workflow "a": "query" must be a non-empty string, got 7'],
    [() => executor.query("a", "x", () => {}), 'Cannot store args[0] of query "x": a function cannot be stored'],
    [
      () => executor.update("a", {} as never),
      '"update" must be a name, or a definition made by defineUpdate(), got an Object',
    ],
    [() => executor.update("a", "x", Symbol("s")), 'Cannot store input of update "x": Symbol(s) cannot be stored'],
    [() => executor.update("a", "x", 1, { updateId: "" }), '"updateId" must be a non-empty string, got ""'],
  ];
  for (const [call, message] of calls) await assertRejects(call, TypeError, message);
  for (const define of [() => defineSignal(""), () => defineQuery(""), () => defineUpdate("")]) {
    assertThrows(define, TypeError, '"name" must be a non-empty string, got ""');
  }
  assertThrows(() => defineUpdate("x", { validate: 1 as never }), TypeError, '"validate" must be a function, got 1');
});
