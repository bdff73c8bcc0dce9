/** `ctx.log`: each line is written once. */

import { assertEquals, assertThrows } from "@std/assert";
import { Executor, type WorkflowContext, type WorkflowLogger } from "@rockpool/workflow";
import { settle, setUp } from "../support/executors.ts";

function recordingLogger(): { logger: WorkflowLogger; written: unknown[][] } {
  const written: unknown[][] = [];
  const write = (level: string) => (message: string, fields?: unknown) => void written.push([level, message, fields]);
  return {
    written,
    logger: { debug: write("debug"), info: write("info"), warn: write("warn"), error: write("error") },
  };
}

async function talks(ctx: WorkflowContext) {
  ctx.log.info("begun", { step: 1 });
  await ctx.executeActivity(() => 1);
  ctx.log.warn("waits");
  await ctx.waitForSignal("go");
  ctx.log.error("over");
}

Deno.test("WorkflowContext.log writes each line once after a restart, with the IDs of its run", async () => {
  const { logger, written } = recordingLogger();
  const { executor, store, clock } = setUp({ logger });
  const { runId } = await executor.execute(talks, { id: "a" });
  await settle();
  await executor.close();
  const next = new Executor({ store, clock, logger, workflows: { talks } });
  const [handle] = await next.recover();
  await settle();
  await next.signal("a", "go");
  await handle.result();
  const run = { workflowId: "a", runId, workflowName: "talks" };
  assertEquals(written, [["info", "begun", { ...run, step: 1 }], ["warn", "waits", run], ["error", "over", run]]);
  await next.close();
});

async function answers(ctx: WorkflowContext) {
  ctx.handleQuery("x", () => 1);
  ctx.log.debug("once");
  await ctx.waitForSignal("go");
  ctx.log.debug("over");
}

Deno.test("WorkflowContext.log writes nothing in the read-only replay for a query", async () => {
  const { logger, written } = recordingLogger();
  const { executor, store, clock } = setUp({ logger });
  const handle = await executor.execute(answers, { id: "a" });
  await settle();
  await using other = new Executor({ store, clock, logger, workflows: { answers } });
  assertEquals(await other.query("a", "x"), 1);
  assertEquals(written.length, 1);
  await executor.signal("a", "go");
  await handle.result();
  assertEquals(await executor.query("a", "x"), 1);
  assertEquals(written.length, 2);
  await executor.close();
});

Deno.test("ExecutorOptions.logger does not harm the workflow when it throws", async () => {
  const reported: unknown[] = [];
  const fail = () => {
    throw new Error("disk full");
  };
  const logger = { debug: fail, info: fail, warn: fail, error: fail };
  const { executor } = setUp({ logger, onError: (error) => reported.push((error as Error).message) });
  await executor.execute(talks, { id: "a" });
  await executor.signal("a", "go");
  await (await executor.handle("a")).result();
  assertEquals(reported, ["disk full", "disk full", "disk full"]);
  await executor.close();
});

Deno.test("Executor() refuses a bad logger", () => {
  assertThrows(
    () => setUp({ logger: { info() {} } as never }),
    TypeError,
    'Cannot create an executor: "logger.debug" must be a function, got undefined',
  );
});
