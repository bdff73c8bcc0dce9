import { assertEquals } from "@std/assert";
import { story } from "./subscription.ts";

Deno.test("examples/subscription.ts bills a year", async () => {
  const lines: string[] = [];
  await story((line) => lines.push(line));
  assertEquals(lines, [
    "--- the process dies on 2026-07-14, with 100 euros paid; another one recovers",
    "2026-01-01 small 10",
    "2026-02-01 small 10",
    "2026-03-01 small 10",
    "2026-04-01 small 10",
    "2026-05-01 small 10",
    "2026-06-01 large 25",
    "2026-07-01 large 25",
    "2026-08-01 large 25",
    "2026-09-01 large 25",
    "2026-10-03 large 25",
    "2026-11-01 large 25",
    "2026-12-01 large 25",
    "on 2027-01-01: 12 payments, 225 euros",
  ]);
});
