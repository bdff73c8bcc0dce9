import { assertEquals } from "@std/assert";
import type { WorkflowEvent } from "@rockpool/workflow";
import { compareHistories } from "./diff.ts";

const started = { type: "workflow_started", at: 1, workflowName: "a", input: 1 } as const;
const asked = { type: "activity_started", at: 2, seq: 0, name: "charge", input: { cents: 5 } } as const;
const done = { type: "activity_completed", at: 3, seq: 0, attempt: 1, result: new Map([["a", 1]]) } as const;
const error = { name: "Error", message: "no", stack: "here" };
const failed = { type: "activity_failed", at: 3, seq: 0, attempt: 1, error } as const;

Deno.test("compareHistories() finds the first other step and the first other value", () => {
  const compare = (left: WorkflowEvent[], right: WorkflowEvent[]) => {
    const { step, value } = compareHistories(left, right);
    return [step, value];
  };
  assertEquals(compare([started, asked, done], [{ ...started, at: 9 }, asked, done]), [undefined, undefined]);
  assertEquals(compare([started, asked, done], [started, asked, failed]), [2, 2]);
  assertEquals(compare([started, asked, done], [started, { ...asked, input: { cents: 6 } }, failed]), [2, 1]);
  assertEquals(compare([started, asked, done], [started, asked, { ...done, result: new Map([["a", 2]]) }]), [
    undefined,
    2,
  ]);
  assertEquals(compare([started, asked], [started]), [1, 1]);
  assertEquals(compare([failed], [{ ...failed, error: { ...error, stack: "there" } }]), [undefined, undefined]);
  assertEquals(compare([asked], [{ ...asked, name: "refund" }]), [0, 0]);
});
