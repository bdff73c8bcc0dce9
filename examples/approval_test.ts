import { assertEquals } from "@std/assert";
import { story } from "./approval.ts";

Deno.test("examples/approval.ts keeps its deadlines when the process dies", async () => {
  const lines: string[] = [];
  await story((line) => lines.push(line));
  assertEquals(lines, [
    "--- the process dies on day 2; another one recovers on day 3",
    "pencils: approved as small",
    "a chair: approved by Ada on day 5",
    "a boat: refused by the calendar on day 8",
    "a lamp: approved by Mara on day 1",
    "  mail, please decide: a chair for 340 euros",
    "  mail, please decide: a boat for 9000 euros",
    "  mail, please decide: a lamp for 80 euros",
    "  mail, reminder: a chair",
    "  mail, reminder: a boat",
    "  mail, too late: a boat",
  ]);
});
