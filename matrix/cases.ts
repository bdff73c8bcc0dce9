/**
 * What must work on every runtime: the scenario of the matrix. Web standards only, and no test runner.
 *
 * 1. A case is one function, or several: on a runtime of requests, such as workerd, each function is called in a request of its
 *    own. A case throws if it fails.
 * 2. Cases share this module, and nothing else but the executor at module scope.
 * 3. Nothing here needs new syntax: Node 20 has no `using`.
 *
 * @module
 */

import {
  type ActivityContext,
  Executor,
  type ExecutorOptions,
  InMemoryStore,
  RWLock,
  VirtualClock,
  type WorkflowContext,
} from "@rockpool/workflow";
import { every, type Occurrence, schedule } from "@rockpool/workflow/schedule";
import { crashTest } from "@rockpool/workflow/testing";

/** One case. */
export interface Case {
  /** What works, as people call it. */
  readonly name: string;
  /** What is called, one after the other. */
  readonly requests: readonly (() => unknown)[];
}

const DAY_MS = 86_400_000;

/** An executor at module scope, where workerd allows no random numbers, timers or I/O. The other cases run although it fails. */
const shared = attempt(() => new Executor({ store: new InMemoryStore() }));

/** Returns a function that returns what `make` has returned, or throws what it has thrown. */
function attempt<T>(make: () => T): () => T {
  try {
    const made = make();
    return () => made;
  } catch (error) {
    return () => {
      throw error;
    };
  }
}

/** Throws if two plain values differ. */
function expect(actual: unknown, wanted: unknown): void {
  const [is, want] = [JSON.stringify(actual), JSON.stringify(wanted)];
  if (is !== want) throw new Error(`Expected ${want}, got ${is}`);
}

/** Returns what a promise rejects with. */
async function rejection(promise: Promise<unknown>): Promise<unknown> {
  try {
    await promise;
  } catch (error) {
    return error;
  }
  throw new Error("Expected a rejection");
}

/** Calls `body` with an executor of its own, and closes the executor. */
async function withExecutor<T>(options: ExecutorOptions, body: (executor: Executor) => Promise<T>): Promise<T> {
  const executor = new Executor(options);
  try {
    return await body(executor);
  } finally {
    await executor.close();
  }
}

/** Waits in real time until the condition holds. */
async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  while (!await condition()) await new Promise((resolve) => setTimeout(resolve, 1));
}

/** An activity that returns at once. */
const quick = (name: string): string => `quick ${name}`;

/** An activity that waits for a timer of the runtime. */
async function slow(name: string): Promise<string> {
  await new Promise((resolve) => setTimeout(resolve, 1));
  return `slow ${name}`;
}

async function twoActivities(ctx: WorkflowContext, name: string): Promise<string> {
  const first = await ctx.executeActivity(quick, name);
  return `${first}, ${await ctx.executeActivity(slow, name)}`;
}

async function quickStart(): Promise<void> {
  const executor = new Executor({ store: new InMemoryStore() });
  const handle = await executor.execute((_ctx: WorkflowContext, input: string) => `processed: ${input}`, {
    id: "test-wf-1",
    input: "hello",
  });
  expect(await handle.result(), "processed: hello");
}

async function retry(): Promise<void> {
  const attempts: number[] = [];
  const flaky = (_input: null, { attempt }: ActivityContext) => {
    attempts.push(attempt);
    if (attempt < 3) throw new Error("busy");
    return "done";
  };
  await withExecutor({ clock: new VirtualClock() }, async (executor) => {
    const handle = await executor.execute((ctx) => ctx.executeActivity(flaky, null, { retry: { maxAttempts: 5 } }));
    expect([await handle.result(), attempts], ["done", [1, 2, 3]]);
  });
}

async function signal(): Promise<void> {
  async function collect(ctx: WorkflowContext): Promise<string> {
    const names: string[] = [];
    for await (const name of ctx.receiveSignal<string>("name")) {
      names.push(name);
      if (names.length === 3) break;
    }
    return names.join();
  }
  await withExecutor({}, async (executor) => {
    const handle = await executor.execute(collect, { id: "a" });
    for (const name of ["Ada", "Grace", "Mary"]) await executor.signal("a", "name", name);
    expect(await handle.result(), "Ada,Grace,Mary");
  });
}

async function crashAndRecover(): Promise<void> {
  const runs: string[] = [];
  const step = (name: string) => void runs.push(name);
  async function journey(ctx: WorkflowContext, input: { readonly tags: ReadonlySet<string> }): Promise<string> {
    await ctx.executeActivity(step, "first");
    const by = await ctx.waitForSignal<string>("go");
    await ctx.sleep(30 * DAY_MS);
    await ctx.executeActivity(step, "second");
    return `${[...input.tags]} by ${by} on day ${ctx.now() / DAY_MS}`;
  }
  const options = { store: new InMemoryStore(), clock: new VirtualClock(), workflows: { journey } };
  await withExecutor(options, async (executor) => {
    await executor.execute(journey, { id: "a", input: { tags: new Set(["x"]) } });
    await until(async () => (await executor.describe("a", { history: true })).history.length >= 3);
  });
  await withExecutor(options, async (executor) => {
    const [handle] = await executor.recover();
    await executor.signal("a", "go", "eve");
    expect([await handle.result(), runs], ["x by eve on day 30", ["first", "second"]]);
  });
}

async function virtualMonth(): Promise<void> {
  const clock = new VirtualClock();
  await withExecutor({ clock }, async (executor) => {
    const handle = await executor.execute(async function month(ctx: WorkflowContext) {
      for (let day = 0; day < 30; day++) await ctx.sleep(DAY_MS);
      return ctx.now();
    });
    expect([await handle.result(), clock.now()], [30 * DAY_MS, 30 * DAY_MS]);
  });
}

async function realTime(): Promise<void> {
  await withExecutor({}, async (executor) => {
    const handle = await executor.execute(async function nap(ctx: WorkflowContext) {
      const before = ctx.now();
      await ctx.sleep(20);
      return ctx.now() - before >= 20;
    });
    expect(await handle.result(), true);
  });
}

async function abort(): Promise<void> {
  const reasons: string[] = [];
  const endless = (_input: null, { signal }: ActivityContext) =>
    new Promise<never>((_, reject) =>
      signal.addEventListener("abort", () => {
        reasons.push(signal.reason.code);
        reject(signal.reason);
      })
    );
  await withExecutor({}, async (executor) => {
    let started = false;
    const handle = await executor.execute((ctx) => {
      started = true;
      return ctx.executeActivity(endless, null);
    }, { id: "a" });
    const caller = new AbortController();
    const waiting = rejection(handle.result({ signal: caller.signal }));
    caller.abort();
    expect((await waiting as Error).name, "AbortError");
    await until(() => started && executor.openRuns().length > 0);
    await executor.cancel("a");
    const error = await rejection(handle.result()) as { code?: string };
    expect([error.code, reasons], ["canceled", ["canceled"]]);
  });
}

async function contendedLock(): Promise<void> {
  const lock = new RWLock();
  let inside = 0;
  let total = 0;
  const tasks = Array.from({ length: 1000 }, (_, i) =>
    i % 10 > 0 ? lock.read(() => total) : lock.write(async () => {
      if (++inside > 1) throw new Error("Two writers at once");
      const before = total;
      await null;
      total = before + 1;
      inside--;
    }));
  const late = new AbortController();
  const waiter = rejection(lock.write(() => total = 0, { signal: late.signal }));
  late.abort("too late");
  await Promise.all(tasks);
  expect([total, await waiter], [100, "too late"]);
}

async function approval(ctx: WorkflowContext): Promise<string> {
  return await ctx.waitForSignal<string>("approved");
}

async function snapshotAndRestore(): Promise<void> {
  const store = new InMemoryStore();
  await withExecutor({ store }, (executor) => executor.execute(approval, { id: "order-7" }));
  const restored = InMemoryStore.restore(await store.snapshot());
  await withExecutor({ store: restored, workflows: { approval } }, async (executor) => {
    const [handle] = await executor.recover();
    await executor.signal("order-7", "approved", "Ada");
    expect([await handle.result(), await restored.count({ status: "completed" })], ["Ada", 1]);
  });
}

async function crashAtEveryPoint(): Promise<void> {
  const done = new Set<string>();
  const step = (name: string) => void done.add(name);
  async function twoSteps(ctx: WorkflowContext): Promise<string> {
    await ctx.executeActivity(step, "first");
    await ctx.waitForSignal("go");
    await ctx.executeActivity(step, "second");
    return "done";
  }
  const { points, undisturbed } = await crashTest(twoSteps, {
    signals: [{ atMs: DAY_MS, name: "go" }],
    setUp: () => done.clear(),
    effects: () => [...done],
  });
  expect([undisturbed.result, points > 10], ["done", true]);
}

async function scheduleOfDays(): Promise<void> {
  const days: number[] = [];
  const report = (ctx: WorkflowContext, { dueAt }: Occurrence) =>
    ctx.executeActivity((day: number) => void days.push(day), dueAt / DAY_MS, { name: "write" });
  const nightly = schedule(report, { rule: every(DAY_MS), maxRuns: 7 });
  await withExecutor({ clock: new VirtualClock(), workflows: { nightly, report } }, async (executor) => {
    await (await executor.execute(nightly, { id: "nightly" })).result();
    expect(days, [0, 1, 2, 3, 4, 5, 6]);
  });
}

async function watch(): Promise<void> {
  const store = new InMemoryStore();
  const changes = store.watch({ id: "a" });
  const statuses: unknown[] = [];
  const reading = (async () => {
    for await (const { state } of changes) {
      statuses.push(state?.status);
      if (state?.status === "completed") break;
    }
  })();
  await withExecutor({ store }, async (executor) => {
    await (await executor.execute(twoActivities, { id: "a", input: "a" })).result();
    await reading;
  });
  expect([statuses[0], statuses.at(-1)], ["running", "completed"]);
}

async function storedErrors(): Promise<void> {
  const fail = () => {
    const cause = new TypeError("inner", { cause: { code: 7 } });
    throw new AggregateError([new RangeError("member")], "outer", { cause });
  };
  await withExecutor({}, async (executor) => {
    const handle = await executor.execute((ctx) => ctx.executeActivity(fail, null));
    for (const read of [handle, await executor.handle(handle.id)]) {
      const error = await rejection(read.result()) as AggregateError;
      const cause = error.cause as TypeError;
      const seen = [error instanceof AggregateError, error.message, error.errors[0].name, cause?.name, cause?.cause];
      expect(seen, [true, "outer", "RangeError", "TypeError", { code: 7 }]);
    }
    // An error that is not thrown, but returned as a value.
    const returned = await executor.execute(() => ({ error: new Error("outer", { cause: new Error("inner") }) }));
    const { error } = await returned.result();
    expect([error.message, (error.cause as Error)?.message], ["outer", "inner"]);
  });
}

async function threeRuns(): Promise<void> {
  await withExecutor({}, async (executor) => {
    const handles = await Promise.all(
      ["a", "b", "c"].map((id) => executor.execute(twoActivities, { id, input: id })),
    );
    const results = await Promise.all(handles.map((handle) => handle.result()));
    expect(results, ["quick a, slow a", "quick b, slow b", "quick c, slow c"]);
  });
}

/** A turn ends when all microtasks have drained: later code of the branch must not see the next event earlier. */
async function microtasksFirst(): Promise<void> {
  async function branches(ctx: WorkflowContext): Promise<string> {
    const order: string[] = [];
    const branch = async (name: string) => {
      await ctx.executeActivity(quick, `a${name}`);
      await null;
      await null;
      await null;
      order.push(await ctx.executeActivity(quick, `b${name}`));
    };
    await Promise.all([branch("1"), branch("2")]);
    return order.join();
  }
  const { undisturbed } = await crashTest(branches); // replays at every point
  expect(undisturbed.result, "quick b1,quick b2");
  await withExecutor({}, async (executor) => {
    expect(await (await executor.execute(branches)).result(), "quick b1,quick b2");
  });
}

/** Three requests use one executor. */
const moduleScope = [
  async () => {
    const handle = await shared().execute(twoActivities, { id: "first", input: "first" });
    expect(await handle.result(), "quick first, slow first");
  },
  async () => {
    await shared().execute(twoActivities, { id: "left", input: "left" });
    // The request ends while the run is in the middle of a turn. What it waits for may never come.
  },
  async () => {
    const handle = await shared().execute(twoActivities, { id: "second", input: "second" });
    expect(await handle.result(), "quick second, slow second");
  },
];

/** The scenario, in the order of the table. */
export const scenario: readonly Case[] = [
  { name: "quick start", requests: [quickStart] },
  { name: "retry", requests: [retry] },
  { name: "signal", requests: [signal] },
  { name: "crash and recover", requests: [crashAndRecover] },
  { name: "30 virtual days", requests: [virtualMonth] },
  { name: "sleep in real time", requests: [realTime] },
  { name: "abort", requests: [abort] },
  { name: "1,000 contended lock tasks", requests: [contendedLock] },
  { name: "snapshot and restore", requests: [snapshotAndRestore] },
  { name: "crashTest", requests: [crashAtEveryPoint] },
  { name: "schedule", requests: [scheduleOfDays] },
  { name: "watch", requests: [watch] },
  { name: "stored errors", requests: [storedErrors] },
  { name: "three runs at once", requests: [threeRuns] },
  { name: "microtasks before the next event", requests: [microtasksFirst] },
  { name: "executor at module scope, shared by requests", requests: moduleScope },
];

/** Leaves an executor open whose run waits for a signal. The process must end nevertheless. */
export async function leaveOpen(): Promise<void> {
  await new Executor({ store: new InMemoryStore() }).execute(approval, { id: "waits for ever" });
}
