/** `execute` with signals: the start and the signals in one write, or the signals to the workflow that runs already. */

import { assertEquals, assertRejects } from "@std/assert";
import {
  type AppendBatch,
  defineSignal,
  Executor,
  type Hooks,
  InMemoryStore,
  type Workflow,
  type WorkflowContext,
  WorkflowError,
} from "@rockpool/workflow";
import { FaultyStore, seeded } from "@rockpool/workflow/testing";
import { macrotasks, ofType, settle, setUp, typesOf } from "../support/executors.ts";

type Ctx = WorkflowContext;

const item = defineSignal<string>("item");

/** Collects items until one of them is "end". */
async function collect(ctx: Ctx): Promise<string[]> {
  const got: string[] = [];
  for await (const one of ctx.receiveSignal(item)) {
    if (one === "end") break;
    got.push(one);
  }
  return got;
}

const workflows = { collect: collect as Workflow<never> };
const send = (...payloads: string[]) => payloads.map((payload) => ({ name: item, payload }));
const join = { id: "a", onConflict: "join" } as const;

class Recording extends InMemoryStore {
  readonly batches: string[][] = [];
  override append(batch: AppendBatch) {
    this.batches.push(typesOf(batch.events));
    return super.append(batch);
  }
}

Deno.test("Executor.execute() with signals stores the start and the signals in one write", async () => {
  const hooks: string[] = [];
  const record = (event: { type: string }) => hooks.push(event.type);
  const { executor, store } = setUp({
    store: new Recording(),
    hooks: { workflowStarted: record, signalReceived: record } satisfies Hooks,
  });
  const handle = await executor.execute(collect, {
    ...join,
    signals: [
      { name: item, payload: "x", signalId: "1", senderId: "office" },
      ...send("y"),
      { name: item, payload: "again", signalId: "1" },
      { name: "other" },
    ],
  });
  const types = ["workflow_started", "signal_received", "signal_received", "signal_received"];
  assertEquals([store.batches[0], hooks], [types, types]);
  const [first] = ofType((await store.load("a"))!.history, "signal_received");
  assertEquals([first.signalId, first.senderId, first.payload], ["1", "office", "x"]);
  await executor.signal("a", item, "x", { signalId: "1" });
  await executor.signal("a", item, "end");
  assertEquals(await handle.result(), ["x", "y"]);
  await executor.close();
});

for (const where of ["that is live here", "that another executor runs", "that no executor runs", "that is dormant"]) {
  Deno.test(`Executor.execute() with signals delivers them to a workflow ${where}, when it joins it`, async () => {
    const dormant = where.includes("dormant") ? { dormantAfterMs: 0 } : {};
    const { executor, store, clock } = setUp({ workflows, ...dormant });
    await executor.execute(collect, { id: "a" });
    await settle();
    const isHere = /here|dormant/.test(where);
    if (where.includes("no executor")) await executor.close();
    const other = isHere ? executor : new Executor({ store, clock, workflows });
    await executor.signal("a", item, "before").catch(() => {});
    const handle = await other.execute(collect, { ...join, signals: send("x", "y") });
    await other.execute(collect, { ...join, signals: send("z") });
    assertEquals(ofType((await store.load("a"))!.history, "workflow_started").length, 1);
    if (where.includes("no executor")) await other.recover();
    await other.signal("a", item, "end");
    const before = where.includes("no executor") ? [] : ["before"];
    assertEquals(await handle.result(), [...before, "x", "y", "z"]);
    await Promise.all([executor.close(), other.close()]);
  });
}

Deno.test("Executor.execute() with signals starts a new run when the running one ends before it gets them", async () => {
  for (let pause = 0; pause < 8; pause++) {
    const { executor, store } = setUp({ workflows });
    const first = await executor.execute(collect, { id: "a" });
    const ended = executor.signal("a", item, "end");
    for (let i = 0; i < pause; i++) await null;
    const handle = await executor.execute(collect, { ...join, signals: send("x", "end") });
    await ended;
    const got = [await first.result(), await handle.result()];
    // Either the first run has stored them before its end, or the next run has them.
    const joined = handle.runId === first.runId;
    assertEquals([got[0], joined || got[1].length === 1], [[], true], `pause ${pause}`);
    const { history } = (await store.load("a"))!;
    assertEquals(ofType(history, "signal_received").length, joined ? 3 : 2, `pause ${pause}`);
    await executor.close();
  }
});

Deno.test("Executor.execute() with signals and onConflict reject or replace", async () => {
  const { executor, store } = setUp();
  await executor.execute(collect, { id: "a" });
  const error = await assertRejects(() => executor.execute(collect, { id: "a", signals: send("x") }), WorkflowError);
  assertEquals([error.code, (await store.load("a"))!.history.length], ["already_running", 1]);
  const handle = await executor.execute(collect, { id: "a", onConflict: "replace", signals: send("x", "end") });
  assertEquals(await handle.result(), ["x"]);
  await executor.close();
});

Deno.test("Executor.execute() with signals rejects when it joins a finished workflow, unless that has stored them", async () => {
  const { executor } = setUp();
  const options = { ...join, reuse: "join", signals: [{ name: item, payload: "end", signalId: "1" }] } as const;
  const handle = await executor.execute(collect, options);
  assertEquals(await handle.result(), []);
  assertEquals(await (await executor.execute(collect, options)).result(), []);
  const late = () => executor.execute(collect, { ...options, signals: send("x") });
  const error = await assertRejects(late, WorkflowError, 'Cannot signal workflow "a": its status is "completed"');
  assertEquals(error.code, "not_found");
  await executor.close();
});

Deno.test("Executor.execute() with signals starts one run, and stores each signal once, whatever the store does and whoever calls", async () => {
  for (let seed = 1; seed <= 40; seed++) {
    const random = seeded(seed);
    const inner = new InMemoryStore();
    const faults = { failBefore: 0.15, failAfter: 0.15, conflict: 0.15 };
    const options = { workflows, storeRetry: { maxAttempts: 50, initialIntervalMs: 0 } };
    const executors = [0, 1].map((i) =>
      new Executor({ ...options, store: new FaultyStore(inner, { seed: 2 * seed + i, ...faults }) })
    );
    const started: Promise<unknown>[] = [];
    for (let i = 0; i < 10; i++) {
      const executor = executors[Math.floor(random() * 2)];
      const signals = [{ name: item, payload: `${i % 5}`, signalId: `${i % 5}` }];
      started.push(executor.execute(collect, { ...join, signals }));
      if (random() < 0.3) await macrotasks(random() * 4);
    }
    await Promise.all(started);
    await executors[0].signal("a", item, "end");
    const got = await (await executors[1].handle("a")).result() as string[];
    assertEquals(got.toSorted(), ["0", "1", "2", "3", "4"], `seed ${seed}`);
    await Promise.all(executors.map((executor) => executor.close()));
  }
});

Deno.test("Executor.execute() with signals to a workflow that starts later keeps them", async () => {
  const { executor, clock } = setUp();
  const handle = await executor.execute(collect, { ...join, startAfterMs: 1000, signals: send("x", "end") });
  assertEquals([await handle.result(), clock.now()], [["x"], 1000]);
  await executor.close();
});

Deno.test("Executor.execute() refuses bad signals at the call", async () => {
  const { executor, store } = setUp();
  const bad: [signals: unknown, message: string][] = [
    [{}, 'Cannot execute workflow "a": "signals" must be an array, got an Object'],
    [new Array(3), 'Cannot execute workflow "a": "signals[0]" must be an object, got undefined'],
    [[7], 'Cannot execute workflow "a": "signals[0]" must be an object, got 7'],
    [[{ name: "x" }, {}], 'Cannot execute workflow "a": "signals[1].name" must be a non-empty string, got undefined'],
    [[{ name: "x", id: "1" }], 'Cannot execute workflow "a": "signals[0]" has no option "id"'],
    [[{ name: "x", signalId: "" }], 'Cannot execute workflow "a": "signalId" must be a non-empty string, got ""'],
    [
      [{ name: "x", signalId: "~1" }],
      'Cannot execute workflow "a": "signalId" must be a string that does not begin with "~"',
    ],
    [[{ name: "x", senderId: 5 }], 'Cannot execute workflow "a": "senderId" must be a string, got 5'],
    [[{ name: "x", payload: () => {} }], 'Cannot store payload of signal "x": a function "payload" cannot be stored'],
  ];
  for (const [signals, message] of bad) {
    await assertRejects(() => executor.execute(collect, { id: "a", signals: signals as [] }), TypeError, message);
  }
  assertEquals(await store.load("a"), null);
  await executor.close();
});

Deno.test('Executor.execute() with reuse "replace-failed" replaces what failed or was canceled, and refuses what completed', async () => {
  const { executor } = setUp();
  const reuse = "replace-failed";
  const fail = () => Promise.reject(new Error("no luck"));
  const run = (workflow: Workflow, id: string) => executor.execute(workflow, { id, reuse });
  await (await run(fail, "a")).result().catch(() => {});
  const canceled = await run(collect, "b");
  await canceled.cancel();
  await canceled.result().catch(() => {});
  for (const id of ["a", "b"]) {
    assertEquals(await (await run(() => id, id)).result(), id);
    const error = await assertRejects(() => run(() => id, id), WorkflowError);
    assertEquals([error.code, error.message], [
      "already_finished",
      `Cannot execute workflow "${id}": its status is "completed", and "reuse" is "replace-failed"`,
    ]);
  }
  await executor.close();
});
