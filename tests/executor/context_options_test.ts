/** Options of the context's methods: an unknown name is refused at the call, with the one that was probably meant. */

import { assertEquals } from "@std/assert";
import type { WorkflowContext } from "@rockpool/workflow";
import { setUp } from "../support/executors.ts";

Deno.test("WorkflowContext refuses options that it does not know, at the call", async () => {
  const { executor } = setUp();
  const child = () => {};
  const calls: Record<string, (ctx: WorkflowContext, options: never) => unknown> = {
    timeout: (ctx, options) => ctx.waitForSignal("s", options),
    timeOut: (ctx, options) => ctx.waitUntil(() => true, options),
    validates: (ctx, options) => ctx.handleUpdate("u", () => {}, options),
    nam: (ctx, options) => ctx.addCompensation(() => {}, options),
    timeoutMS: (ctx, options) => ctx.executeChild(child, undefined, options),
    parentPolicy: (ctx, options) => ctx.startChild(child, undefined, options),
    retries: (ctx, options) => ctx.executeActivity(child, undefined, options),
  };
  const messages = [];
  for (const [option, call] of Object.entries(calls)) {
    const handle = await executor.execute(async (ctx: WorkflowContext) => {
      try {
        await call(ctx, { [option]: 1 } as never);
      } catch (error) {
        return (error as Error).message;
      }
    });
    messages.push(await handle.result());
  }
  const refusal = (action: string, option: string, likely: string) =>
    `Cannot ${action}: "options" has no option "${option}"; did you mean "${likely}"?`;
  assertEquals(messages, [
    refusal('wait for signal "s"', "timeout", "timeoutMs"),
    refusal("wait until", "timeOut", "timeoutMs"),
    refusal('handle update "u"', "validates", "validate"),
    refusal("add compensation", "nam", "name"),
    refusal('start child workflow "child"', "timeoutMS", "timeoutMs"),
    refusal('start child workflow "child"', "parentPolicy", "parentClosePolicy"),
    refusal('execute activity "child"', "retries", "retry"),
  ]);
  await executor.close();
});

Deno.test("WorkflowContext refuses an option that is no boolean but must be one", async () => {
  const { executor } = setUp();
  const calls: ((ctx: WorkflowContext) => unknown)[] = [
    (ctx) => ctx.waitForSignal("s", { withSender: 1 as never }),
    (ctx) => ctx.receiveSignal("s", { withSender: "yes" as never }),
    (ctx) => ctx.scope(() => {}, { waitForCanceled: 0 as never }),
    (ctx) => ctx.executeActivity(() => {}, undefined, { name: "act", atMostOnce: null as never }),
  ];
  const handle = await executor.execute(async (ctx: WorkflowContext) => {
    const messages = [];
    for (const call of calls) {
      try {
        await call(ctx);
        messages.push("accepted");
      } catch (error) {
        messages.push(String(error));
      }
    }
    return messages;
  });
  assertEquals(await handle.result(), [
    'TypeError: Cannot wait for signal "s": "withSender" must be a boolean, got 1',
    'TypeError: Cannot receive signal "s": "withSender" must be a boolean, got "yes"',
    'TypeError: Cannot run scope: "waitForCanceled" must be a boolean, got 0',
    'TypeError: Cannot execute activity "act": "atMostOnce" must be a boolean, got null',
  ]);
  await executor.close();
});
