import { assertEquals } from "@std/assert";
import { describeWait, describeWaits, type OpenWait } from "@rockpool/workflow/pictures";

const MINUTE = 60_000;

const WAITS: [wait: OpenWait, text: string][] = [
  [{ type: "signal", name: "approval" }, "signal approval"],
  [{ type: "signal", name: "approval", until: 9 * MINUTE }, "signal approval, deadline in 8 min"],
  [{ type: "signal", name: "a\u202e\nb" }, "signal a b"],
  [{ type: "condition" }, "a condition"],
  [{ type: "condition", until: 0 }, "a condition, deadline due now"],
  [{ type: "timer", dueAt: 3 * MINUTE }, "a timer in 2 min"],
  [{ type: "timer", dueAt: MINUTE }, "a timer due now"],
  [{ type: "activity", name: "charge", attempt: 1, status: "running" }, "activity charge"],
  [{ type: "activity", name: "charge", attempt: 1, status: "queued" }, "activity charge, queued"],
  [
    { type: "activity", name: "charge", attempt: 3, status: "retrying", retryAt: MINUTE + 4000 },
    "activity charge, attempt 3 in 4 s",
  ],
  [
    { type: "activity", name: "charge", attempt: 2, status: "running", canceled: true },
    "activity charge, attempt 2, canceled",
  ],
  [{ type: "child", workflowId: "page/1" }, "child page/1"],
  [{ type: "child", workflowId: "page/1", retryAt: 2 * MINUTE }, "child page/1, next attempt in 1 min"],
  [{ type: "child", workflowId: "page/1", canceled: true }, "child page/1, canceled"],
  [{ type: "slot" }, "a slot of maxConcurrentWorkflows"],
  [{ type: "dormant" }, "its next event, dormant"],
  [{ type: "dormant", wakesAt: 2 * MINUTE }, "a timer in 1 min, dormant"],
  [{ type: "start", startAt: 2 * MINUTE }, "its start in 1 min"],
];

for (const [wait, text] of WAITS) {
  Deno.test(`describeWait() says "${text}"`, () => assertEquals(describeWait(wait, MINUTE), text));
}

Deno.test("describeWaits() names the first waits and counts the others", () => {
  const waits = (count: number) =>
    Array.from({ length: count }, (_, i) => ({ type: "child", workflowId: `c${i}` }) as const);
  assertEquals(describeWaits(waits(0), 0), "");
  assertEquals(describeWaits(waits(1), 0), "waits for child c0");
  assertEquals(describeWaits(waits(4), 0), "waits for child c0; child c1; child c2; child c3");
  assertEquals(describeWaits(waits(1200), 0), "waits for child c0; child c1; child c2; 1,197 more");
});
