import { assertEquals } from "@std/assert";
import type { WorkflowOptions } from "./client_options.ts";
import { executeOptions } from "./start_options.ts";

const options = (given: Partial<WorkflowOptions>) => executeOptions({ taskQueue: "q", workflowId: "w", ...given });

Deno.test("executeOptions() maps each policy about an ID that is taken", () => {
  const of = (given: Partial<WorkflowOptions>) => {
    const { reuse, onConflict } = options(given);
    return [reuse, onConflict];
  };
  assertEquals(of({}), ["replace", "reject"]);
  assertEquals(of({ workflowIdReusePolicy: "ALLOW_DUPLICATE_FAILED_ONLY" }), ["replace-failed", "reject"]);
  assertEquals(of({ workflowIdReusePolicy: "REJECT_DUPLICATE" }), ["reject", "reject"]);
  assertEquals(of({ workflowIdReusePolicy: "TERMINATE_IF_RUNNING" }), ["replace", "replace"]);
  assertEquals(of({ workflowIdConflictPolicy: "USE_EXISTING" }), ["replace", "join"]);
});

Deno.test("executeOptions() takes the shortest limit that is not 0, and the delay of the start", () => {
  const { timeoutMs, startAfterMs } = options({
    workflowExecutionTimeout: "1 hour",
    workflowRunTimeout: "1 minute",
    startDelay: "1 day",
  });
  assertEquals([timeoutMs, startAfterMs], [60_000, 86_400_000]);
  assertEquals(options({ workflowExecutionTimeout: "1 hour", workflowRunTimeout: 0 }).timeoutMs, 3_600_000);
});
