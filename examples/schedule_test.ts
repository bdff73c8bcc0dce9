import { assertEquals } from "@std/assert";
import {
  attempts,
  type CrashRun,
  crashTest,
  type CrashTestOptions,
  explore,
  fails,
  replace,
  whatIf,
} from "@rockpool/workflow/testing";
import { scheduleInfo, triggerSchedule } from "@rockpool/workflow/schedule";
import { crashAndCancelEverywhere } from "../tests/support/cancel_everywhere.ts";
import { bounds } from "../tests/support/exploring.ts";
import { nightly, report, story } from "./schedule.ts";

Deno.test("examples/schedule.ts writes a report every night", async () => {
  const lines: string[] = [];
  await story((line) => lines.push(line));
  assertEquals(lines, [
    "--- the process dies in the afternoon; another one recovers at 2026-12-19 16:00",
    "--- the process dies at midnight; another one recovers at 2026-12-21 05:00",
    "nightly:2026-12-19T02:00:00.000Z completed: 2026-12-19: 119 sales; written at 2026-12-19 02:00",
    "nightly:2026-12-20T02:00:00.000Z completed: 2026-12-20: 120 sales; written at 2026-12-20 02:00",
    "nightly:2026-12-21T02:00:00.000Z completed: 2026-12-21: 121 sales; written at 2026-12-21 05:00",
    "nightly:2026-12-22T02:00:00.000Z completed: 2026-12-22: 122 sales; written at 2026-12-22 02:00",
    "nightly:2026-12-25T02:00:00.000Z failed: The shop is closed",
    "nightly:2026-12-26T02:00:00.000Z completed: 2026-12-26: 126 sales; written at 2026-12-26 02:00",
    "nightly:2026-12-26T18:00:00.000Z:trigger-6 completed: 2026-12-26: 126 sales, so far; written at 2026-12-26 18:00",
    "nightly:2026-12-27T02:00:00.000Z completed: 2026-12-27: 127 sales; written at 2026-12-27 02:00",
    "8 reports; the next one is due at 2026-12-28 02:00",
  ]);
});

Deno.test("examples/schedule.ts writes each report once in a crash and a cancellation at every point", async () => {
  const HOUR_MS = 3_600_000;
  const { undisturbed } = await crashAndCancelEverywhere(report, {
    input: { scheduleId: "nightly", dueAt: 26 * HOUR_MS, triggered: false, input: undefined },
    activities: [replace("countSales", attempts<string, number>(fails("busy"), () => 100))],
  });
  assertEquals(undisturbed.result, "1970-01-02: 100 sales; written at 1970-01-01 00:00");
});

Deno.test("examples/schedule.ts starts each report once in a crash at every point", async () => {
  const HOUR_MS = 3_600_000;
  const reports = new Map<string, number>();
  const { undisturbed } = await crashTest(nightly, {
    signals: [{ atMs: 30 * HOUR_MS, name: triggerSchedule }],
    queries: [{ atMs: 60 * HOUR_MS, name: scheduleInfo, check: ({ runs }) => assertEquals(runs, 4) }],
    cancel: { atMs: 70 * HOUR_MS },
    workflows: { nightly, report },
    activities: [replace("countSales", attempts<string, number>(fails("busy"), (day) => reports.set(day, 100).size))],
    setUp: () => reports.clear(),
    effects: () => [...reports.keys()],
  });
  assertEquals(undisturbed.state.status, "canceled");
});

const HOUR_MS = 3_600_000;
const onceANight = {
  signals: [{ atMs: 30 * HOUR_MS, name: triggerSchedule }],
  cancel: { atMs: 40 * HOUR_MS },
  workflows: { nightly, report },
  activities: [replace("countSales", () => 100)],
  check({ states }: CrashRun) {
    const reports = states.filter(({ workflowName }) => workflowName === "report").map(({ workflowId }) => workflowId);
    assertEquals(new Set(reports).size, reports.length, "a report was started twice");
  },
} satisfies Partial<CrashTestOptions>;

Deno.test("examples/schedule.ts starts each report once in each order, with each failure, cancellation and crash", async () => {
  const { missing } = await explore(nightly, { ...onceANight, ...bounds, maxRuns: 150 });
  assertEquals(missing, []);
});

Deno.test("examples/schedule.ts starts each report once if one thing goes wrong", async () => {
  const { bad, missing } = await whatIf(nightly, onceANight);
  assertEquals([bad, missing], [[], []]);
});
