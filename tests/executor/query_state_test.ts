/** `Executor.queryState()` and the query `"handlers"`: what a run answers after any number of its events. */

import { assertEquals, assertRejects, assertStrictEquals, assertThrows } from "@std/assert";
import {
  Executor,
  InMemoryStore,
  type WorkflowContext,
  WorkflowError,
  type WorkflowHandlers,
  type WorkflowState,
} from "@rockpool/workflow";
import { stateAt } from "@rockpool/workflow/storage";
import { TestExecutor } from "@rockpool/workflow/testing";

let charged = 0;
const charge = (cents: number) => {
  charged++;
  return `charged ${cents}`;
};

async function order(ctx: WorkflowContext, items: readonly { readonly name: string }[]) {
  let step = "new";
  ctx.handleQuery("step", (prefix = "") => `${prefix}${step}`);
  ctx.handleQuery("items", () => items);
  await ctx.waitForSignal("paid");
  step = "paid";
  ctx.handleUpdate("address", (text: string) => text);
  ctx.handleSignal("note", () => {});
  await ctx.executeActivity(charge, 500);
  step = "charged";
  await ctx.sleep(1000);
  step = "done";
  return step;
}

/** A finished run of `order`, and the store that holds it. */
async function finished(): Promise<{ state: WorkflowState; store: InMemoryStore }> {
  await using executor = new TestExecutor({ workflows: { order } });
  executor.clock.at(5, () => executor.signal("a", "paid"));
  await (await executor.execute(order, { id: "a", input: [{ name: "shell" }] })).result();
  return { state: (await executor.store.load("a"))!, store: executor.store };
}

const types = ({ history }: WorkflowState) => history.map(({ type }) => type);

Deno.test("Executor.queryState() answers as of each event of a run that is not stored", async () => {
  const { state } = await finished();
  assertEquals(types(state).slice(0, 3), ["workflow_started", "signal_received", "activity_started"]);
  const other = new InMemoryStore();
  await using executor = new Executor({ store: other, workflows: { order } });
  charged = 0;
  const answers: unknown[] = [];
  for (let n = 1; n <= state.history.length; n++) {
    answers.push(await executor.queryState(stateAt(state, n), "step", "is "));
  }
  assertEquals(answers, ["is new", "is paid", "is paid", "is charged", "is charged", "is done", "is done"]);
  assertEquals([charged, await other.list(), executor.openRuns()], [0, [], []]);
});

Deno.test("Executor.queryState() leaves the stored run and its state unchanged", async () => {
  const { state, store } = await finished();
  const plain: WorkflowState = structuredClone(state); // not frozen
  const before = structuredClone(plain);
  await using executor = new Executor({ store, workflows: { order } });
  const items = await executor.queryState(plain, "items") as { name: string }[];
  assertThrows(() => items[0].name = "changed", TypeError);
  assertEquals([plain, await store.load("a")], [before, before]);
});

Deno.test("Executor.queryState() answers from the state also if a run of the ID is live", async () => {
  const { state } = await finished();
  await using executor = new Executor({ workflows: { order } });
  await executor.execute(order, { id: "a", input: [] });
  assertEquals(await executor.queryState(state, "step"), "done");
  assertEquals(await executor.query("a", "step"), "new");
});

Deno.test("Executor.queryState() rejects for bad states, unknown code and a history that the code does not fit", async () => {
  const { state } = await finished();
  await using executor = new Executor({ workflows: { order } });
  const bad: [unknown, string][] = [
    [null, 'Cannot query workflow: "state" must be an object, got null'],
    [{}, 'Cannot query workflow: "workflowId" must be a non-empty string, got undefined'],
    [{ ...state, history: 5 }, 'Cannot query workflow: "history" must be an array, got 5'],
  ];
  for (const [given, message] of bad) {
    await assertRejects(() => executor.queryState(given as WorkflowState, "step"), TypeError, message);
  }
  const code = async (given: WorkflowState, query = "step") => {
    const error = await assertRejects(() => executor.queryState(given, query), WorkflowError);
    return error.code;
  };
  assertEquals(await code({ ...state, history: [] }), "unknown_workflow");
  assertEquals(await code({ ...state, history: [state.history[0], {} as never] }), "invalid_history");
  assertEquals(await code({ ...state, workflowName: "unknown" }), "unknown_workflow");
  assertEquals(await code(state, "nothing"), "not_found");
  const history = state.history.map((event) => event.type === "activity_started" ? { ...event, name: "x" } : event);
  assertEquals(await code({ ...state, history }), "non_deterministic");
});

Deno.test('Executor.query() answers "handlers" with what the code handles, live and after its end', async () => {
  const { state } = await finished();
  await using executor = new TestExecutor({ workflows: { order } });
  const handle = await executor.execute(order, { id: "a", input: [] });
  const first = await handle.query<WorkflowHandlers>("handlers");
  assertEquals(first, { queries: ["step", "items"], updates: [], signals: ["paid"] });
  const paid = await executor.queryState<WorkflowHandlers>(stateAt(state, 2), "handlers");
  assertEquals(paid, { queries: ["step", "items"], updates: ["address"], signals: ["note"] });
  await executor.signal("a", "paid");
  await handle.result();
  assertEquals(await executor.query("a", "handlers"), { queries: ["step", "items"], updates: [], signals: [] });
});

Deno.test('Executor.query() counts a loop that is busy among the signals of "handlers"', async () => {
  const busy = async (ctx: WorkflowContext) => {
    for await (const _ of ctx.receiveSignal("note")) await ctx.waitForSignal("free");
  };
  await using executor = new TestExecutor();
  const handle = await executor.execute(busy, { id: "a" });
  await handle.signal("note");
  await executor.clock.advance(0);
  assertEquals((await handle.query<WorkflowHandlers>("handlers")).signals, ["note", "free"]);
  await executor.close();
});

Deno.test('WorkflowContext.handleQuery() refuses the name "handlers"', async () => {
  await using executor = new TestExecutor();
  const handle = await executor.execute((ctx: WorkflowContext) => ctx.handleQuery("handlers", () => 1), { id: "a" });
  const message = 'Cannot handle query "handlers": every workflow answers it; choose another name';
  await assertRejects(() => handle.result(), TypeError, message);
});

Deno.test("Executor.queryState() goes through the middleware", async () => {
  const { state } = await finished();
  const kinds: string[] = [];
  await using executor = new Executor({
    workflows: { order },
    middleware: [(call, next) => {
      kinds.push(call.kind);
      return next();
    }],
  });
  assertStrictEquals(await executor.queryState(state, "step"), "done");
  assertEquals(kinds, ["query"]);
});
