import { assertEquals } from "@std/assert";
import { story } from "./polling.ts";

Deno.test("examples/polling.ts polls with growing pauses, also after a crash", async () => {
  const lines: string[] = [];
  await story((line) => lines.push(line));
  assertEquals(lines, [
    "--- the process dies after 5 minutes (asked for the report 4 times, for the archive 4 times); another one recovers",
    "the report: done, seen after 25 minutes",
    "  asked 7 times, 7 answers and failures in its history",
    "the archive: TimeoutError, the archive was not done after 65 minutes",
    "  asked 11 times, 11 answers and failures in its history",
  ]);
});
