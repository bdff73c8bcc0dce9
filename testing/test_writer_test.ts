/** `toTest()`: the source that it writes is formatted, type-checks and passes. */

import { assert, assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { Executor, InMemoryStore, VirtualClock, type WorkflowEvent, type WorkflowState } from "@rockpool/workflow";
import { historyFromText, historyToText, toTest, type ToTestOptions } from "@rockpool/workflow/testing";
import { expense } from "../examples/approval.ts";
import { account } from "../examples/entity.ts";
import { wordCount } from "../examples/fan_out.ts";
import { mutex, newMutex, printJob } from "../examples/mutex.ts";
import { poll } from "../examples/polling.ts";
import { trip } from "../examples/saga.ts";
import { subscription } from "../examples/subscription.ts";
import { macrotasks } from "../tests/support/executors.ts";
import { errors, failing, parent, passing, racing, real } from "../tests/support/recorded_workflows.ts";
import { TempFolder } from "../tests/support/temp_files.ts";
import { SourceWriter, statement } from "./source.ts";

const root = new URL("../", import.meta.url);
const workflows = {
  expense,
  account,
  wordCount,
  mutex,
  printJob,
  poll,
  trip,
  subscription,
  failing,
  parent,
  passing,
  racing,
};
const own = "tests/support/recorded_workflows.ts";
const modules: Readonly<Record<string, string>> = {
  expense: "examples/approval.ts",
  account: "examples/entity.ts",
  wordCount: "examples/fan_out.ts",
  printJob: "examples/mutex.ts",
  poll: "examples/polling.ts",
  trip: "examples/saga.ts",
  subscription: "examples/subscription.ts",
};

const DAY_MS = 86_400_000;

/** Makes stored runs: `body` starts and messages workflows; the executor is replaced by another one at each time of `crashes`. */
async function record(
  body: (executor: () => Executor, clock: VirtualClock) => Promise<unknown>,
  crashes: readonly number[] = [],
): Promise<InMemoryStore> {
  const clock = new VirtualClock({ startAt: Date.UTC(2026, 0, 1), autoAdvance: false });
  const store = new InMemoryStore({ clock });
  const open = () => new Executor({ store, clock, workflows });
  let executor = open();
  for (const at of crashes) {
    clock.at(at, async () => {
      await executor.close();
      executor = open();
      await executor.recover();
    });
  }
  await body(() => executor, clock);
  await executor.close();
  return store;
}

/** What `toTest()` has written, to be type-checked together at the end: a check takes far longer than the tests. */
const written: Record<string, string> = {};

async function deno(...args: string[]): Promise<void> {
  const command = new Deno.Command(Deno.execPath(), { args, env: { NO_COLOR: "1" } });
  const { success, stdout, stderr } = await command.output();
  const text = new TextDecoder();
  assert(success, `deno ${args[0]}\n${text.decode(stdout)}\n${text.decode(stderr)}`);
}

/** The names of the package, and of what tests use. */
const names = [
  `--config=${new URL("deno.json", root).pathname}`,
  `--import-map=${new URL("tools/std/import_map.json", root).pathname}`,
];

/** Writes the files of tests into a folder outside of the tree, which others may read meanwhile. */
async function withFiles(
  sources: Readonly<Record<string, string>>,
  body: (...files: string[]) => Promise<void>,
): Promise<void> {
  await using folder = new TempFolder();
  await Deno.writeTextFile(`${folder.path}/deno.json`, "{}"); // the width of lines is the default
  const files = Object.entries(sources).map(([name, source]) => {
    const file = `${folder.path}/${name}_test.ts`;
    Deno.writeTextFileSync(file, source);
    return file;
  });
  await body(...files);
}

/** Checks the format of tests that `toTest()` has written, and runs them. */
async function runAll(sources: Readonly<Record<string, string>>): Promise<void> {
  Object.assign(written, sources);
  await withFiles(sources, async (...files) => {
    await deno("fmt", "--check", `--config=${files[0].replace(/[^/]+$/, "deno.json")}`, ...files);
    await deno("test", "--no-check", ...names, ...files);
  });
}

/** The source of the test of a stored run. */
async function sourceOf(store: InMemoryStore, id: string, options: ToTestOptions = {}): Promise<string> {
  const state = (await store.load(id))!;
  const module = new URL(modules[state.workflowName] ?? own, root).href;
  const all = await store.list();
  return toTest(state, { module, children: all.filter(({ workflowId }) => workflowId === "child"), ...options });
}

Deno.test("toTest() writes tests of runs of the examples that are formatted, type-check and pass", async () => {
  const sources: Record<string, string> = {};
  const add = async (store: InMemoryStore, ids: readonly string[]) => {
    for (const id of ids) sources[id.replaceAll(" ", "_")] = await sourceOf(store, id);
  };
  await add(
    await record(async (executor, clock) => {
      for (const [what, euros] of [["pencils", 12], ["a chair", 340], ["a boat", 9000], ["a lamp", 80]] as const) {
        await executor().execute(expense, { id: what, input: { what, euros }, labels: { kind: "expense" } });
      }
      await executor().signal("a lamp", "decided", { approved: true, by: "Mara" }, { senderId: "Mara" });
      clock.at(4 * DAY_MS, () => executor().signal("a chair", "decided", { approved: true, by: "Ada" }));
      await clock.advance(20 * DAY_MS);
    }, [2 * DAY_MS]),
    ["pencils", "a chair", "a boat", "a lamp"],
  );
  await add(
    await record(async (executor, clock) => {
      await executor().execute(trip, { id: "porto", input: ["flight", "hotel"] });
      await executor().execute(wordCount, { id: "poems", input: ["dawn", "rain", "noon"] });
      await executor().execute(account, { id: "ada", input: { balance: 0, runs: 0 } });
      for (const amount of [500, -120, 75, 30]) {
        await executor().update("ada", "move", amount, { updateId: `u${amount}` });
      }
      await executor().execute(subscription, { id: "plan", input: { name: "small", euros: 10 } });
      await executor().execute(poll, { id: "polled", input: { job: "x", giveUpAfterMs: 100_000 } }).catch(() => {});
      await executor().execute(mutex, { id: "printer", input: newMutex });
      for (const id of ["a", "b", "c"]) await executor().execute(printJob, { id, input: 2 });
      clock.at(12_000, () => executor().terminate("b", "no paper"));
      clock.at(13_000, () => executor().cancel("c", "not needed"));
      await clock.advance(100 * DAY_MS);
    }),
    ["porto", "poems", "ada", "plan", "polled", "a", "b", "c"],
  );
  await runAll(sources);
});

Deno.test("toTest() repeats the order of what happened at one time, late timers, children and messages", async () => {
  const sources: Record<string, string> = {};
  const delays: Record<string, number> = { a: 30, b: 10, c: 10, x: 25, y: 5, z: 20 };
  const store = await record(async (executor, clock) => {
    const startedAt = clock.now();
    real.value = (name) =>
      new Promise((resolve) =>
        clock.at(clock.now() - startedAt + delays[`${name}`], () => {
          resolve(name);
          return macrotasks(2);
        })
      );
    const names = ["a", "b", "c", "z"];
    const handle = await executor().execute(racing, {
      id: "race",
      input: names,
      signals: [{ name: "note", payload: "first" }],
    });
    clock.at(10, () => handle.signal("note", "ten"));
    clock.at(20, () => void handle.update("stamp", "twenty", { updateId: "u1" }));
    await executor().execute(() => new Promise(() => {}), { id: "stranger" });
    await executor().execute(parent, { id: "parent", input: 7 });
    await clock.advance(1000);
    assertEquals(handle.status, "completed");
  });
  sources.race = await sourceOf(store, "race");
  sources.parent = await sourceOf(store, "parent", { runner: "node" });
  // A timer that fired late, after a signal: the process was down.
  const history = (await store.load("race"))!.history;
  const fired = history.findIndex(({ type }) => type === "timer_fired");
  const note = history.findIndex((event) => event.type === "signal_received" && event.payload === "ten");
  assert(note < fired);
  const late = history.map((event, i) => i === note || i >= fired ? { ...event, at: event.at + 500 } : event);
  const state = (await store.load("race"))!;
  sources.late = toTest({
    ...state,
    history: late.map((event, i) => i > note && i < fired ? { ...event, at: late[note].at } : event),
  }, {
    module: new URL(own, root).href,
  });
  await runAll(sources);
});

Deno.test("toTest() repeats a run whose code took time, and that got signals when it had ended already", async () => {
  const delays: Record<string, number> = { a: 30, b: 10, c: 10, d: 19, e: 21 };
  const store = await record(async (executor, clock) => {
    const startedAt = clock.now();
    real.value = (name) =>
      new Promise((resolve) =>
        clock.at(clock.now() - startedAt + delays[`${name}`], () => {
          resolve(name);
          return macrotasks(2);
        })
      );
    const handle = await executor().execute(racing, { id: "slow", input: Object.keys(delays) });
    clock.at(15, () => handle.signal("note", "fifteen"));
    await clock.advance(1000);
  });
  const state = (await store.load("slow"))!;
  let lag = 0;
  const history = state.history.flatMap((event): WorkflowEvent[] => {
    if ("seq" in event && event.type.endsWith("_started")) lag += 7; // each command was recorded late, and all that follows
    const late = { ...event, at: event.at + lag };
    if (late.type === "timer_started") return [{ ...late, dueAt: late.dueAt + lag }];
    if (late.type === "timer_fired") return [{ ...late, at: late.at + 1 }];
    if (late.type !== "workflow_completed") return [late];
    const unseen = { type: "signal_received", at: late.at, name: "note", payload: "late", signalId: "~1" } as const;
    return [unseen, { ...late, at: late.at + 50 }];
  });
  const source = toTest({ ...state, history }, { module: new URL(own, root).href });
  await runAll({ slow: source });
});

Deno.test("toTest() repeats errors of every kind, and every way to end", async () => {
  const sources: Record<string, string> = {};
  const store = await record(async (executor, clock) => {
    real.value = (input, attempt) => {
      if (input === "timeout") return new Promise(() => {});
      const kinds = Object.keys(errors);
      if (input === "activity") throw errors[kinds[attempt - 1]]();
      if (typeof input === "string") throw errors[input]();
      return input;
    };
    for (const how of ["value", "activity", "timeout", "wait", "other"]) {
      await executor().execute(failing, { id: how, input: how });
    }
    for (const kind of Object.keys(errors)) await executor().execute(passing, { id: `error_${kind}`, input: kind });
    await executor().execute(failing, { id: "deadline", input: "wait", timeoutMs: 77 });
    clock.at(40, () => executor().cancel("wait", "no need"));
    await clock.advance(10_000);
  });
  for (const { workflowId } of await store.list()) sources[workflowId] = await sourceOf(store, workflowId);
  assertStringIncludes(sources.activity, 'name: "CardDeclined"');
  await runAll(sources);
});

/** Values that JSON does not have, and long ones. */
function values(): Record<string, unknown> {
  const cycle: Record<string, unknown> = { name: "cycle", "odd key": new Map([[1, "a"]]), list: [1] };
  cycle.self = cycle;
  (cycle.list as unknown[]).push(cycle, { cycle });
  let shared: unknown = { leaf: true };
  for (let i = 0; i < 20; i++) shared = [shared, shared];
  const hole: unknown[] = [1];
  hole[3] = "d";
  return {
    numbers: [NaN, -0, 0, Infinity, -Infinity, 1e300, 0.1, -5],
    bigints: [5n, -5n],
    undefined: { a: undefined, b: [undefined, null] },
    texts: ['"', "'", "\"'", "`${x}`", "\u0007\n\u2028\ud800é", "a".repeat(200), "", "\\"],
    date: [new Date(0), new Date(NaN), new Date(Date.UTC(2026, 1, 3))],
    map: new Map<unknown, unknown>([["a", new Set([1, 2])], [{ deep: "key" }, new Map()]]),
    bytes: [new Uint8Array([1, 2, 255]), new Float64Array([0.5, -0]), new BigInt64Array([7n]), new Uint8Array()],
    long: new Uint8Array(100).map((_, i) => i),
    buffer: [new Uint8Array([1, 2]).buffer, new DataView(new Uint8Array([3]).buffer)],
    regexp: [/a"b/gi, /\//],
    error: [new RangeError("no"), Object.assign(new Error("x"), { code: 7 })],
    keys: { "a-b": 1, 1: 2, class: 3, $x: 4, "": 5 },
    nested: { a: { b: { c: [{ d: "some text that is long" }, { e: "another text that is long as well" }] } } },
    matrix: [[1, 2, 3], [4, 5, 6], Array.from({ length: 30 }, (_, i) => i)],
    hole,
    cycle,
    shared,
    boxed: [Object(1), Object("s")],
    empty: [{}, [], new Map(), new Set()],
  };
}

Deno.test("toTest() writes values that JSON does not have", async () => {
  const store = await record(async (executor, clock) => {
    real.value = (input) => ({ got: input });
    for (const [id, input] of Object.entries(values())) await executor().execute(passing, { id, input });
    await clock.advance(10);
  });
  const sources: Record<string, string> = {};
  for (const { workflowId, status } of await store.list()) {
    assertEquals(status, "completed", workflowId);
    sources[workflowId] = await sourceOf(store, workflowId);
  }
  await runAll(sources);
});

Deno.test("toTest() needs no more of a run than a history file holds", async () => {
  const store = await record(async (executor, clock) => {
    await executor().execute(failing, { id: "wait", input: "wait", headers: { trace: "1" }, startAfterMs: 100 });
    await clock.advance(1000);
  });
  const state = historyFromText(historyToText((await store.load("wait"))!));
  const source = toTest(state, { module: new URL(own, root).href });
  assertStringIncludes(source, 'assert.strictEqual(handle.status, "running");');
  await runAll({ wait: source });
});

Deno.test("toTest() writes the heartbeats of an attempt with that attempt, and an update that was stored twice once", () => {
  const at = (ms: number, event: object) => ({ at: ms, ...event }) as WorkflowEvent;
  const history = [
    at(0, { type: "workflow_started", workflowName: "trip" }),
    at(0, { type: "activity_started", seq: 0, name: "book" }),
    at(10, { type: "activity_heartbeat", seq: 0, details: 1 }),
    at(20, {
      type: "activity_attempt_failed",
      seq: 0,
      attempt: 1,
      retryAt: 30,
      error: { name: "Error", message: "busy" },
    }),
    at(40, { type: "activity_completed", seq: 0, result: 1 }),
    at(40, { type: "activity_started", seq: 1, name: "mail" }),
    at(45, { type: "activity_failed", seq: 1, attempt: 0, error: { name: "TimeoutError", message: "no slot" } }),
    at(50, { type: "update_requested", updateId: "u", name: "pay", input: 1 }),
    at(50, { type: "update_accepted", updateId: "u", name: "pay", input: 1 }),
    at(50, { type: "update_completed", updateId: "u", result: 1 }),
    at(60, { type: "workflow_completed", result: 1 }),
  ];
  const [workflowId, runId, workflowName] = ["a", "1", "trip"];
  const state: WorkflowState = {
    ...{ workflowId, runId, workflowName, status: "completed", result: 1 },
    ...{ createdAt: 0, updatedAt: 60, history },
  };
  const source = toTest(state);
  assertEquals([source.split("heartbeats:").length, source.split("executor.update(").length], [2, 2]);
  assertEquals([source.includes('replace("mail"'), source.includes("no slot")], [true, false], "no attempt was made");
});

Deno.test("toTest() has the placeholders as options", async () => {
  const store = await record(async (executor) => {
    await executor().execute(failing, { id: "order 7\n", input: "wait" });
  });
  const state = (await store.load("order 7\n"))!;
  const source = toTest(state, { module: "../src/it's.ts", workflow: "order", runner: "node" });
  assertStringIncludes(source, `import { order } from "../src/it's.ts";`);
  assertStringIncludes(source, `import test from "node:test";`);
  assertStringIncludes(source, "workflows: { failing: order }");
  assertStringIncludes(toTest({ ...state, workflowName: "a-b" }), 'import { workflow } from "./workflow.ts";');
});

Deno.test("toTest() refuses bad arguments and what no source can make", async () => {
  const store = await record(async (executor) => {
    await executor().execute(failing, { id: "a", input: new Blob(["x"]) as never });
  });
  const state = (await store.load("a"))!;
  const cases: [unknown, unknown, string][] = [
    [null, {}, 'Cannot write a test: "state" must be an object, got null'],
    [
      { ...state, history: [] },
      {},
      'Cannot write a test of workflow "a": its history does not begin with workflow_started',
    ],
    [state, { modul: "x" }, 'did you mean "module"?'],
    [state, { module: "" }, '"module" must be a non-empty string, got ""'],
    [state, { runner: "jest" }, '"runner" must be one of "deno", "node", got "jest"'],
    [state, { children: [5] }, '"children[0]" must be an object, got 5'],
    [state, {}, "Cannot write a Blob as source: no expression makes it"],
  ];
  for (const [given, options, message] of cases) {
    assertThrows(() => toTest(given as WorkflowState, options as ToTestOptions), TypeError, message);
  }
});

Deno.test("SourceWriter.value() writes an expression of the same value", async () => {
  for (const [name, value] of Object.entries(values())) {
    if (["error", "cycle", "shared"].includes(name)) continue; // compared by toTest()
    const source = statement("", new SourceWriter().value(value), "");
    const js = source.replaceAll("<unknown, unknown>", "");
    assertEquals(await (0, eval)(`(${js})`), value, name);
  }
});

Deno.test("toTest() writes sources that type-check", async () => {
  assert(Object.keys(written).length > 30);
  await withFiles(written, (...files) => deno("check", ...names, ...files));
});
