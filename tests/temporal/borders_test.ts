/** What passes the border of a workflow: values, calls of sinks, globals, and code that goes on after its end. */

import { assertEquals } from "@std/assert";
import { AsyncLocalStorage } from "node:async_hooks";
import { TestExecutor } from "../../testing/mod.ts";
import {
  condition,
  continueAsNew,
  defineUpdate,
  executeChild,
  proxyActivities,
  proxySinks,
  setHandler,
  sleep,
  TemporalHost,
  type TemporalHostOptions,
} from "../../temporal/mod.ts";

type Workflow = (...args: never[]) => Promise<unknown>;

async function result(workflow: Workflow, options: Partial<TemporalHostOptions> = {}): Promise<unknown> {
  const host = new TemporalHost({ workflows: { workflow, child: (value: unknown) => value }, ...options });
  await using executor = new TestExecutor(host.executorOptions);
  return await (await executor.execute(host.workflow("workflow"), { id: "a", input: [] })).result();
}

Deno.test('TemporalHost keeps dates and maps in all arguments and results with converter: "clone"', async () => {
  const value = { at: new Date(0), map: new Map([[1, 2n]]) };
  const activities = { echo: (_: number, value: unknown) => value };
  const { echo } = proxyActivities<{ echo(n: number, value: unknown): Promise<unknown> }>({
    startToCloseTimeout: 1000,
  });
  const workflow = async () => [await echo(1, value), await executeChild("child", { args: [value] })];
  assertEquals(await result(workflow, { activities, converter: "clone" }), [value, value]);
});

Deno.test("continueAsNew() in the handler of an update continues the workflow", async () => {
  const restart = defineUpdate("restart");
  const workflow = async (round = 0) => {
    setHandler(restart, () => continueAsNew(round + 1));
    if (round === 0) await condition(() => false);
    return round;
  };
  const host = new TemporalHost({ workflows: { workflow } });
  await using executor = new TestExecutor(host.executorOptions);
  const handle = await executor.execute(host.workflow("workflow"), { id: "a", input: [] });
  handle.update("restart", []).catch(() => {}); // nobody answers it
  assertEquals(await handle.result(), 1);
});

Deno.test("proxySinks() hands out copies: what a sink changes does not reach the workflow", async () => {
  const { out } = proxySinks<{ out: { write(line: { text: string }): void } }>();
  const sinks = { out: { write: { fn: (_: unknown, line: { text: string }) => void (line.text = "changed") } } };
  const workflow = () => {
    const line = { text: "as it was" };
    out.write(line);
    return Promise.resolve(line);
  };
  assertEquals(await result(workflow, { sinks }), { text: "as it was" });
});

Deno.test("sleep() does not settle when code calls it after the end of its workflow", async () => {
  let late!: () => Promise<string>;
  await result(() => {
    const inside = AsyncLocalStorage.snapshot();
    late = () => inside(() => sleep(1)).then(() => "slept", String);
    return Promise.resolve();
  });
  const macrotask = new Promise((resolve) => setTimeout(() => resolve("open"), 0));
  assertEquals(await Promise.race([late(), macrotask]), "open");
});

Deno.test("TemporalHost.dispose() leaves globals that somebody else has replaced", () => {
  const { Date: NativeDate, setTimeout: nativeSetTimeout } = globalThis;
  const host = new TemporalHost({ workflows: {}, patchGlobals: true });
  const FakeDate = class extends Date {} as DateConstructor;
  globalThis.Date = FakeDate;
  try {
    host.dispose();
    assertEquals([globalThis.Date === FakeDate, globalThis.setTimeout === nativeSetTimeout], [true, true]);
  } finally {
    globalThis.Date = NativeDate;
  }
});
