import { assertEquals, assertRejects, assertStringIncludes, assertThrows } from "@std/assert";
import { Executor, InMemoryStore } from "@rockpool/workflow";
import { crashTest, CrashTestError } from "@rockpool/workflow/testing";
import { ApplicationFailure, proxyActivities, sleep, TemporalHost, workflowInfo } from "./mod.ts";
import { settle } from "../tests/support/executors.ts";
import { failure, once, result, run } from "../tests/temporal/run.ts";

Deno.test("TemporalHost refuses unknown options, and names of workflows that it has not", () => {
  assertThrows(() => new TemporalHost({ workflow: {} } as never), TypeError, 'no option "workflow"');
  assertThrows(() => new TemporalHost({ workflows: 1 } as never), TypeError, '"workflows" must be');
  const host = new TemporalHost({ workflows: { a: () => {}, VERSION: 3 } });
  assertThrows(
    () => host.workflow("b"),
    TypeError,
    'Cannot run workflow "b": the host has no such workflow; it has "a"',
  );
});

Deno.test("TemporalHost.workflow() takes a name or a function, and gives it the name under which it is exported", () => {
  const named = () => {};
  const host = new TemporalHost({ workflows: { exported: named } });
  assertEquals([host.workflow("exported"), host.workflow(named as never)].map(({ name }) => name), [
    "exported",
    "exported",
  ]);
});

Deno.test("TemporalHost runs default for names that it has not", async () => {
  const host = new TemporalHost({
    workflows: { default: (n: number) => Promise.resolve([workflowInfo().workflowType, n]) },
  });
  const executor = new Executor(host.executorOptions);
  const handle = await executor.execute(host.workflow("any"), { input: [1] });
  assertEquals(await handle.result(), ["any", 1]);
  await executor.close();
});

Deno.test("TemporalHost: another process resumes a workflow", async () => {
  const store = new InMemoryStore();
  const { act } = proxyActivities<{ act(): Promise<string> }>({ startToCloseTimeout: "1 minute" });
  const make = (answer: () => unknown) => {
    const host = new TemporalHost({ workflows: { workflow: () => act() }, activities: { act: answer } });
    return { host, executor: new Executor({ store, ...host.executorOptions }) };
  };
  const first = make(() => new Promise(() => {}));
  const handle = await first.executor.execute(first.host.workflow("workflow"), { id: "a", input: [] });
  const lost = handle.result().catch(() => {});
  await first.executor.close();
  await lost;
  const second = make(() => "done");
  const [resumed] = await second.executor.recover();
  assertEquals(await resumed.result(), "done");
  await second.executor.close();
});

Deno.test("TemporalHost gives a workflow that is started natively its input as the only argument", async () => {
  const host = new TemporalHost({ workflows: { workflow: (...args: unknown[]) => Promise.resolve(args) } });
  const executor = new Executor(host.executorOptions);
  const run = async (input: unknown) =>
    await (await executor.execute(host.workflow("workflow"), { input } as never)).result();
  assertEquals([await run({ a: 1 }), await run(undefined), await run([1, 2])], [[{ a: 1 }], [], [1, 2]]);
  await executor.close();
});

Deno.test("TemporalHostOptions.converter decides what values become", async () => {
  const { act } = proxyActivities<{ act(value: unknown): Promise<unknown> }>({ startToCloseTimeout: "1 minute" });
  const workflow = async () => {
    const value = await act({ date: new Date(0), map: new Map([[1, 2]]), none: undefined });
    return JSON.stringify(value, (_, value) => value instanceof Map ? [...value] : value);
  };
  const activities = { act: (value: unknown) => value };
  const json = '{"date":"1970-01-01T00:00:00.000Z","map":{}}';
  assertEquals(await result(workflow, { activities }), json);
  const clone = '{"date":"1970-01-01T00:00:00.000Z","map":[[1,2]]}';
  assertEquals(await result(workflow, { activities, host: { converter: "clone" } }), clone);
});

Deno.test('the converter "clone" keeps the details of failures', async () => {
  const workflow = () => Promise.reject(ApplicationFailure.nonRetryable("bad", "Bad", new Date(0), 7));
  const { details } = await failure(workflow, { host: { converter: "clone" } }) as ApplicationFailure;
  assertEquals(details, [new Date(0), 7]);
});

Deno.test("a workflow that fails rejects with its failure, which the store keeps", async () => {
  const workflow = () => Promise.reject(ApplicationFailure.nonRetryable("Declined", "CardError", 7));
  const error = await failure(workflow);
  const { name, message, type, details } = error as ApplicationFailure;
  assertEquals([name, message, type, details], ["ApplicationFailure", "Declined", "CardError", [7]]);
});

Deno.test("a workflow that throws any other error fails, too", async () => {
  const error = await failure(() => Promise.reject(new RangeError("bad")));
  assertEquals([error.name, error.message, (error as ApplicationFailure).type], [
    "ApplicationFailure",
    "bad",
    "RangeError",
  ]);
});

Deno.test("when a workflow has returned, no promise of it settles any more", async () => {
  const { act } = proxyActivities<{ act(): Promise<void> }>({ startToCloseTimeout: "1 minute" });
  const settled: string[] = [];
  const workflow = async () => {
    for (const wait of [sleep(1), sleep("1 day"), act()]) wait.then(() => settled.push("a"), () => settled.push("b"));
    await Promise.resolve();
    return "done";
  };
  await once(workflow, { activities: { act: () => {} } }, async (handle) => {
    assertEquals(await handle.result(), "done");
    await settle();
    assertEquals(settled, []);
  });
});

Deno.test("a promise of a workflow that nobody awaits is written to the log, and does not end the process", async () => {
  const lines: unknown[] = [];
  const floating = async () => {
    await sleep(1);
    throw new Error("nobody awaits me");
  };
  const workflow = async () => {
    void floating();
    await sleep(20);
    return "done";
  };
  const host = new TemporalHost({ workflows: { workflow } });
  const error = (message: string, fields?: Record<string, unknown>) => void lines.push([message, `${fields?.error}`]);
  const executor = new Executor({ ...host.executorOptions, logger: { debug() {}, info() {}, warn() {}, error } });
  const handle = await executor.execute(host.workflow("workflow"), { input: [] });
  assertEquals(await handle.result(), "done");
  assertEquals(lines, [["A promise of the workflow that nobody awaits was rejected", "Error: nobody awaits me"]]);
  await executor.close();
});

Deno.test("a floating function that a cancellation cuts off is silent", async () => {
  const floating = async () => await sleep("1 day");
  const workflow = async () => {
    void floating();
    await sleep("1 day");
  };
  await once(workflow, {}, async (handle) => {
    await handle.cancel();
    await assertRejects(() => handle.result(), Error, "Canceled");
  });
});

Deno.test("crashTest() names the line of a Temporal workflow that reads a global, and the way out", async () => {
  const { act } = proxyActivities<{ act(n: number): Promise<void> }>({ startToCloseTimeout: "1 minute" });
  const workflows = {
    async random() {
      await act(Math.random());
    },
    async timer() {
      await new Promise((resolve) => setTimeout(resolve, 1));
    },
  };
  const options = { workflows, activities: { act() {} } };
  for (const [name, code] of [["random", "await act(Math.random())"], ["timer", "setTimeout(resolve, 1)"]]) {
    const host = new TemporalHost(options);
    const { message } = await assertRejects(() => crashTest(host.workflow(name), host.crashOptions), CrashTestError);
    assertStringIncludes(message, code);
    assertStringIncludes(message, "pass patchGlobals: true to the TemporalHost");
  }
  using host = new TemporalHost({ ...options, patchGlobals: true });
  await crashTest(host.workflow("random"), host.crashOptions);
});

Deno.test("crashTest() says that a package of Temporal is not mapped when a workflow calls the real one", async () => {
  class IllegalStateError extends Error {}
  const unmapped = () => Promise.reject(new IllegalStateError("Workflow.sleep(...) may only be used from a Workflow"));
  const host = new TemporalHost({ workflows: { unmapped } });
  const words = "Map all packages of Temporal to this one";
  await assertRejects(() => crashTest(host.workflow("unmapped"), host.crashOptions), CrashTestError, words);
});

Deno.test("crashTest() refuses a Temporal workflow that answers with what cannot be stored", async () => {
  const host = new TemporalHost({ workflows: { big: () => Promise.resolve(1n) } });
  const words = "Cannot convert a value to JSON";
  await assertRejects(() => crashTest(host.workflow("big"), host.crashOptions), CrashTestError, words);
});

Deno.test("TemporalHost refuses a promise of workflows", () => {
  const workflows = Promise.resolve({});
  assertThrows(() => new TemporalHost({ workflows }), TypeError, '"workflows" must be an object of functions: await');
});

Deno.test("crashTest() refuses a Temporal workflow that forgets its input, calls a missing activity, or has one with a mistake", async () => {
  const { missing, wrong } = proxyActivities<{ missing(): Promise<void>; wrong(): Promise<void> }>({
    startToCloseTimeout: "1 minute",
    retry: { maximumAttempts: 1 },
  });
  const workflows = {
    forgets: (order: { items: unknown[] }) => Promise.resolve(order.items.length),
    calls: () => missing(),
    has: () => wrong(),
  };
  const activities = { wrong: () => Promise.resolve((undefined as unknown as { x: 1 }).x) };
  const host = new TemporalHost({ workflows, activities });
  for (
    const [name, words] of [
      ["forgets", "Cannot read properties of undefined"],
      ["calls", 'Cannot call activity "missing": "activities" has no such function; it has "wrong"'],
      ["has", "Cannot read properties of undefined"],
    ]
  ) {
    const { message } = await assertRejects(() => crashTest(host.workflow(name), host.crashOptions), CrashTestError);
    assertStringIncludes(message, "It fails although nothing goes wrong: ");
    assertStringIncludes(message, words);
    assertStringIncludes(message, "A TypeError is most likely a mistake in the test");
  }
});

Deno.test("a workflow that fails with a nextRetryDelay fails with that failure", async () => {
  const error = await failure(() => {
    throw ApplicationFailure.create({ message: "busy", nextRetryDelay: "1 hour" });
  });
  assertEquals([error.name, error.message], ["ApplicationFailure", "busy"]);
});

Deno.test("a workflow that is cancelled and fails for another reason has failed", async () => {
  const workflow = async () => {
    await sleep("1 day").catch(() => {
      throw ApplicationFailure.nonRetryable("cannot clean up");
    });
  };
  const { error, state } = await run(workflow, { cancel: { atMs: 5 }, expectFailure: true });
  assertEquals([(error as Error).message, state.status], ["cannot clean up", "failed"]);
});

Deno.test("TemporalHostOptions.interceptors refuses a function that returns a promise", async () => {
  const interceptors = [(() => Promise.resolve({})) as never];
  const error = await failure(() => Promise.resolve(), { expectFailure: true, host: { interceptors } });
  assertEquals(error.message, "Cannot make interceptors: the function returned a promise");
});

Deno.test("a rejection outside of a workflow is left to the runtime", async () => {
  await once(() => Promise.resolve(), {}, (handle) => handle.result()); // the first workflow begins to watch
  const event = Object.assign(new Event("unhandledrejection", { cancelable: true }), {
    reason: new Error("of the test"),
  });
  globalThis.dispatchEvent(event);
  assertEquals(event.defaultPrevented, false);
});

Deno.test('TemporalHost has no workflow of the name "default"', () => {
  const host = new TemporalHost({ workflows: { default: () => {}, other: () => {} } });
  assertEquals(Object.keys(host.executorOptions.workflows ?? {}), ["other"]);
});
