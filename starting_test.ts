/** How a run starts: beside one of the same ID, later, many at once, with labels. */

import { assert, assertEquals, assertNotEquals, assertRejects } from "@std/assert";
import {
  type ExecuteOptions,
  type Executor,
  type WorkflowContext,
  WorkflowError,
  type WorkflowHandle,
} from "@rockpool/workflow";
import { FaultyStore, settle, setUp, typesOf } from "./tools/testing.ts";

/** A workflow that answers its input with what it is sent. */
const ask = async (ctx: WorkflowContext, input: string) => `${input} ${await ctx.waitForSignal("go")}`;
const echo = (_ctx: WorkflowContext, input: string) => input;

const go = (executor: Executor, id = "a") => executor.signal(id, { name: "go", payload: "went" });

async function codeOf(call: Promise<unknown>): Promise<string> {
  return (await assertRejects(() => call, WorkflowError)).code;
}

// ------------------------------------------------------------------------------------------------ onConflict and reuse

Deno.test("Executor.execute() joins a running workflow when onConflict says so, whoever runs it", async () => {
  const { store, clock, executor } = setUp();
  const other = setUp({ store, clock }).executor;
  const first = await executor.execute(ask, { id: "a", input: "first" });
  const joined: WorkflowHandle<string>[] = [];
  for (const one of [executor, other]) {
    joined.push(await one.execute(ask, { id: "a", input: "second", onConflict: "join" }));
  }
  assertEquals(joined.map(({ runId }) => runId), [first.runId, first.runId]);
  await go(other);
  assertEquals(await Promise.all(joined.map((handle) => handle.result())), ["first went", "first went"]);
  assertEquals((await store.load("a"))!.input, "first");
  await Promise.all([executor.close(), other.close()]);
});

Deno.test("Executor.execute() joins a workflow that nobody runs, and that recover() goes on with", async () => {
  const { store, executor } = setUp();
  await executor.execute(ask, { id: "a", input: "first" });
  await executor.close();
  const later = setUp({ store, workflows: { ask } }).executor;
  const joined = await later.execute(ask, { id: "a", input: "second", onConflict: "join" });
  await later.recover();
  await go(later);
  assertEquals(await joined.result(), "first went");
  await later.close();
});

Deno.test("Executor.execute() lets everybody join the one that was first when calls come together", async () => {
  const { store, clock, executor } = setUp();
  const other = setUp({ store, clock }).executor;
  const handles = await Promise.all(
    [executor, other, executor, other].map((one, i) =>
      one.execute(ask, { id: "a", input: `${i}`, onConflict: "join" })
    ),
  );
  assertEquals(new Set(handles.map(({ runId }) => runId)).size, 1);
  await go(other);
  assertEquals(await Promise.all(handles.map((handle) => handle.result())), Array(4).fill("0 went"));
  await Promise.all([executor.close(), other.close()]);
});

Deno.test("Executor.execute() does not let the signal of one who joined cancel the workflow", async () => {
  const { executor } = setUp();
  await executor.execute(ask, { id: "a", input: "first" });
  const abort = new AbortController();
  const joined = await executor.execute(ask, { id: "a", input: "", onConflict: "join", signal: abort.signal });
  abort.abort();
  await settle();
  await go(executor);
  assertEquals(await joined.result(), "first went");
  await executor.close();
});

Deno.test("Executor.execute() terminates a running workflow when onConflict says so, wherever it is", async () => {
  for (const where of ["here", "elsewhere", "nowhere"] as const) {
    const { store, clock, executor } = setUp();
    const other = setUp({ store, clock }).executor;
    const first = await executor.execute(ask, { id: "a", input: "first" });
    if (where === "nowhere") await executor.close();
    const by = where === "here" ? executor : other;
    const second = await by.execute(ask, { id: "a", input: "second", onConflict: "terminate" });
    assertNotEquals(first.runId, second.runId);
    if (where === "here") {
      const error = await assertRejects(() => first.result(), WorkflowError);
      assertEquals([error.code, error.message], ["terminated", 'Terminated workflow "a": a new run replaces it']);
    }
    await go(by);
    assertEquals(await second.result(), "second went", where);
    assertEquals(typesOf((await store.load("a"))!.history)[0], "workflow_started");
    await Promise.all([executor.close(), other.close()]);
  }
});

Deno.test("Executor.execute() that terminates starts as usual when there is nothing to terminate", async () => {
  const { executor } = setUp();
  const options = { id: "a", onConflict: "terminate" } as const;
  for (const input of ["first", "second"]) {
    assertEquals(await (await executor.execute(echo, { ...options, input })).result(), input);
  }
  assertEquals(await codeOf(executor.execute(echo, { ...options, input: "x", reuse: "reject" })), "already_finished");
  await executor.close();
});

Deno.test("Executor.execute() that terminates replaces what it has terminated, whatever reuse says", async () => {
  const { executor } = setUp();
  await executor.execute(ask, { id: "a", input: "first" });
  const second = await executor.execute(echo, { id: "a", input: "second", onConflict: "terminate", reuse: "reject" });
  assertEquals(await second.result(), "second");
  await executor.close();
});

Deno.test("Executor.execute() that terminates obeys reuse when the workflow finishes in the same moment", async () => {
  for (const reuse of ["allow", "reject", "join"] as const) {
    const store = new FaultyStore();
    const { clock, executor } = setUp({ store });
    const other = setUp({ store, clock }).executor;
    const first = await executor.execute(ask, { id: "a", input: "first" });
    store.before = async ({ events: [{ type }] }) => {
      if (type !== "workflow_canceled") return;
      store.before = () => {};
      await go(executor);
      await first.result();
    };
    const second = other.execute(echo, { id: "a", input: "second", onConflict: "terminate", reuse });
    if (reuse === "reject") assertEquals(await codeOf(second), "already_finished");
    else assertEquals(await (await second).result(), reuse === "allow" ? "second" : "first went");
    await Promise.all([executor.close(), other.close()]);
  }
});

Deno.test("Executor.execute() of several executors that terminate each other leaves one run, the last", async () => {
  for (let seed = 0; seed < 20; seed++) {
    const store = new FaultyStore();
    const storeRetry = { maxAttempts: Infinity };
    const { clock, executor } = setUp({ store, storeRetry });
    const executors = [executor, ...[1, 2].map(() => setUp({ store, clock, storeRetry }).executor)];
    let calls = seed;
    store.before = async () => {
      for (let wait = calls++ * 7 % 5; wait > 0; wait--) await null;
      if (calls % 4 === 0) throw new Error("moody");
    };
    store.after = () => {
      if (calls % 5 === 0) throw new Error("the answer is lost");
    };
    const handles = await Promise.all(
      executors.map((one, i) => one.execute(ask, { id: "a", input: `${i}`, onConflict: "terminate" })),
    );
    store.before = store.after = () => {};
    const { runId } = (await store.load("a"))!;
    const last = handles.findIndex((handle) => handle.runId === runId);
    await go(executors[0]);
    assertEquals(await handles[last].result(), `${last} went`, `seed ${seed}`);
    for (const [i, handle] of handles.entries()) {
      if (i === last) continue;
      const code = await codeOf(handle.result());
      assert(["terminated", "not_found", "conflict"].includes(code), `seed ${seed}: ${code}`);
    }
    await Promise.all(executors.map((one) => one.close()));
  }
});

Deno.test("Executor.execute() rejects a finished ID, or joins it, when reuse says so", async () => {
  const { store, executor } = setUp();
  const first = await executor.execute(echo, { id: "a", input: "first" });
  await first.result();
  const options = { id: "a", input: "second" };
  const error = await assertRejects(() => executor.execute(echo, { ...options, reuse: "reject" }), WorkflowError);
  assertEquals([error.code, error.message], [
    "already_finished",
    'Cannot execute workflow "a": it is completed, and "reuse" is "reject"',
  ]);
  await executor.close();

  const later = setUp({ store }).executor;
  const joined = await later.execute(echo, { ...options, reuse: "join" });
  assertEquals([joined.runId, joined.status, await joined.result()], [first.runId, "completed", "first"]);
  const replaced = await later.execute(echo, { ...options, reuse: "allow" });
  assertEquals(await replaced.result(), "second");
  await (await later.execute((): never => {
    throw new RangeError("no");
  }, { id: "b" })).result().catch(() => {});
  const failed = await later.execute(echo, { id: "b", input: "x", reuse: "join" });
  await assertRejects(() => failed.result(), RangeError, "no");
  await later.close();
});

Deno.test("Executor.execute() with reuse and onConflict starts a new ID once, also when answers are lost", async () => {
  const cases: ExecuteOptions[] = [{ onConflict: "join", reuse: "join" }, { reuse: "reject" }];
  for (const options of [...cases, { onConflict: "terminate", reuse: "reject" }] as ExecuteOptions<string>[]) {
    const store = new FaultyStore();
    const { executor } = setUp({ store });
    let failures = 2;
    store.before = store.after = () => {
      if (failures-- > 0) throw new Error("the line is dead");
    };
    const handle = await executor.execute(echo, { ...options, id: "a", input: "first" });
    assertEquals(await handle.result(), "first");
    assertEquals(typesOf((await store.load("a"))!.history), ["workflow_started", "workflow_completed"]);
    await executor.close();
  }
});

Deno.test("Executor.execute() rejects policies that are none", async () => {
  const { executor } = setUp();
  const cases: [object, string][] = [
    [{ onConflict: "replace" }, '"onConflict" must be one of "fail", "join", "terminate", got "replace"'],
    [{ reuse: true }, '"reuse" must be one of "allow", "reject", "join", got true'],
  ];
  for (const [options, message] of cases) {
    await assertRejects(() => executor.execute(echo, { id: "a", input: "", ...options }), TypeError, message);
  }
  await executor.close();
});
