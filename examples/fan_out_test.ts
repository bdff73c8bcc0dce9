import { assertEquals } from "@std/assert";
import { story } from "./fan_out.ts";

Deno.test("examples/fan_out.ts counts three pages at a time, also after a crash", async () => {
  const lines: string[] = [];
  await story((line) => lines.push(line));
  assertEquals(lines, [
    "--- the process dies: 5 pages begun, 4 of them counted; another one recovers",
    "the most frequent words: the 7, lake 4, grey 3, is 3",
    "read twice: dusk",
    "at most 3 at once",
  ]);
});
