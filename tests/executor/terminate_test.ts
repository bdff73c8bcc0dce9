/** `terminate()`: ends a run without its consent. */

import { assert, assertEquals, assertRejects } from "@std/assert";
import {
  type ActivityContext,
  type MiddlewareCall,
  VirtualClock,
  type WorkflowContext,
  WorkflowError,
  type WorkflowHandle,
} from "@rockpool/workflow";
import { FaultyStore } from "@rockpool/workflow/testing";
import { gate, settle, setUp, typesOf, withoutSubscribe } from "../support/executors.ts";

const forever = (ctx: WorkflowContext) => ctx.waitForSignal("never");

async function assertTerminated(handle: WorkflowHandle, message: string): Promise<void> {
  const error = await assertRejects(() => handle.result(), WorkflowError);
  assertEquals([error.code, error.message, handle.status], ["terminated", message, "canceled"]);
}

async function assertNotFound(call: Promise<unknown>, message: string): Promise<void> {
  const error = await assertRejects(() => call, WorkflowError);
  assertEquals([error.code, error.message], ["not_found", message]);
}

Deno.test("Executor.terminate() ends a workflow that ignores its cancellation", async () => {
  const { store, executor } = setUp();
  let wakeUps = 0;
  async function ignoresCancellation(ctx: WorkflowContext) {
    for (;;) {
      await ctx.shield((ctx) => ctx.waitForSignal("wake")).catch(() => {});
      wakeUps++;
    }
  }
  const handle = await executor.execute(ignoresCancellation, { id: "a" });
  await executor.signal("a", "wake");
  await executor.cancel("a");
  await settle();
  await executor.terminate("a", "it hangs");
  await assertTerminated(handle, 'Terminated workflow "a": it hangs');
  const state = (await store.load("a"))!;
  assertEquals(typesOf(state.history), [
    "workflow_started",
    "signal_received",
    "cancel_requested",
    "workflow_canceled",
  ]);
  assertEquals([state.status, state.error?.data?.code], ["canceled", "terminated"]);
  await settle();
  assertEquals(wakeUps, 1);
  await executor.close();
});

Deno.test("Executor.terminate() runs no cleanup, no compensation and no next activity", async () => {
  const { store, executor } = setUp();
  const ran: string[] = [];
  let signal: AbortSignal | undefined;
  const late = gate();
  const step = (name: string) => void ran.push(name);
  async function work(_input: unknown, context: ActivityContext) {
    signal = context.signal;
    await late.promise;
  }
  async function order(ctx: WorkflowContext) {
    ctx.addCompensation(() => ctx.executeActivity(step, "undo"));
    try {
      await ctx.executeActivity(work);
      await ctx.executeActivity(step, "next");
    } finally {
      ran.push("finally");
      await ctx.shield((ctx) => ctx.executeActivity(step, "cleanup"));
    }
  }
  const handle = await executor.execute(order, { id: "a" });
  await settle();
  assertEquals(signal!.aborted, false);
  await executor.terminate("a");
  assertEquals(signal!.aborted, true);
  late.open();
  await assertTerminated(handle, 'Terminated workflow "a"');
  await settle();
  assertEquals(ran, []);
  assertEquals(typesOf((await store.load("a"))!.history).slice(1), ["activity_started", "workflow_canceled"]);
  await executor.close();
});

Deno.test("Executor.terminate() hides events from workflow code that are stored together with the termination", async () => {
  const { executor } = setUp();
  const seen: unknown[] = [];
  const handle = await executor.execute(async (ctx: WorkflowContext) => {
    for await (const payload of ctx.receiveSignal("s")) seen.push(payload);
  }, { id: "a" });
  await Promise.all([executor.signal("a", "s", 1), executor.terminate("a")]);
  await assertTerminated(handle, 'Terminated workflow "a"');
  await settle();
  assertEquals(seen, []);
  await executor.close();
});

Deno.test("Executor.terminate() ends a workflow that is not live, and recover() ignores it", async () => {
  const { store, executor } = setUp();
  await executor.execute(forever, { id: "a" });
  await executor.close();
  const later = setUp({ store, workflows: { forever } });
  const handle = await later.executor.handle("a");
  await later.executor.terminate("a", "gone");
  await assertTerminated(handle, 'Terminated workflow "a": gone');
  assertEquals(await later.executor.recover(), []);
  await later.executor.close();
});

Deno.test("Executor.terminate() ends a recovered workflow in the middle of its replay", async () => {
  const { store, executor } = setUp();
  const woken: number[] = [];
  async function waker(ctx: WorkflowContext) {
    for (let i = 0;; i++) {
      await ctx.waitForSignal("wake");
      woken.push(i);
    }
  }
  await executor.execute(waker, { id: "a" });
  for (let i = 0; i < 20; i++) await executor.signal("a", "wake");
  await executor.close();
  woken.length = 0;
  const later = setUp({ store, workflows: { waker } });
  const [handle] = await later.executor.recover();
  await later.executor.terminate("a");
  await assertTerminated(handle, 'Terminated workflow "a"');
  assert(woken.length < 20, `${woken.length}`);
  await later.executor.close();
});

Deno.test("Executor.terminate() ends a workflow that is live in another executor, which aborts its activities", async () => {
  const { store, clock, executor } = setUp();
  let signal: AbortSignal | undefined;
  const handle = await executor.execute(
    (ctx: WorkflowContext) =>
      ctx.executeActivity(async (_: unknown, context) => {
        signal = context.signal;
        await new Promise((_, reject) => context.signal.addEventListener("abort", () => reject(context.signal.reason)));
      }),
    { id: "a" },
  );
  await settle();
  const other = setUp({ store, clock }).executor;
  await other.terminate("a", "from afar");
  await assertTerminated(handle, 'Terminated workflow "a": from afar');
  assertEquals(signal!.aborted, true);
  assertEquals((await other.describe("a")).status, "canceled");
  await Promise.all([executor.close(), other.close()]);
});

Deno.test("Executor.terminate() stops another executor at its next event when the store reports no changes", async () => {
  const clock = new VirtualClock();
  const store = withoutSubscribe();
  const { executor } = setUp({ store, clock });
  const go = gate();
  const ran: string[] = [];
  const handle = await executor.execute(async (ctx: WorkflowContext) => {
    await ctx.executeActivity(() => go.promise);
    ran.push("next");
  }, { id: "a" });
  const other = setUp({ store, clock }).executor;
  await other.terminate("a");
  assertEquals(handle.status, "running");
  go.open();
  await assertTerminated(handle, 'Terminated workflow "a"');
  assertEquals(ran, []);
  await Promise.all([executor.close(), other.close()]);
});

Deno.test("Executor.terminate() rejects with not_found and the status when the workflow is not running", async () => {
  const { executor } = setUp();
  await assertNotFound(executor.terminate("x"), 'Cannot terminate workflow "x": it does not exist');
  await (await executor.execute(() => 1, { id: "a" })).result();
  await assertNotFound(executor.terminate("a"), 'Cannot terminate workflow "a": its status is "completed"');
  await executor.execute(forever, { id: "b" });
  const outcomes = await Promise.allSettled([executor.terminate("b"), executor.terminate("b")]);
  assertEquals(outcomes.map(({ status }) => status), ["fulfilled", "fulfilled"]); // both calls share one termination
  await assertNotFound(executor.terminate("b"), 'Cannot terminate workflow "b": its status is "canceled"');
  await assertNotFound(executor.cancel("b"), 'Cannot cancel workflow "b": its status is "canceled"');
  await assertRejects(() => executor.terminate("b", 1 as never), TypeError, '"reason" must be a string, got 1');
  await assertRejects(() => executor.terminate(""), TypeError, '"id" must be a non-empty string, got ""');
  await executor.close();
  assertEquals((await assertRejects(() => executor.terminate("a"), WorkflowError)).code, "closed");
});

Deno.test("Executor.terminate() passes through middleware and calls the hook", async () => {
  const calls: MiddlewareCall[] = [];
  const reasons: unknown[] = [];
  const { executor } = setUp({
    middleware: [(call, next) => (calls.push(call), next())],
    hooks: { workflowCanceled: ({ error }) => reasons.push(error.message) },
  });
  await executor.execute(forever, { id: "a" });
  await executor.terminate("a", "why");
  assertEquals(calls.slice(2), [{ kind: "terminate", workflowId: "a", reason: "why" }]);
  assertEquals(reasons, ['Terminated workflow "a": why']);
  await executor.close();
});

Deno.test("Executor.terminate() stores one end when the answer of the store is lost", async () => {
  for (const elsewhere of [false, true]) {
    const store = new FaultyStore();
    const { clock, executor } = setUp({ store });
    const handle = await executor.execute(forever, { id: "a" });
    const other = elsewhere ? setUp({ store, clock }).executor : executor;
    let failures = 2;
    store.before.append = store.after.append = () => {
      if (failures-- > 0) throw new Error("the store failed");
    };
    await other.terminate("a");
    await assertTerminated(handle, 'Terminated workflow "a"');
    const { history } = (await store.load("a"))!;
    assertEquals(typesOf(history), ["workflow_started", "workflow_canceled"]);
    await Promise.all([executor.close(), other.close()]);
  }
});

Deno.test("Executor.terminate() accepts another termination as its own, and leaves the run running when the store fails", async () => {
  const store = new FaultyStore();
  const { clock, executor } = setUp({ store, storeRetry: { maxAttempts: 2 } });
  await executor.execute(forever, { id: "a" });
  const other = setUp({ store, clock }).executor;
  store.before.append = async () => {
    store.before.append = undefined;
    await other.terminate("a", "first");
  };
  await executor.terminate("a", "second");
  assertEquals((await store.load("a"))!.error?.message, 'Terminated workflow "a": first');
  await executor.execute(forever, { id: "b" });
  store.before.append = () => {
    throw new Error("down");
  };
  assertEquals((await assertRejects(() => executor.terminate("b"), WorkflowError)).code, "store_failed");
  store.before.append = undefined;
  assertEquals((await store.load("b"))!.status, "running");
  await executor.terminate("b");
  assertEquals((await store.load("b"))!.status, "canceled");
  await Promise.all([executor.close(), other.close()]);
});

Deno.test("Executor.terminate() has one outcome when the workflow acts at the same time", async () => {
  for (let wait = 0; wait < 30; wait++) {
    const store = new FaultyStore();
    const { executor } = setUp({ store });
    store.before.append = () => waitMicrotasks(wait % 3);
    const handle = await executor.execute(async (ctx: WorkflowContext) => {
      for (let i = 0; i < 5; i++) await ctx.executeActivity((n: number) => n, i);
      return "done";
    }, { id: "a" });
    await waitMicrotasks(wait);
    const terminated = await executor.terminate("a").then(() => true, (error) => (assertCode(error), false));
    const outcome = await handle.result().catch((error) => error.code);
    assertEquals(outcome, terminated ? "terminated" : "done", `after ${wait}`);
    const { history, status } = (await store.load("a"))!;
    assertEquals(status, terminated ? "canceled" : "completed");
    assertEquals(history.filter(({ type }) => /^workflow_(?!started)/.test(type)).length, 1);
    await executor.close();
  }

  function assertCode(error: unknown): void {
    assertEquals((error as WorkflowError).message, 'Cannot terminate workflow "a": its status is "completed"');
  }
});

async function waitMicrotasks(microtasks: number): Promise<void> {
  for (let i = 0; i < microtasks * 3; i++) await null;
}
