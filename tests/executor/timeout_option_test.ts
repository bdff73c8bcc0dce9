import { assertEquals } from "@std/assert";
import type { ActivityOptions, TimeoutError, WorkflowContext } from "@rockpool/workflow";
import { crashTest, replace, takes } from "@rockpool/workflow/testing";

const never = () => {};

for (const option of ["timeoutMs", "totalTimeoutMs", "heartbeatTimeoutMs"] as const) {
  Deno.test(`TimeoutError.option says that an activity has exceeded its ${option}, also after a replay`, async () => {
    const options: ActivityOptions = { [option]: 100 };
    const workflow = (ctx: WorkflowContext) =>
      ctx.executeActivity(never, undefined, options).catch((error: TimeoutError) => error.option);
    const { undisturbed } = await crashTest(workflow, { activities: [replace(never, takes(Infinity, never))] });
    assertEquals(undisturbed.result, option);
  });
}

Deno.test("TimeoutError.option is absent when a wait has exceeded its timeoutMs", async () => {
  const workflow = (ctx: WorkflowContext) =>
    ctx.waitForSignal("never", { timeoutMs: 100 }).catch((error: TimeoutError) => "option" in error);
  assertEquals((await crashTest(workflow)).undisturbed.result, false);
});
