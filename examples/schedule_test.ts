import { assertEquals } from "@std/assert";
import { story } from "./schedule.ts";

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
